"""JPEG pictures from strangers: their size is known and judged before a decoder sees a byte."""

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from protocols.errors import WireError

MAX_SCANS = 32
"""A progressive picture has about ten. Each costs a pass over all pixels, so many of them make a bomb."""
MAX_SEGMENTS = 1000
"""Before the frame header; there are some ten, and one for each 64 KiB of a color profile."""

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAME_HEADERS = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive: what cameras and libraries write
# Lossless, differential and arithmetic ones:
_OTHER_FRAME_HEADERS = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))


def encode_jpeg(image: NDArray[np.uint8], *, quality: int) -> bytes:
    """Return the picture as a baseline JPEG.

    Args:
        image: H x W x 3, RGB.
        quality: 1 (smallest) to 100 (best).
    """
    encoded, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise ValueError(f"a picture of shape {image.shape} does not fit into a JPEG")
    return data.tobytes()


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Return (height, width) as the file header states them; nothing is decoded.

    Raises:
        WireError: not a JPEG of 8 bits with one or three components.
    """
    if data[:2] != bytes((0xFF, _SOI)):
        raise _undecodable(f"a JPEG begins with ff d8, got {data[:2].hex(' ') or 'nothing'}")
    at = 2
    for _ in range(MAX_SEGMENTS):
        if at + 4 > len(data):
            raise _undecodable("the JPEG ends before its frame header")
        if data[at] != 0xFF:
            raise _undecodable(f"expected a marker at byte {at}, got {data[at]:02x}")
        marker = data[at + 1]
        if marker == 0xFF:  # a filler
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAME_HEADERS:
            return _read_frame_header(data[at + 4 : at + 10])
        elif marker in (_SOS, _EOI, *_OTHER_FRAME_HEADERS):
            raise _undecodable(f"expected a baseline or progressive frame header, got marker ff {marker:02x}")
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise _undecodable(f"no frame header within {MAX_SEGMENTS} segments")


def decode_jpeg(data: bytes, *, max_pixels: int) -> NDArray[np.uint8]:
    """Return the picture as H x W x 3 RGB. An EXIF orientation is ignored.

    FFmpeg's decoder is used because it can be told to refuse damage and too many pixels, and does not write to stderr;
    OpenCV's fills what is missing with gray.

    Raises:
        WireError: truncated or damaged.
    """
    if data.count(bytes((0xFF, _SOS))) > MAX_SCANS:
        raise _undecodable(f"a JPEG may have up to {MAX_SCANS} scans")
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode", "max_pixels": str(max_pixels)}
    try:
        pictures = decoder.decode(av.Packet(data))
        if len(pictures) != 1:
            raise _undecodable(f"expected one picture, got {len(pictures)}")
        return _rgb(pictures[0])
    except FFmpegError as error:
        raise _undecodable(f"damaged JPEG: {error.strerror}") from error


def _rgb(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the pixels. OpenCV's conversion is faster than swscale's precise one, and closer to libjpeg's."""
    if not picture.format.name.startswith(("yuvj", "gray")):  # a JPEG may hold RGB, too
        return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    size = (picture.width, picture.height)
    planes = [
        np.frombuffer(memoryview(p), np.uint8).reshape(p.height, p.line_size)[:, : p.width] for p in picture.planes
    ]
    luma, *chroma = planes
    if not chroma:
        return np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB), np.uint8)
    blue, red = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in chroma)
    return np.asarray(cv2.cvtColor(cv2.merge([luma, red, blue]), cv2.COLOR_YCrCb2RGB), np.uint8)


def _read_frame_header(header: bytes) -> tuple[int, int]:
    if len(header) < 6:
        raise _undecodable("the JPEG ends within its frame header")
    precision, components = header[0], header[5]
    if precision != 8 or components not in (1, 3):
        raise _undecodable(f"expected 8 bits and 1 or 3 components, got {precision} bits and {components} components")
    return int.from_bytes(header[1:3], "big"), int.from_bytes(header[3:5], "big")


def _undecodable(message: str) -> WireError:
    return WireError(message, reason="decode")
