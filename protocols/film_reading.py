"""Reads films: whatever FFmpeg opens."""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from protocols.decoding import FAILURES, Input, frames, upright_rgb
from protocols.errors import SourceError
from protocols.film import Facts, Shot
from protocols.film_colors import Colors
from protocols.frame import Rejected
from protocols.wire import Limits

LIMITS = Limits(max_pixels=8192 * 4320)
"""Nobody sends us a film to render but its owner: only what is no film at all is refused."""
MOST_REORDERED = 16
"""Frames, in H.264 and in HEVC."""
_USUAL_RATE = Fraction(25)
_SQUARE = Fraction(1)


class FilmReel:
    """A film."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._input = Input(str(path), "file", live=False)

    def facts(self) -> Facts:
        """Return what holds for all pictures; see `Reel`."""
        with closing(self._input.open()) as container:
            stream = container.streams.video[0]
            frame = next((item for item in self._frames(container) if isinstance(item, VideoFrame)), None)
            if frame is None:
                raise SourceError(f"{self.path} holds no picture", reason="format")
            is_turned = frame.rotation % 180 != 0
            height, width = (frame.width, frame.height) if is_turned else (frame.height, frame.width)
            aspect = Fraction(stream.sample_aspect_ratio or _SQUARE)
            return Facts(
                time_base=Fraction(stream.time_base or 1 / _USUAL_RATE),
                rate=Fraction(stream.average_rate or stream.guessed_rate or _USUAL_RATE),
                height=height,
                width=width,
                colors=Colors.of(frame),
                pixel_aspect=1 / aspect if is_turned else aspect,
            )

    def shots(self, since: int | None = None) -> Iterator[Shot | None]:
        """Yield the pictures; see `Reel`."""
        with closing(self._input.open()) as container:
            if since is not None:
                self._seek(container, since)
            reformatter = VideoReformatter()
            for item in self._frames(container):
                if isinstance(item, Rejected):
                    yield None
                elif since is None or item.pts is None or item.pts >= since:
                    yield Shot(upright_rgb(item, reformatter), item.pts)

    def _seek(self, container: InputContainer, ticks: int) -> None:
        """Go to a key frame that is shown at this time or before, if the film can tell where one is.

        FFmpeg goes by when frames are decoded, and a frame may be decoded a few frames earlier than it is shown.
        """
        stream = container.streams.video[0]
        usual = 1 / (Fraction(stream.average_rate or _USUAL_RATE) * Fraction(stream.time_base or 1 / _USUAL_RATE))
        try:
            container.seek(ticks - round(MOST_REORDERED * usual), stream=stream)
        except FAILURES:
            container.seek(0)

    def _frames(self, container: InputContainer) -> Iterator[VideoFrame | Rejected]:
        """Yield the frames up to where the film ends or is cut off.

        Raises:
            SourceError: there is none, or the disk failed.
        """
        found, failure = 0, None
        try:
            for item in frames(container, LIMITS):
                found += isinstance(item, VideoFrame)
                yield item
        except FAILURES as error:
            failure = self._input.failure(error)
        if failure and (not found or failure.reason != "format"):
            raise failure
