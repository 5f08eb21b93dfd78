"""Frames as ZeroMQ message parts, and back. No socket here.

A message is two parts, a superset of imageZMQ's: a JSON header of at most 1 KiB and the picture.

    {"msg": "cam1", "dtype": "uint8", "shape": [144, 256, 3], ...}    H x W x 3 raw bytes in OpenCV's order, BGR
    {"msg": "cam1", "format": "jpeg", ...}                            a JPEG (stock imageZMQ leaves "format" out)

``msg`` names the stream and is the first key, so that a SUB socket can subscribe to ``{"msg": "cam1"``. A header with
``"v": 1`` goes on with ``seq``, ``epoch``, ``pts``, ``captured_at``, ``published_at``, ``age_ms``, ``dropped`` and
``stale``; a painted frame adds ``iterations``, ``cut`` and ``temporal_error``. Other keys are ignored.

VidGear's NetGear puts another header before the same pictures; see ``protocols.netgear``.

``dropped`` counts within the epoch: where ``seq`` has a gap wider than the growth of ``dropped``, frames were lost
between the sender and the reader.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from protocols.errors import WireError
from protocols.frame import Frame, Painting
from protocols.header import VERSION, read_facts, read_header, read_name, refuse, short, write_header
from protocols.jpeg import decode_jpeg, encode_jpeg, jpeg_size
from protocols.netgear import is_goodbye, is_netgear, netgear_layout, write_netgear

Part = bytes | memoryview
Format = Literal["raw", "jpeg", "netgear", "netgear-jpeg"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may cost us."""

    max_pixels: int = 4096 * 2304
    min_side_px: int = 16
    max_message_bytes: int = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message."""

    frame: Frame
    """From a stock imageZMQ sender (not ``had_sequence``) its sequence, epoch, pts and captured_at are 0."""
    name: str
    had_sequence: bool
    published_at: float | None = None
    """Wall clock of the sender, seconds since 1970."""
    age_ms: float | None = None
    """How long the picture had been with the sender when it was sent."""


def topics(name: str) -> tuple[bytes, bytes]:
    """Return the beginnings of the headers of a stream: with JSON's usual space, and without (old pyzmq)."""
    quoted = json.dumps(name)
    return f'{{"msg": {quoted}'.encode(), f'{{"msg":{quoted}'.encode()


def encode(
    frame: Frame,
    *,
    name: str,
    format: Format = "raw",  # noqa: A002 - the word of the URL option and of the header
    quality: int = 90,
    pattern: str = "pub",
    published_at: float | None = None,
    age_ms: float | None = None,
) -> list[Part]:
    """Return the two parts of a message.

    Args:
        frame: the picture and its facts.
        name: of the stream.
        format: raw BGR or JPEG, with our header or with NetGear's.
        quality: of the JPEG, 1 to 100.
        pattern: of the socket, which NetGear's header names.
        published_at: wall clock, seconds; now unless given.
        age_ms: milliseconds since the frame was received; measured unless given.

    Raises:
        ValueError: a fact that no header can carry, such as NaN.
    """
    payload: Part
    is_jpeg = format in ("jpeg", "netgear-jpeg")
    if is_jpeg:
        layout: dict[str, Any] = {"format": "jpeg"}
        payload = encode_jpeg(frame.image, quality=quality)
    else:
        layout = {"dtype": "uint8", "shape": list(frame.image.shape)}
        payload = _swap_channels(frame.image).data.cast("B")
    header = {"msg": name, **layout, "v": VERSION, "seq": frame.sequence, "epoch": frame.epoch, "pts": frame.pts}
    header["captured_at"] = frame.captured_at
    header["published_at"] = time.time() if published_at is None else published_at
    header["age_ms"] = round((time.monotonic() - frame.received_at) * 1000, 3) if age_ms is None else age_ms
    header |= {"dropped": frame.dropped, "stale": frame.stale}
    if frame.painting is not None:
        header["iterations"] = frame.painting.iterations
        header["cut"] = frame.painting.cut
        header["temporal_error"] = frame.painting.temporal_error
    if format in ("netgear", "netgear-jpeg"):
        return [write_netgear(header, pattern=pattern), payload]
    return [write_header(header), payload]


def decode(parts: Sequence[Part], *, limits: Limits, received_at: float) -> Message:
    """Return the frame in a message; nothing about the parts is believed.

    Args:
        parts: bytes or buffers of bytes.
        limits: what a message may cost.
        received_at: ``time.monotonic()``, seconds.

    Raises:
        WireError: it holds no frame; whatever the bytes are, nothing else is raised.
    """
    if len(parts) == 1 and is_goodbye(parts[0]):
        raise WireError("the NetGear sender says that it ends", reason="goodbye")
    if len(parts) != 2:
        raise WireError(f"a message has two parts, got {len(parts)}", reason="parts")
    header = read_header(parts[0])
    if is_netgear(header):
        name, layout, facts = "", netgear_layout(header), dict[str, Any]()
    else:
        name, layout, facts = read_name(header), header, read_facts(header)
    image = _read_picture(layout, memoryview(parts[1]), limits)
    frame = Frame(
        image=image,
        sequence=facts.get("seq", 0),
        pts=facts.get("pts", 0.0),
        captured_at=facts.get("captured_at", 0.0),
        received_at=received_at,
        epoch=facts.get("epoch", 0),
        dropped=facts.get("dropped", 0),
        stale=facts.get("stale", False),
        painting=_read_painting(facts),
    )
    return Message(frame, name, "seq" in facts, facts.get("published_at"), facts.get("age_ms"))


def _read_painting(facts: dict[str, Any]) -> Painting | None:
    if "iterations" not in facts:
        return None
    error = facts.get("temporal_error")
    return Painting(facts["iterations"], cut=facts.get("cut", False), temporal_error=error)


def _read_picture(header: dict[str, Any], payload: memoryview, limits: Limits) -> NDArray[np.uint8]:
    if payload.nbytes > limits.max_message_bytes:
        raise WireError(f"a part may have {limits.max_message_bytes} bytes, got {payload.nbytes}", reason="length")
    layout = header.get("format", "raw" if "shape" in header or "dtype" in header else "jpeg")
    if layout == "jpeg":
        data = bytes(payload)
        _check_size(*jpeg_size(data), limits)
        return decode_jpeg(data, max_pixels=limits.max_pixels)
    if layout != "raw":
        refuse(f'"format" must be "raw" or "jpeg", got {short(layout)}')
    height, width = _read_layout(header)
    _check_size(height, width, limits)
    if payload.nbytes != height * width * 3:
        raise WireError(f"{height} x {width} x 3 bytes were announced, got {payload.nbytes}", reason="length")
    pixels = np.frombuffer(payload, np.uint8).reshape(height, width, 3)
    return _swap_channels(pixels)


def _swap_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy with RGB for BGR, or the other way round."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)


def _read_layout(header: dict[str, Any]) -> tuple[int, int]:
    if header.get("dtype") != "uint8":
        raise WireError(f'"dtype" must be "uint8", got {short(header.get("dtype"))}', reason="dtype")
    shape = header.get("shape")
    if not isinstance(shape, list) or [type(side) for side in shape] != [int, int, int] or shape[2] != 3:
        raise WireError(f'"shape" must be [height, width, 3], got {short(shape)}', reason="shape")
    return shape[0], shape[1]


def _check_size(height: int, width: int, limits: Limits) -> None:
    size = short((height, width))
    if min(height, width) < limits.min_side_px:
        raise WireError(f"sides must have {limits.min_side_px} px or more, got {size}", reason="shape")
    if height * width > limits.max_pixels:
        raise WireError(f"a picture may have {limits.max_pixels} pixels, got {size}", reason="pixels")
