"""One order and one clock for the frames of a source that comes and goes."""

from dataclasses import replace

from protocols.frame import Frame


class Timeline:
    """Numbers frames so that they increase over the daemon's whole life.

    Our numbers begin at 0 and have the source's own gaps; a message that held no frame takes a number too. So each
    missing number is a frame that was lost, rejected or left out. Our ``pts`` begins at 0 and goes on in real time when
    the source begins anew.

    Args:
        epoch: of the frames we give out; new for each daemon.
    """

    def __init__(self, *, epoch: int) -> None:
        self._epoch = epoch
        self._source: Frame | None = None
        self._placed: Frame | None = None
        self._rejected = 0
        self.lost = 0
        """Gaps in the source's sequence that no rejected message explains, all together."""

    def reject(self) -> None:
        """Note a message that held no frame."""
        self._rejected += 1

    def place(self, frame: Frame) -> Frame | None:
        """Return ``frame`` with its place in our order; None if it comes too late or twice."""
        gap = self._gap(frame)
        if gap < 0:
            return None
        self.lost += max(0, gap - self._rejected)
        last = -1 if self._placed is None else self._placed.sequence
        placed = replace(
            frame,
            sequence=last + 1 + max(gap, self._rejected),
            epoch=self._epoch,
            pts=self._pts(frame),
            dropped=0,
            stale=False,
            painting=None,
        )
        self._source, self._placed, self._rejected = frame, placed, 0
        return placed

    def _gap(self, frame: Frame) -> int:
        """Return how many frames are missing before this one; negative if it is not newer than the last."""
        if self._source is None or frame.epoch != self._source.epoch:
            return 0
        return frame.sequence - self._source.sequence - 1

    def _pts(self, frame: Frame) -> float:
        if self._source is None or self._placed is None:
            return 0.0
        advance = frame.pts - self._source.pts
        if frame.epoch != self._source.epoch or advance <= 0:
            advance = max(frame.received_at - self._source.received_at, 0.001)
        return self._placed.pts + advance
