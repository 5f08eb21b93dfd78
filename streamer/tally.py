"""What came of a stream, in numbers: how much, how old, and what is missing."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from protocols.frame import Frame, Rejected

AGES_KEPT = 1000


@dataclass(slots=True)
class Numbers:
    """What came in a span of time."""

    began: float
    """Monotonic, s."""
    frames: int = 0
    stale: int = 0
    """Old pictures that were sent again."""
    dropped: int = 0
    """Frames that the sender says it left out."""
    lost: int = 0
    """Frames that are missing though the sender did not leave them out."""
    rejected: int = 0
    """Messages without a frame, and damaged pictures."""
    ages_s: deque[float] = field(default_factory=lambda: deque(maxlen=AGES_KEPT))

    def describe(self, now: float, *, with_age: bool) -> str:
        """Return it as a line for people."""
        rate = self.frames / max(now - self.began, 1e-9)
        ages = sorted(self.ages_s)
        age = f"age {1000 * ages[len(ages) // 2]:.0f} ms, " if with_age and ages else ""
        return (
            f"{rate:.1f} fps, {age}{self.stale} stale, {self.dropped} dropped, {self.lost} lost, "
            f"{self.rejected} rejected"
        )


class Tally:
    """Counts what comes, from one thread, and says so, in another.

    Args:
        clock: monotonic, seconds.
        wall: seconds since 1970, as senders stamp their frames.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._lock = Lock()
        self._last: Frame | None = None
        self._whole, self._recent = Numbers(clock()), Numbers(clock())

    def count(self, item: Frame | Rejected) -> None:
        """Take note of what a source yielded."""
        with self._lock:
            if isinstance(item, Rejected):
                self._whole.rejected += 1
                self._recent.rejected += 1
                return
            dropped, lost = self._missing_before(item)
            age_s = self._wall() - item.captured_at
            for numbers in (self._whole, self._recent):
                numbers.frames += 1
                numbers.stale += item.stale
                numbers.dropped += dropped
                numbers.lost += lost
                numbers.ages_s.append(age_s)
            self._last = item

    def recent(self) -> Numbers:
        """Return what came since this was asked last."""
        with self._lock:
            recent, self._recent = self._recent, Numbers(self._clock())
            return recent

    @property
    def whole(self) -> Numbers:
        """What came from the beginning."""
        return self._whole

    def _missing_before(self, frame: Frame) -> tuple[int, int]:
        """Return how many frames before this one were dropped on purpose, and how many were lost."""
        last = self._last
        if last is None or last.epoch != frame.epoch:
            return 0, 0
        missing = max(0, frame.sequence - last.sequence - 1)
        dropped = max(0, frame.dropped - last.dropped)
        return dropped, max(0, missing - dropped)
