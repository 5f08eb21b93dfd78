"""Reads pictures one after the other as a film, and writes them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from protocols.decoding import FAILURES, upright_rgb
from protocols.errors import SourceError
from protocols.film import PICTURE_SUFFIXES, Facts, Shot
from protocols.film_colors import Colors

_BT709 = Colors(primaries=1, transfer=1)
_JPEG_QUALITY = 95


class PicturesReel:
    """Pictures as a film.

    Args:
        path: what to call it in errors: the folder, or the only picture.
        files: the pictures in order.
        rate: pictures per second.
    """

    def __init__(self, path: Path, files: Sequence[Path], *, rate: Fraction) -> None:
        self.path = path
        self.files = tuple(files)
        self._rate = rate

    def facts(self) -> Facts:
        """Return what holds for all pictures; see `Reel`."""
        height, width = _read(self.files[0]).shape[:2]
        return Facts(1 / self._rate, self._rate, height, width, _BT709, pixel_aspect=Fraction(1))

    def shots(self, since: int | None = None) -> Iterator[Shot | None]:
        """Yield the pictures; see `Reel`.

        Raises:
            SourceError: one cannot be read; it is named.
        """
        for number, path in enumerate(self.files[since or 0 :], since or 0):
            yield Shot(_read(path), number)


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder by name; numbers in names count as numbers. Hidden files are none.

    Raises:
        SourceError: there are none.
    """
    try:
        files = [each for each in folder.iterdir() if each.suffix.lower() in PICTURE_SUFFIXES and each.is_file()]
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror}", reason="not_found") from None
    found = [each for each in files if not each.name.startswith(".")]
    if not found:
        raise SourceError(f"{folder} holds no picture ({', '.join(PICTURE_SUFFIXES)})", reason="format")
    return sorted(found, key=_counted)


def encode_picture(image: NDArray[np.uint8], suffix: str) -> bytes:
    """Return a picture, H x W x 3, RGB, as a file of the kind that ends so."""
    options = [] if suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, encoded = cv2.imencode(suffix.lower(), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return encoded.tobytes()


def _counted(path: Path) -> list[tuple[int, str]]:
    """Return a name so that 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _read(path: Path) -> NDArray[np.uint8]:
    """Return a picture, upright; a damaged one is none."""
    failure = SourceError(f"{path} holds no picture, or a damaged one", reason="format")
    try:
        with closing(av.open(f"file:{path}", options={"pattern_type": "none"})) as container:
            container.streams.video[0].codec_context.options = {"err_detect": "explode"}
            frame = next((each for each in container.decode(video=0) if isinstance(each, VideoFrame)), None)
            if frame is not None:
                return upright_rgb(frame, VideoReformatter())
    except (*FAILURES, IndexError) as error:
        failure = SourceError(f"{path}: {getattr(error, 'strerror', None) or 'no picture'}", reason="format")
    raise failure
