"""How a film codes its colors, and pictures coded the same way."""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from protocols.decoding import UNKNOWN, usual_colorspace

PIXELS = "yuv420p"
_BT709 = 1
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
"""Those of H.273 that are written; a film in another one (RGB, say) is written in BT.709."""


@dataclass(frozen=True, slots=True)
class Colors:
    """The numbers by which H.273 names them."""

    matrix: int = _BT709
    full_range: bool = False
    primaries: int = UNKNOWN
    transfer: int = UNKNOWN

    @classmethod
    def of(cls, frame: VideoFrame) -> "Colors":
        """Return how a frame is coded; of one that does not say, how it is read here."""
        matrix = int(frame.colorspace)
        if matrix == UNKNOWN:
            matrix = int(usual_colorspace(frame.height))
        is_known = matrix in _MATRICES
        return cls(
            matrix=matrix if is_known else _BT709,
            full_range=is_known and (frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")),
            primaries=int(frame.color_primaries),
            transfer=int(frame.color_trc),
        )

    def say(self, context: VideoCodecContext) -> None:
        """Let an encoder write them into the film."""
        unknown_to_stubs: Any = context
        unknown_to_stubs.colorspace = self.matrix
        unknown_to_stubs.color_primaries = self.primaries
        unknown_to_stubs.color_trc = self.transfer
        context.color_range = int(ColorRange.JPEG if self.full_range else ColorRange.MPEG)


class Coder:
    """Codes RGB pictures, H x W x 3, as YUV 4:2:0. A side of odd length grows by a pixel."""

    def __init__(self, colors: Colors) -> None:
        self._colors = colors
        self._reformatter = VideoReformatter()

    def __call__(self, image: NDArray[np.uint8]) -> VideoFrame:
        """Return a picture as a frame without a time."""
        height, width = image.shape[:2]
        even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return self._reformatter.reformat(
            av.VideoFrame.from_ndarray(even, format="rgb24"),
            format=PIXELS,
            dst_colorspace=_MATRICES[self._colors.matrix],
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG if self._colors.full_range else ColorRange.MPEG,
            threads=1,
        )
