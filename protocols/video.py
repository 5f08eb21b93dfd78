"""Live streams, cameras and films as a source."""

import queue
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from threading import Event, Thread
from typing import Literal

from protocols import rtsp
from protocols.decoding import FAILURES, Input, Kind, Picture, pictures
from protocols.errors import SourceError
from protocols.frame import Frame, Rejected
from protocols.presentation import Presentation
from protocols.redaction import redact
from protocols.wire import Limits

LOOK_UP_S = 0.1
"""How often a wait looks whether it shall end."""
LEAVE_S = 0.5
"""How long to wait for the reading thread to end. It ends by itself at the latest when FFmpeg's timeouts run out."""


class VideoSource:
    """Frames from the network, from a camera or from a film.

    FFmpeg can be kept waiting by a peer for as long as the peer likes, so it reads in a thread of its own, and what
    waits for that thread keeps the time.

    Args:
        url: with its password; a path or a device for ``file`` and ``camera``.
        kind: what it is.
        live: the newest frame wins, and an end is a loss.
        open_timeout_s: how long opening may take.
        stall_timeout_s: how long a stream may give no good frame. Films may take their time.
        limits: frames that are too large or too small are rejected.
        transport: of RTSP.
        size: asked of a camera.
        fps: asked of a camera.
        loop: begin a film again when it ends.
        pace: give out the frames of a film when they are due, as a camera would.
    """

    def __init__(
        self,
        url: str,
        *,
        kind: Kind,
        live: bool,
        open_timeout_s: float = 5.0,
        stall_timeout_s: float = 3.0,
        limits: Limits | None = None,
        transport: Literal["tcp", "udp"] = "tcp",
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        loop: bool = False,
        pace: bool = False,
    ) -> None:
        if (loop or pace) and kind != "file":
            raise ValueError(f"only a file can be looped or paced, not {kind}")
        self.live = live
        self._open_timeout_s = open_timeout_s
        self._stall_timeout_s = float("inf") if kind == "file" else stall_timeout_s
        self._limits = limits or Limits()
        self._loop = loop
        self._pace = pace
        # A little longer than we wait, so that it is always we who say what took too long.
        self._input = Input(
            url, kind, live, transport, size, fps, open_timeout_s + LOOK_UP_S, stall_timeout_s + LOOK_UP_S
        )

    def __repr__(self) -> str:
        return f"VideoSource({redact(self._input.address)!r})"

    def frames(self, stop: Event) -> Iterator[Frame | Rejected]:
        """Open and yield until the end.

        Raises:
            SourceError: it could not be opened, broke, stalled or, a live stream, ended.
        """
        reader = _Reader(self._input, self._limits, loop=self._loop, pace=self._pace)
        reader.start()
        try:
            yield from self._received(reader, stop)
        finally:
            reader.leave()

    def _received(self, reader: "_Reader", stop: Event) -> Iterator[Frame | Rejected]:
        patience_s, is_open = self._open_timeout_s, False
        deadline = time.monotonic() + patience_s
        while not stop.is_set():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise self._overdue(is_open=is_open)
            try:
                item = reader.items.get(timeout=min(remaining, LOOK_UP_S))
            except queue.Empty:
                continue
            if isinstance(item, _End):
                if item.error:
                    raise item.error
                if self.live and self._input.kind != "file":
                    raise SourceError(f"{redact(self._input.address)}: the stream ended", reason="eof")
                return
            if isinstance(item, Frame | Rejected):
                yield item
            if not (isinstance(item, Rejected) and item.reason == "corrupt"):
                is_open, patience_s = True, self._stall_timeout_s
                deadline = time.monotonic() + patience_s

    def _overdue(self, *, is_open: bool) -> SourceError:
        where = redact(self._input.address)
        if is_open:
            return SourceError(f"{where}: no good frame for {self._stall_timeout_s:g} s", reason="stalled")
        return SourceError(f"{where}: not open after {self._open_timeout_s:g} s", reason="open_timeout")


class _Opened:
    """The stream is open."""


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing follows."""

    error: Exception | None


class _Reader(Thread):
    """Reads one stream and hands on what it finds, a few items ahead at most."""

    def __init__(self, source: Input, limits: Limits, *, loop: bool, pace: bool) -> None:
        super().__init__(name="video-reader", daemon=True)
        self.items: queue.Queue[Frame | Rejected | _Opened | _End] = queue.Queue(maxsize=2)
        self._left = Event()
        self._input = source
        self._limits = limits
        self._loop = loop
        self._pace = pace
        self._presentation = Presentation(live=source.live and source.kind != "file")
        self._epoch = time.time_ns()
        self._sequence = self._rejected = 0
        self._began: float | None = None

    def leave(self) -> None:
        """End it: at once if it is at work, soon if FFmpeg waits for a silent peer."""
        self._left.set()
        self.join(LEAVE_S)

    def run(self) -> None:
        try:
            end = _End(self._read())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits for frames
            end = _End(error)
        self._hand_on(end)

    def _read(self) -> SourceError | None:
        """Read to the end; return what it broke of."""
        if self._input.kind == "rtsp":
            rtsp.ask(self._input.address, timeout_s=self._input.open_timeout_s)
        while not self._left.is_set():
            with closing(self._input.open()) as container:
                self._hand_on(_Opened())
                found = self._sequence
                failure: SourceError | None = None
                try:
                    for item in pictures(container, self._limits):
                        self._hand_on(self._numbered(item))
                        if self._left.is_set():
                            return None
                except FAILURES as error:
                    failure = self._input.failure(error)
                except SourceError as error:
                    failure = error
            if self._sequence == found:
                return failure or SourceError(f"{redact(self._input.address)} holds no frame", reason="format")
            if self._input.kind != "file":
                return failure
            if not self._loop:
                return None  # a film that is cut off ends where it is cut off
        return None

    def _numbered(self, item: Picture | Rejected) -> Frame | Rejected:
        """Return the item as a frame. A rejected one takes a number too."""
        self._sequence += 1
        if isinstance(item, Rejected):
            self._rejected += 1
            return item
        shown = self._presentation.place(item.time, arrived=item.received_at, duration=item.duration)
        captured_at, received_at = item.captured_at, item.received_at
        if self._pace:
            self._began = received_at if self._began is None else self._began
            self._left.wait(max(0.0, self._began + shown - time.monotonic()))
            captured_at, received_at = time.time(), time.monotonic()
        return Frame(
            image=item.image,
            sequence=self._sequence - 1,
            pts=shown,
            captured_at=captured_at,
            received_at=received_at,
            epoch=self._epoch,
            dropped=self._rejected,
        )

    def _hand_on(self, item: Frame | Rejected | _Opened | _End) -> None:
        while not self._left.is_set():
            try:
                self.items.put(item, timeout=LOOK_UP_S)
            except queue.Full:
                continue
            return
