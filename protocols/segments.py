"""A recording without an end: one film after another, of which the oldest go."""

import time
from collections.abc import Callable
from pathlib import Path

from protocols.errors import SinkError
from protocols.frame import Frame
from protocols.recording import VideoSink
from protocols.retention import Keep, names, path_at, tidy

TIDY_EVERY_S = 60.0


class SegmentSink:
    """Writes films of a given length, each named after the time at which it begins.

    The length is that of the film, by the ``pts`` of its frames. A picture of another size begins a new film, too, as
    does a name that is taken: nothing is ever written over (see `VideoSink`).

    Args:
        template: a path whose name may hold ``%Y %m %d %H %M %S``. Its folder is made if only that is missing.
        segment_s: how long a film gets.
        keep: which films are kept; the others are deleted, now and once a minute.
        fps: frames per second to expect.
        crf: quality, from 0 (lossless) to 51 (worst).
        wall: seconds since 1970, for the names and for the age of files.
    """

    def __init__(
        self,
        template: str | Path,
        *,
        segment_s: float,
        fps: float,
        keep: Keep | None = None,
        crf: int = 20,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._template = Path(template)
        names(self._template)  # these two say what is wrong with it
        VideoSink(self._template, fps=fps, crf=crf)
        self._segment_s = segment_s
        self._keep = keep or Keep()
        self._fps = fps
        self._crf = crf
        self._wall = wall
        self._film: VideoSink | None = None
        self._began = 0.0
        self._tidy_at = 0.0

    def open(self) -> None:
        """Make the folder if it is missing; a film begins with the first frame.

        Raises:
            SinkError: it cannot be made.
        """
        self.close()
        folder = self._template.parent
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(f"{folder}: {error.strerror}", reason="disk") from error

    def write(self, frame: Frame) -> None:
        """Write one frame, into a new film if the last is long enough.

        Raises:
            SinkError: it is in no film; all before it can be played.
        """
        if time.monotonic() >= self._tidy_at:
            self._tidy()
        film = self._film
        if film is None or not 0 <= frame.pts - self._began < self._segment_s:
            film = self._begin(frame.pts)
        film.write(frame)

    def close(self) -> None:
        """Finish the film.

        Raises:
            SinkError: its last moments are lost.
        """
        film, self._film = self._film, None
        if film:
            film.close()

    def _begin(self, pts: float) -> VideoSink:
        self.close()
        film = VideoSink(path_at(self._template, self._wall()), fps=self._fps, crf=self._crf)
        film.open()
        self._film, self._began = film, pts
        return film

    def _tidy(self) -> None:
        self._tidy_at = time.monotonic() + TIDY_EVERY_S
        try:
            tidy(self._template, self._keep, now=self._wall())
        except OSError as error:
            raise SinkError(f"{self._template.parent}: {error.strerror}", reason="disk") from error
