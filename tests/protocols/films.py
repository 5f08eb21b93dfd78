"""Small films for tests, written with PyAV and not with our own code."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def scenery(count: int, *, width: int = 160, height: int = 90) -> list[Image]:
    """Return smooth pictures, each different from all others."""
    y, x = np.mgrid[:height, :width]
    waves = [np.stack([x * 2 + 7 * i, y * 2 - 5 * i, x + y + 3 * i], axis=-1) / 40 for i in range(count)]
    return [(128 + 100 * np.sin(wave)).astype(np.uint8) for wave in waves]


def write_film(
    path: Path,
    images: Sequence[Image],
    *,
    fps: int = 25,
    full_range: bool = False,
    times: list[float] | None = None,
    gop: int = 10,
    form: str | None = None,
) -> None:
    """Write nearly lossless H.264 in BT.709."""
    with av.open(str(path), "w", format=form) as film:
        options = {"crf": "4", "preset": "ultrafast", "tune": "zerolatency"}
        stream = film.add_stream("libx264", rate=fps, options=options)
        context: Any = stream.codec_context
        context.gop_size, context.time_base = gop, Fraction(1, 90_000)
        color_range = ColorRange.JPEG if full_range else ColorRange.MPEG
        context.colorspace, context.color_range = 1, int(color_range)
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = images[0].shape[:2]
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                src_color_range=ColorRange.JPEG,
                dst_color_range=color_range,
            )
            frame.pts = round((times[index] if times else index / fps) * 90_000)
            frame.time_base = Fraction(1, 90_000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


def turned(path: Path, degrees: int) -> None:
    """Write into an .mp4 that it is to be shown turned clockwise."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 0x4000]
    words = b"".join((value * 0x10000).to_bytes(4, "big", signed=True) for value in matrix)
    data = path.read_bytes()
    header = data.index(b"tkhd") + 4
    begin = header + 40  # version 0: flags, times, track, duration, layer, group and volume come first
    path.write_bytes(data[:begin] + words + data[begin + 36 :])
