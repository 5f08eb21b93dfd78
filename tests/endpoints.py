"""The two fakes of the protocols, and frames to go with them."""

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Event

import numpy as np
from numpy.typing import NDArray

from protocols.errors import SinkError
from protocols.frame import Frame, Rejected

Item = Frame | Rejected | Exception | Callable[[], object]


def picture(height: int = 24, width: int = 32, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return a random picture, height x width x 3."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frame(
    sequence: int,
    *,
    epoch: int = 0,
    pts: float | None = None,
    image: NDArray[np.uint8] | None = None,
    received_at: float | None = None,
    stale: bool = False,
) -> Frame:
    """Return a frame of a 25 fps stream."""
    return Frame(
        image=picture() if image is None else image,
        sequence=sequence,
        pts=sequence / 25 if pts is None else pts,
        captured_at=time.time(),
        received_at=time.monotonic() if received_at is None else received_at,
        epoch=epoch,
        stale=stale,
    )


class ScriptedSource:
    """Plays one script at each opening: yields frames and rejections, raises exceptions, calls functions.

    After the last script a live source yields nothing until it is stopped.
    """

    def __init__(self, *scripts: Sequence[Item], live: bool = True) -> None:
        self.live = live
        self.openings = 0
        self._scripts = scripts

    def frames(self, stop: Event) -> Iterator[Frame | Rejected]:
        """Play the next script."""
        opening, self.openings = self.openings, self.openings + 1
        if opening >= len(self._scripts):
            stop.wait()
            return
        for item in self._scripts[opening]:
            if stop.is_set():
                return
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Frame | Rejected):
                yield item
            else:
                item()
        if self.live and opening == len(self._scripts) - 1:
            stop.wait()


class RecordingSink:
    """Keeps what is written.

    Args:
        opening_errors: raised by the first openings, one each.
        writing_errors: raised by the first writes, one each; None: that one works.
        gate: each write waits until it is set.
    """

    def __init__(
        self,
        *,
        opening_errors: Sequence[Exception] = (),
        writing_errors: Sequence[Exception | None] = (),
        gate: Event | None = None,
    ) -> None:
        self.written: list[Frame] = []
        self.openings = self.closings = 0
        self.is_open = False
        self._opening_errors = list(opening_errors)
        self._writing_errors = list(writing_errors)
        self._gate = gate
        self._changed = Condition()

    def open(self) -> None:
        """Open, unless it is to fail."""
        with self._changed:
            self.openings += 1
            self._changed.notify_all()
        if self._opening_errors:
            raise self._opening_errors.pop(0)
        self.is_open = True

    def write(self, frame: Frame) -> None:
        """Keep ``frame``."""
        if not self.is_open:
            raise SinkError("written while closed", reason="failed")
        if self._gate is not None:
            self._gate.wait()
        error = self._writing_errors.pop(0) if self._writing_errors else None
        if error is not None:
            raise error
        with self._changed:
            self.written.append(frame)
            self._changed.notify_all()

    def close(self) -> None:
        """Close."""
        self.closings += 1
        self.is_open = False

    def await_frames(self, count: int, *, timeout_s: float = 20.0) -> list[Frame]:
        """Return what was written once it is ``count`` frames; fail if that takes too long."""
        return self.await_that(lambda written: len(written) >= count, timeout_s=timeout_s)

    def await_openings(self, count: int, *, timeout_s: float = 20.0) -> None:
        """Return once it was opened so many times; fail if that takes too long."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.openings >= count, timeout_s), f"opened {self.openings} times"

    def await_that(self, holds: Callable[[list[Frame]], bool], *, timeout_s: float = 20.0) -> list[Frame]:
        """Return what was written once ``holds`` of it."""
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.written), timeout_s), f"{len(self.written)} frames came"
            return list(self.written)
