"""Encodes a piece of a film by itself, so that pieces can be joined without encoding again."""

import io
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from protocols.encoding import SOFTWARE
from protocols.film import Facts
from protocols.film_colors import PIXELS, Coder

_OPTIONS = {"preset": "medium"}
_NO_KEY_FRAME_NEEDED = 10_000


class Piece:
    """A few neighboring pictures as H.264 in a film of their own, kept in memory.

    It begins with a key frame, no picture in it waits for a later one, and one thread encodes it: so the bytes depend
    on nothing but the pictures, and all pieces of a film have the same header.

    Args:
        facts: of the film; pictures are as large as the first one given.
        crf: quality, from 0 (lossless) to 51 (worst).
    """

    def __init__(self, facts: Facts, *, crf: int) -> None:
        self._facts = facts
        self._crf = crf
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="mp4")
        self._stream: VideoStream | None = None
        self._code = Coder(facts.colors)

    def add(self, image: NDArray[np.uint8], ticks: int) -> None:
        """Encode one picture.

        Args:
            image: H x W x 3, RGB.
            ticks: since the piece began.
        """
        stream = self._stream = self._stream or self._begin(image.shape)
        frame = self._code(image)
        frame.pts, frame.time_base = ticks, self._facts.time_base
        self._container.mux(stream.encode(frame))

    def finish(self) -> bytes:
        """Return the film."""
        if self._stream:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()

    def _begin(self, shape: tuple[int, ...]) -> VideoStream:
        options = {**_OPTIONS, "crf": str(self._crf)}
        stream = cast("VideoStream", self._container.add_stream(SOFTWARE, rate=self._facts.rate, options=options))
        context = stream.codec_context
        context.height, context.width = (side + side % 2 for side in shape[:2])
        context.pix_fmt = PIXELS
        context.time_base = stream.time_base = self._facts.time_base
        context.gop_size = _NO_KEY_FRAME_NEEDED
        context.max_b_frames = 0
        context.thread_count = 1
        context.sample_aspect_ratio = Fraction(self._facts.pixel_aspect).limit_denominator(255)
        self._facts.colors.say(context)
        return stream
