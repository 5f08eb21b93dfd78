"""When the next frame is begun, and what may be spent on it."""

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from models.descent import Budget
from streamer.telemetry import percentile

EVIDENCE_FRAMES = 20
FIRST_MARGIN = 0.05
LEAST_MARGIN, MOST_MARGIN = 0.01, 0.5


class Governor(Protocol):
    """Asked once before and once after each frame."""

    def adapt(self, *, fps: float, iterations: int) -> None:
        """Let this be wanted from now on: most frames per second, and most iterations for each."""
        ...

    def pause_s(self) -> float:
        """Return how long to wait before a frame may be begun, in seconds."""
        ...

    def begin(self, *, waited: bool) -> Budget:
        """A frame is begun now; return its budget.

        Args:
            waited: it came after its time, so the source is slower than we are.
        """
        ...

    def finish(self, iterations: int) -> None:
        """The frame is published, after so many iterations."""
        ...


class Unhurried:
    """For files: as many iterations as wanted, however long they take."""

    def __init__(self, *, iterations: int) -> None:
        self._budget = Budget(iterations)

    def adapt(self, *, fps: float, iterations: int) -> None:  # noqa: ARG002 - a file is painted as fast as can be
        """Change the iterations."""
        self._budget = Budget(iterations)

    def pause_s(self) -> float:
        """Return 0."""
        return 0.0

    def begin(self, *, waited: bool) -> Budget:  # noqa: ARG002 - a file is never late
        """Return the whole budget."""
        return self._budget

    def finish(self, iterations: int) -> None:
        """Learn nothing."""


class Punctual:
    """For live sources: at most ``fps`` frames a second, each filled with iterations, none late for one more of them.

    Frames are begun on a grid of ticks, which does not drift; it starts anew where the source made us wait, or after we
    fell behind by a whole tick. A frame must be out by the next tick. The descent ends before its deadline, and what
    follows it (download, conversion, hand-over) is the margin between the two: measured as how far past the deadline
    the last 20 frames were published, the worst left out, so that one hiccup of the machine teaches nothing.

    Args:
        fps: most frames per second.
        iterations: most iterations per frame.
        clock: monotonic, seconds.
    """

    def __init__(self, *, fps: float, iterations: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._period_s = 1 / fps
        self._iterations = iterations
        self._clock = clock
        self._tick = clock()
        self._deadline = self._tick
        self._overruns: deque[float] = deque(maxlen=EVIDENCE_FRAMES)

    def adapt(self, *, fps: float, iterations: int) -> None:
        """Change both; the next tick comes as long after the last one as the new rate says."""
        self._iterations = iterations
        self._tick += 1 / fps - self._period_s
        self._period_s = 1 / fps

    def pause_s(self) -> float:
        """Return the time to the next tick."""
        return max(0.0, self._tick - self._clock())

    def begin(self, *, waited: bool) -> Budget:
        """Return the budget that ends with the next tick."""
        now = self._clock()
        start = now if waited or now - self._tick > self._period_s else self._tick
        self._tick = start + self._period_s
        self._deadline = self._tick - self.margin_s
        return Budget(self._iterations, self._deadline)

    def finish(self, iterations: int) -> None:
        """Learn the margin from a frame that the deadline ended.

        A frame of one iteration says nothing, as that one is done whatever the deadline. But if it was out before the
        next tick, the margin was too wide: old evidence is let go then, lest it starve the frames for ever.
        """
        now = self._clock()
        if 1 < iterations < self._iterations:
            self._overruns.append(now - self._deadline)
        elif iterations <= 1 and now < self._tick and self._overruns:
            self._overruns.popleft()

    @property
    def margin_s(self) -> float:
        """The time kept for what follows the iterations."""
        overrun = percentile(self._overruns, 0.95)
        wanted = FIRST_MARGIN * self._period_s if overrun is None else overrun + LEAST_MARGIN * self._period_s
        return min(max(wanted, LEAST_MARGIN * self._period_s), MOST_MARGIN * self._period_s)
