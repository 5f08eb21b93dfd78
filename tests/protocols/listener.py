"""A thread that iterates a source, as the streamer does."""

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from protocols.errors import SourceError
from protocols.frame import Frame, Rejected
from protocols.zeromq import ZmqSource

PATIENCE_S = 30.0


def wait_until(fact: Callable[[], object], what: str, *, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Return once ``fact()`` is true; do something again and again until then."""
    deadline = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        meanwhile()
        time.sleep(0.005)


class Listener:
    """Iterate a source in a thread until the block ends; hand out what it yields in order."""

    def __init__(self, source: ZmqSource) -> None:
        self.source = source
        self.stop = threading.Event()
        self.error: SourceError | None = None
        self._items: queue.Queue[Frame | Rejected] = queue.Queue()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self.source.endpoint or self.error, "the endpoint")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop.set()
        self.join()

    @property
    def endpoint(self) -> str:
        return self.source.endpoint

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    @property
    def heard(self) -> bool:
        return not self._items.empty()

    def next(self) -> Frame | Rejected:
        return self._items.get(timeout=PATIENCE_S)

    def next_frame(self) -> Frame:
        item = self.next()
        assert isinstance(item, Frame), item
        return item

    def _run(self) -> None:
        try:
            for item in self.source.frames(self.stop):
                self._items.put(item)
        except SourceError as error:
            self.error = error
