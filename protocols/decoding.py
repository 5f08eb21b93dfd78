"""Pictures out of anything FFmpeg opens: cameras on the network and on this machine, films."""

import errno
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from protocols.errors import SourceError
from protocols.frame import Rejected
from protocols.redaction import redact
from protocols.wire import Limits

Kind = Literal["rtsp", "http", "camera", "file"]
FAILURES = (FFmpegError, OSError)
UNKNOWN = 2
"""What a frame says of its colors that says nothing (H.273)."""

# Without probing a live stream opens in a tenth of a second, and is one frame behind. No fflags=nobuffer: it throws the
# first key frame away.
_LIVE = {"fpsprobesize": "0", "probesize": "32", "analyzeduration": "0"}
_NOT_A_STREAM = {
    errno.ENOENT: "not_found",
    errno.ENODEV: "not_found",
    errno.ECONNREFUSED: "refused",
    errno.EACCES: "refused",
    errno.EBUSY: "refused",
}


@dataclass(frozen=True, slots=True, repr=False)
class Input:
    """What to open, and how. Holds passwords."""

    address: str
    kind: Kind
    live: bool
    transport: Literal["tcp", "udp"] = "tcp"
    size: tuple[int, int] | None = None
    fps: float | None = None
    open_timeout_s: float = 5.0
    read_timeout_s: float = 3.0

    def open(self) -> InputContainer:
        """Return the opened container, which has a picture.

        Raises:
            SourceError: it cannot be opened. The error holds no password and leads to none.
        """
        address = f"file:{self.address}" if self.kind == "file" else self.address
        # FFmpeg's own timeouts: they free a thread that nobody waits for any more.
        timeouts = (self.open_timeout_s, self.read_timeout_s)
        failure = SourceError(f"{redact(self.address)} has no picture", reason="format")
        try:
            container = av.open(
                address, format="v4l2" if self.kind == "camera" else None, options=self._options(), timeout=timeouts
            )
        except FAILURES as error:
            failure = self.failure(error)
        else:
            if container.streams.video:
                container.streams.video[0].thread_type = "SLICE" if self.live else "AUTO"
                return container
            container.close()
        raise failure

    def failure(self, error: Exception) -> SourceError:
        """Return what to say about an error of FFmpeg, whose own text would give passwords away."""
        text = getattr(error, "strerror", None) or type(error).__name__
        reason = _NOT_A_STREAM.get(getattr(error, "errno", None) or 0, "failed")
        if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
            reason = "auth"
        elif isinstance(error, av.error.HTTPNotFoundError):
            reason = "not_found"
        elif isinstance(error, av.error.InvalidDataError):
            reason = "format"
        return SourceError(redact(f"{self.address}: {text}"), reason=reason)

    def _options(self) -> dict[str, str]:
        options = dict(_LIVE) if self.kind in {"rtsp", "camera"} else {}
        if self.kind == "rtsp":
            options |= {"rtsp_transport": self.transport, "tls_verify": "1"}
            options |= {"timeout": str(int(self.read_timeout_s * 1_000_000))}
        if self.kind == "http":
            options |= {"tls_verify": "1"}
        if self.kind == "camera" and self.size:
            options["video_size"] = f"{self.size[0]}x{self.size[1]}"
        if self.kind == "camera" and self.fps:
            options["framerate"] = f"{self.fps:g}"
        return options


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture."""

    image: NDArray[np.uint8]
    time: float | None
    """What the stream says, in s."""
    duration: float
    """How long a picture of this stream usually lasts, in s."""
    captured_at: float
    received_at: float


def pictures(container: InputContainer, limits: Limits) -> Iterator[Picture | Rejected]:
    """Yield what the container's first video stream holds, until it ends.

    Raises:
        FFmpegError, OSError, SourceError: reading failed.
    """
    stream = container.streams.video[0]
    usual = 1 / float(stream.average_rate) if stream.average_rate else 0.04
    reformatter = VideoReformatter()
    for item in frames(container, limits):
        if isinstance(item, Rejected):
            yield item
            continue
        captured_at, received_at = time.time(), time.monotonic()
        written = None if item.pts is None else item.time
        yield Picture(upright_rgb(item, reformatter), written, usual, captured_at, received_at)


def frames(container: InputContainer, limits: Limits) -> Iterator[VideoFrame | Rejected]:
    """Yield the frames of the container's first video stream as they are coded, until it ends.

    After damage nothing is trusted before the next key frame, as everything else is built on what was damaged.

    Raises:
        FFmpegError, OSError, SourceError: reading failed.
    """
    context = container.streams.video[0].codec_context
    size = context.width, context.height
    # So that a decoder takes no memory for a picture that is too large.
    context.options = {"max_pixels": str(limits.max_pixels)}
    is_damaged = False
    for packet in _packets(container):
        try:
            decoded = packet.decode()
        except (av.error.InvalidDataError, av.error.ArgumentError) as error:
            size = (context.width, context.height) if context.width else size
            if size[0] * size[1] > limits.max_pixels:
                yield _too_large(*size, limits)
            elif packet.size:
                is_damaged = True
                yield Rejected("corrupt", error.strerror or "invalid data")
            continue
        for frame in decoded:
            is_damaged = frame.is_corrupt or (is_damaged and not frame.key_frame)
            if frame.width * frame.height > limits.max_pixels or min(frame.width, frame.height) < limits.min_side_px:
                yield _too_large(frame.width, frame.height, limits)
            elif is_damaged:
                yield Rejected("corrupt", "damaged, or built on damage")
            else:
                yield frame


def _packets(container: InputContainer) -> "Iterator[Packet[VideoStream]]":
    try:
        yield from container.demux(container.streams.video[0])
    except IndexError:  # PyAV does not expect that streams turn up late, as they seem to in a damaged MPEG-TS
        failure = SourceError("a stream turned up that was not announced", reason="protocol")
    else:
        return
    raise failure


def _too_large(width: int, height: int, limits: Limits) -> Rejected:
    allowed = f"sides from {limits.min_side_px} and at most {limits.max_pixels} pixels"
    return Rejected("pixels", f"{width} x {height}: only {allowed} are taken")


def upright_rgb(frame: VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """Return the picture upright, in full-range RGB, by what the frame itself says of its colors.

    The shape of its pixels is not heeded: a picture with long pixels stays as wide as it is coded.
    """
    rgb = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=usual_colorspace(frame.height) if frame.colorspace == UNKNOWN else None,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), frame.rotation // 90), dtype=np.uint8)


def usual_colorspace(height: int) -> Colorspace:
    """Return by which matrix the colors of a picture are most likely coded that does not say so."""
    return Colorspace.ITU709 if height > 576 else Colorspace.ITU601
