"""Receives a painted stream and keeps it, with what can be said about it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Self

from protocols.endpoints import Source
from protocols.errors import SourceError
from protocols.frame import Frame, Rejected
from streamer.telemetry import Spread


class Recorder:
    """A thread that receives, so that the stream never waits for what is done with its frames; a context manager.

    Args:
        source: where the frames come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._stop = Event()
        self._items: SimpleQueue[Frame | Rejected | SourceError] = SimpleQueue()
        self._thread = Thread(target=self._receive, name="recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def take(self, *, timeout_s: float) -> Frame | None:
        """Return the next frame; None if none came in time.

        Raises:
            SourceError: the stream failed, or a message held no frame.
        """
        try:
            item = self._items.get(timeout=timeout_s)
        except Empty:
            return None
        if isinstance(item, SourceError):
            raise item
        if isinstance(item, Rejected):
            raise SourceError(f"a message without a frame: {item.error}", reason="format")
        return item

    def _receive(self) -> None:
        try:
            for item in self._source.frames(self._stop):
                self._items.put(item)
        except SourceError as error:
            self._items.put(error)


@dataclass(frozen=True, slots=True)
class Recording:
    """Painted frames in the order they came, none of them a repetition."""

    frames: Sequence[Frame]

    @property
    def fps(self) -> float:
        """How many came in a second; 0 for fewer than two."""
        span_s = self.frames[-1].received_at - self.frames[0].received_at if self.frames else 0.0
        return (len(self.frames) - 1) / span_s if span_s > 0 else 0.0

    @property
    def iterations(self) -> float:
        """Mean per frame; 0 for none."""
        counts = [frame.painting.iterations for frame in self.frames if frame.painting]
        return sum(counts) / len(counts) if counts else 0.0

    @property
    def cuts(self) -> int:
        """How often the picture was begun afresh after its first frame."""
        return sum(begins_afresh(frame) for frame in self.frames[1:])

    @property
    def missing(self) -> int:
        """Gaps in the sequence."""
        return sum(frame.sequence - last.sequence - 1 for last, frame in pairwise(self.frames))

    @property
    def dropped(self) -> int:
        """How many of the missing ones the painter says it left out on purpose."""
        return self.frames[-1].dropped - self.frames[0].dropped if self.frames else 0

    @property
    def age(self) -> Spread:
        """Seconds from a frame's capture to our receiving it painted; right if both clocks are of one machine."""
        epoch = time.time() - time.monotonic()
        return Spread.of([epoch + frame.received_at - frame.captured_at for frame in self.frames])


def begins_afresh(frame: Frame) -> bool:
    """Return whether the painter began a new picture with this frame."""
    return frame.painting is not None and frame.painting.cut
