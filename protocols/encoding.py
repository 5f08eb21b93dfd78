"""H.264, one picture at a time: which encoder works here, and how pictures go into it."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.codec import CodecContext
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

TICKS = 90_000
"""Of the clock of all we write, in a second."""
SOFTWARE, HARDWARE = "libx264", "h264_nvenc"

_PIXELS = "yuv420p"
_TRIED_FRAMES = 2


def working_encoder(shape: tuple[int, ...], fps: Fraction, options: Mapping[str, Mapping[str, str]]) -> str:
    """Return the first encoder of ``options`` that really encodes pictures of this shape here.

    FFmpeg lists an encoder for every card there is, whether or not one is in the machine, and a card refuses pictures
    that are too small for it. The last encoder is not tried.
    """
    *tried, last = options
    for name in tried:
        context = cast("VideoCodecContext", CodecContext.create(name, "w"))
        context.options = dict(options[name])
        set_up(context, shape, fps)
        convert = Converter()
        try:
            for number in range(_TRIED_FRAMES):
                picture = convert(np.zeros(shape, np.uint8))
                picture.pts, picture.time_base = number * TICKS // 25, Fraction(1, TICKS)
                context.encode(picture)
        except (FFmpegError, OSError):
            continue  # it does not work here; the next may
        return name
    return last


def add_stream(
    container: OutputContainer, encoder: str, shape: tuple[int, ...], fps: Fraction, options: Mapping[str, str]
) -> VideoStream:
    """Return a new stream of a container, for pictures of this shape; nothing is written yet."""
    stream = cast("VideoStream", container.add_stream(encoder, rate=fps, options=dict(options)))
    set_up(stream.codec_context, shape, fps)
    return stream


def set_up(context: VideoCodecContext, shape: tuple[int, ...], fps: Fraction) -> None:
    """Say what will come: BT.709, a key frame every two seconds, no frame that waits for a later one."""
    context.height, context.width = (side + side % 2 for side in shape[:2])
    context.pix_fmt = _PIXELS
    context.framerate = fps
    context.time_base = Fraction(1, TICKS)
    context.gop_size = max(1, round(2 * fps))
    context.max_b_frames = 0
    unknown_to_stubs: Any = context
    unknown_to_stubs.colorspace = unknown_to_stubs.color_primaries = unknown_to_stubs.color_trc = 1  # BT.709
    context.color_range = int(ColorRange.MPEG)


class Converter:
    """Makes of RGB pictures what an encoder set up here takes. A side of odd length grows by a pixel."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, image: NDArray[np.uint8]) -> VideoFrame:
        """Return an H x W x 3 picture as a frame without a time."""
        height, width = image.shape[:2]
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return self._reformatter.reformat(
            av.VideoFrame.from_ndarray(even, format="rgb24"),
            format=_PIXELS,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
