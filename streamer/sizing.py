"""How large to paint: as asked, smaller after the device ran out of memory, later as asked again."""

import time
from collections.abc import Callable, Iterator
from threading import Lock

SMALLER = 0.75
"""A step down: a little over half the pixels, and about half the memory."""
LEAST_PX = 64
CLIMB_AFTER_S = 60.0


def steps_down(wanted: int) -> Iterator[int]:
    """Yield the long sides to try, from the one wanted down to the smallest."""
    size = wanted
    while size >= min(LEAST_PX, wanted):
        yield size
        size = round(size * SMALLER)


class Sizing:
    """The long side of the picture, in pixels. Any thread may ask it.

    Args:
        wanted: as the settings ask for it.
        clock: monotonic, seconds.
    """

    def __init__(self, wanted: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._wanted = wanted
        self._clock = clock
        self._now = wanted
        self._changed_at = clock()
        self._before: list[int] = []
        self._lock = Lock()

    @property
    def is_reduced(self) -> bool:
        """Whether it is smaller than asked for."""
        return self._now < self._wanted

    def size(self) -> int:
        """Return the size for the next frame: one step up again after a minute without trouble."""
        with self._lock:
            if self._before and self._clock() - self._changed_at >= CLIMB_AFTER_S:
                self._now = self._before.pop()
                self._changed_at = self._clock()
            return self._now

    def step_down(self, *, long_side: int) -> bool:
        """Make it smaller than a picture that did not fit; return whether that was possible.

        Args:
            long_side: of that picture. Frames may be smaller than the size allows.
        """
        with self._lock:
            smaller = round(min(self._now, long_side) * SMALLER)
            self._changed_at = self._clock()
            if smaller < min(LEAST_PX, self._wanted):
                return False
            self._before.append(self._now)
            self._now = smaller
            return True
