"""Reads the picture file of a painting."""

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from protocols.errors import WireError
from protocols.jpeg import decode_jpeg, jpeg_size

MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
MIN_SIDE_PX = 64

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"


class PictureError(ValueError):
    """The file is not a picture that can be used; the message says why."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return the PNG or JPEG file as H x W x 3, RGB. Its size is judged before it is decoded.

    Raises:
        PictureError: it cannot be read, is no such picture, is damaged, too large or too small.
    """
    return decode_picture(_read(path), name=str(path))


def decode_picture(content: bytes, *, name: str) -> NDArray[np.uint8]:
    """Return the PNG or JPEG in ``content`` as H x W x 3, RGB. Its size is judged before it is decoded.

    Args:
        content: a whole file.
        name: what to call it in an error.

    Raises:
        PictureError: it is no such picture, is damaged, too large or too small.
    """
    try:
        if content.startswith(_JPEG):
            _check_size(name, *jpeg_size(content))
            return decode_jpeg(content, max_pixels=MAX_PIXELS)
        if content.startswith(_PNG) and len(content) > 33:
            width, height = struct.unpack(">II", content[16:24])
            _check_size(name, height, width)
            return _decode_png(name, content)
    except WireError as error:
        raise PictureError(f"{name}: {error}") from None
    raise PictureError(f"{name} must be a PNG or JPEG file")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PictureError(f"no picture at {path.absolute()}: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise PictureError(f"{path} must have at most {MAX_FILE_BYTES >> 20} MiB")
    return content


def _check_size(name: str, height: int, width: int) -> None:
    if min(height, width) < MIN_SIDE_PX or height * width > MAX_PIXELS:
        raise PictureError(
            f"{name} must have sides of at least {MIN_SIDE_PX} and at most {MAX_PIXELS} pixels, got {width} x {height}"
        )


def _decode_png(name: str, content: bytes) -> NDArray[np.uint8]:
    # A torn file is not shown to libpng, which would write its complaint to stderr, into the log.
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB) if _PNG_END in content else None
    if picture is None:
        raise PictureError(f"{name} is damaged")
    return np.asarray(picture, dtype=np.uint8)
