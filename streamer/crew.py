"""The threads of a stream, by name; and those that were relieved, and end by themselves."""

import time
from collections.abc import Callable, Collection
from threading import RLock, Thread

from streamer.news import Ended, News


class Crew:
    """Starts threads, and waits for their ends.

    They are daemons: one that is stuck in foreign code cannot keep the process from ending.

    Args:
        tell: called by a thread that ends, unless it was relieved and all is well.
        clock: monotonic, seconds.
    """

    def __init__(self, tell: Callable[[News], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._threads: dict[str, Thread] = {}
        self._relieved: list[Thread] = []
        self._lock = RLock()

    def launch(self, name: str, body: Callable[[], None]) -> None:
        """Start a thread; it relieves the one that has the name so far."""

        def work() -> None:
            error: BaseException | None = None
            try:
                body()
            except BaseException as caught:  # noqa: BLE001 - the main thread logs it and ends the run
                error = caught
            with self._lock:
                was_relieved = self._threads.get(name) is not thread
            if error is not None or not was_relieved:
                self._tell(Ended(name, error))

        thread = Thread(target=work, name=name, daemon=True)
        with self._lock:
            self.relieve(name)
            self._threads[name] = thread
        thread.start()

    def relieve(self, name: str) -> None:
        """Do without the thread of this name, if there is one: its end is nobody's business any more."""
        with self._lock:
            self._relieved = [thread for thread in self._relieved if thread.is_alive()]
            if name in self._threads:
                self._relieved.append(self._threads.pop(name))

    def join(self, names: Collection[str], deadline: float) -> None:
        """Wait until these have ended, or for the time to be over."""
        with self._lock:
            threads = [self._threads[name] for name in names if name in self._threads]
        self._join(threads, deadline)

    def join_relieved(self, deadline: float) -> None:
        """Wait until all have ended that were relieved, or for the time to be over."""
        self._join(self._relieved, deadline)

    @property
    def stuck(self) -> list[str]:
        """The names of all that did not end."""
        return [thread.name for thread in (*self._threads.values(), *self._relieved) if thread.is_alive()]

    def _join(self, threads: Collection[Thread], deadline: float) -> None:
        for thread in threads:
            thread.join(max(0.0, deadline - self._clock()))
