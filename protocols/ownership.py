"""One producer at a time: two whose frames mix would make a film of neither."""

import time
from collections.abc import Callable
from threading import Lock

SILENCE_S = 5.0


class Ownership:
    """Says whose frames are taken: those of the connection that sent the first one.

    It ends with the connection, or with ``SILENCE_S`` without a frame.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._owner: int | None = None
        self._heard_at = 0.0

    def takes(self, connection: int) -> bool:
        """Return whether a frame of this connection is taken; its sender becomes the owner if there is none."""
        with self._lock:
            now = self._clock()
            if self._owner is None or now - self._heard_at > SILENCE_S:
                self._owner = connection
            if self._owner != connection:
                return False
            self._heard_at = now
            return True

    def leave(self, connection: int) -> None:
        """A connection has ended."""
        with self._lock:
            if self._owner == connection:
                self._owner = None

    def vacate(self) -> None:
        """All connections have ended."""
        with self._lock:
            self._owner = None
