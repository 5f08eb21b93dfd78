"""The header that VidGear's NetGear puts before a picture: written, and understood.

    {"terminate_flag": false, "compression": false, "message": null, "pattern": "0", "dtype": "uint8",
     "shape": [144, 256, 3]}                                                    raw bytes in OpenCV's order, BGR
    {..., "compression": {"dct": true, "ups": false, "colorspace": "BGR"}, "dtype": "", "shape": ""}      a JPEG

A sender that ends says ``{"terminate_flag": true}``, alone. ``message`` may hold what its user likes; we write there
what our own headers say. NetGear gives no numbers to its frames.
"""

import json
from typing import Any

from protocols.errors import WireError
from protocols.header import read_header, refuse, short, write_header

PATTERNS = {"pair": "0", "req": "1", "rep": "1", "pub": "2", "sub": "2", "push": "2", "pull": "2"}
"""What NetGear calls our sockets; it knows no push and pull, and does not look."""

_COMPRESSION = {"dct": True, "ups": False, "colorspace": "BGR"}


def is_netgear(header: dict[str, Any]) -> bool:
    """Return whether NetGear wrote a header."""
    return "terminate_flag" in header and "msg" not in header


def is_goodbye(part: bytes | memoryview) -> bool:
    """Return whether the only part of a message says that a NetGear sender ends."""
    try:
        return read_header(part).get("terminate_flag") is True
    except WireError:
        return False


def write_netgear(header: dict[str, Any], *, pattern: str) -> bytes:
    """Return NetGear's header for a frame.

    Args:
        header: our own, which becomes the ``message``.
        pattern: of our socket.

    Raises:
        ValueError: no header can carry it.
    """
    message = json.loads(write_header(header))
    is_jpeg = message.pop("format", None) == "jpeg"
    dtype, shape = message.pop("dtype", ""), message.pop("shape", "")
    compression = _COMPRESSION if is_jpeg else False
    facts = {"terminate_flag": False, "compression": compression, "message": message, "pattern": PATTERNS[pattern]}
    return json.dumps(facts | {"dtype": dtype, "shape": shape}).encode()


def netgear_layout(header: dict[str, Any]) -> dict[str, Any]:
    """Return where the picture is, in the words of our own header.

    Raises:
        WireError: NetGear writes no such header before a picture.
    """
    if header["terminate_flag"] is not False:
        refuse(f'"terminate_flag" must be false before a picture, got {short(header["terminate_flag"])}')
    compression = header.get("compression")
    if isinstance(compression, dict):
        return {"format": "jpeg"}
    if compression is not False:
        refuse(f'"compression" must be an object or false, got {short(compression)}')
    return {"format": "raw", "dtype": header.get("dtype"), "shape": header.get("shape")}
