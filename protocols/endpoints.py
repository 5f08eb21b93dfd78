"""The two ends of every stream."""

from collections.abc import Iterator
from threading import Event
from typing import Protocol

from protocols.frame import Frame, Rejected


class Source(Protocol):
    """Where frames come from."""

    live: bool
    """The newest frame wins and ending is a loss; otherwise every frame counts and ending is the end."""

    def frames(self, stop: Event) -> Iterator[Frame | Rejected]:
        """Open, yield until the end or until ``stop`` is set, close. May be called again after it ended.

        Ends within a second of ``stop``. Each call that begins a new count of ``sequence`` uses a new ``epoch``.

        Raises:
            SourceError: it could not be opened, broke or stalled.
        """
        ...


class Sink(Protocol):
    """Where frames go. Each sink has a thread of its own, so a stuck one delays nobody."""

    def open(self) -> None:
        """Make ready to write; may be called again after ``close``.

        Raises:
            SinkError: not now; another try may help.
        """
        ...

    def write(self, frame: Frame) -> None:
        """Hand one frame on.

        Raises:
            SinkError: the frame is not through.
        """
        ...

    def close(self) -> None:
        """Flush and let go; harmless when not open."""
        ...
