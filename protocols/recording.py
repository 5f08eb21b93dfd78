"""A film on disk that can be played however its writing ended."""

import errno
import re
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError

from protocols.encoding import SOFTWARE, TICKS, Converter, add_stream
from protocols.errors import SinkError
from protocols.frame import Frame

# Half a second of film is written at a time, complete in itself: what a kill can take.
_OPTIONS = {
    ".mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"},
    ".mov": {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000"},
    ".mkv": {"cluster_time_limit": "500"},
}
_ON_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.ENOENT, errno.ENOTDIR}


class VideoSink:
    """Writes H.264 into an .mp4, .mov or .mkv file, frames as far apart as their ``pts``.

    Nothing is ever written over: if there is a film already, the next is ``name-2.mp4``, and so on. A frame of another
    size than the last begins a new file too. A side of odd length grows by a pixel, as H.264 wants it even.

    Args:
        path: where the film goes; its folder must exist.
        fps: frames per second to expect; only a hint, as frames keep their own times.
        crf: quality, from 0 (lossless) to 51 (worst).
    """

    def __init__(self, path: str | Path, *, fps: float, crf: int = 20) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() not in _OPTIONS:
            raise ValueError(f"a film's name ends in {', '.join(_OPTIONS)}, got {self._path.name!r}")
        if not 0 < fps <= 1000 or not 0 <= crf <= 51:
            raise ValueError(f"fps must be up to 1000 and crf 0 to 51, got {fps!r} and {crf!r}")
        self._fps = Fraction(fps).limit_denominator(1001)
        self._crf = crf
        self._film: _Film | None = None

    def open(self) -> None:
        """See whether a film could be written here; the file itself begins with the first frame.

        Raises:
            SinkError: there is no such folder.
        """
        if not self._path.parent.is_dir():
            raise SinkError(f"no folder {self._path.parent}", reason="disk")

    def write(self, frame: Frame) -> None:
        """Write one frame.

        Raises:
            SinkError: it is not in the film; the film up to it can be played.
        """
        shape = frame.image.shape
        if self._film and self._film.shape != shape:
            self.close()
        failure = None
        try:
            self._film = self._film or _Film(free_path(self._path), shape, self._fps, self._crf)
            self._film.write(frame)
        except (FFmpegError, OSError) as error:
            failure = self._failure(error)
        if failure:
            self._abandon()
            raise failure

    def close(self) -> None:
        """Finish the film.

        Raises:
            SinkError: its last moments are lost.
        """
        film, self._film = self._film, None
        try:
            if film:
                film.close()
        except (FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _abandon(self) -> None:
        """Leave a film that cannot be written on, and no empty file."""
        film, self._film = self._film, None
        if film is None:
            return
        try:
            film.close()
        except (FFmpegError, OSError):
            return  # what made us leave it
        finally:
            film.remove_if_empty()

    def _failure(self, error: Exception) -> SinkError:
        number = getattr(error, "errno", None)
        text = getattr(error, "strerror", None) or type(error).__name__
        return SinkError(f"{self._path}: {text}", reason="disk" if number in _ON_DISK else "failed")


def free_path(path: Path) -> Path:
    """Return the path, or with the next number before its ending if there is a file already (an empty one is none)."""
    pattern = re.compile(re.escape(path.stem) + r"-(\d{1,9})" + re.escape(path.suffix))
    numbered = (pattern.fullmatch(other.name) for other in path.parent.iterdir())
    is_taken = path.exists() and path.stat().st_size > 0
    last = max([int(is_taken), *(int(found[1]) for found in numbered if found)])
    return path.with_stem(f"{path.stem}-{last + 1}") if last else path


class _Film:
    """One file, open for writing."""

    def __init__(self, path: Path, shape: tuple[int, ...], fps: Fraction, crf: int) -> None:
        self.path = path
        self.shape = shape
        options = _OPTIONS[path.suffix.lower()] | {"flush_packets": "1"}
        self._container: OutputContainer = av.open(f"file:{path}", "w", options=options)
        encoding = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency"}
        self._stream = add_stream(self._container, SOFTWARE, shape, fps, encoding)
        self._convert = Converter()
        self._began: float | None = None
        self._last = -1
        self._usual = round(TICKS / fps)
        self._frames = 0

    def write(self, frame: Frame) -> None:
        """Encode one frame and hand on what the encoder gives for it, which is all of it."""
        self._began = frame.pts if self._began is None else self._began
        picture = self._convert(frame.image)
        # A clock that stands or goes back, as when a picture is repeated, still takes a frame forward.
        self._last = max(self._last + TICKS // 1000, round((frame.pts - self._began) * TICKS)) if self._frames else 0
        picture.pts, picture.time_base, picture.duration = self._last, Fraction(1, TICKS), self._usual
        self._container.mux(self._stream.encode(picture))
        self._frames += 1

    def close(self) -> None:
        """Write the end."""
        try:
            if self._frames:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def remove_if_empty(self) -> None:
        """Remove a file that holds no frame."""
        if not self._frames:
            self.path.unlink(missing_ok=True)
