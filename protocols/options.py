"""What may follow ``#`` in a URL: per scheme and direction, each option with the reader of its value."""

import re
from collections.abc import Callable
from pathlib import Path

from protocols.retention import Keep

Reader = Callable[[str], object]
"""Returns the value that a text means; raises ValueError saying what was expected."""

_SPAN = r"([1-9][0-9]{0,5})([smhd])"
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "MB": 1e6, "GB": 1e9, "TB": 1e12}


def one_of(*words: str) -> Reader:
    """Return a reader of one of the words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return read


def whole(low: int, high: int) -> Reader:
    """Return a reader of an integer within bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"an integer from {low} to {high}")
        return int(text)

    return read


def number(low: float, high: float) -> Reader:
    """Return a reader of a decimal number within bounds."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(text)

    return read


def seconds(text: str) -> float:
    """Return 5.0 for ``5s`` or ``5``, 0.5 for ``500ms``."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s|)", text)
    value = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0
    if not 0.1 <= value <= 3600:
        raise ValueError("a time from 100ms to 3600s")
    return value


def span(text: str) -> float:
    """Return 600.0 for ``10m``; ``s``, ``m``, ``h`` and ``d`` are known."""
    found = re.fullmatch(_SPAN, text)
    if not found:
        raise ValueError("a time such as 90s, 10m, 1h or 7d")
    return float(found[1]) * _UNITS[found[2]]


def keep(text: str) -> Keep:
    """Return what to keep for ``7d``, ``20GB`` or both, ``7d,20GB``."""
    limits: dict[str, float] = {}
    parts = text.split(",")
    for part in parts:
        if found := re.fullmatch(r"([1-9][0-9]{0,5})(MB|GB|TB)", part):
            limits["size_bytes"] = float(found[1]) * _UNITS[found[2]]
        elif re.fullmatch(_SPAN, part):
            limits["age_s"] = span(part)
    if len(limits) != len(parts):
        raise ValueError("a time such as 7d, a size such as 20GB, or both: 7d,20GB")
    return Keep(**limits)


def size(text: str) -> tuple[int, int]:
    """Return (640, 480) for ``640x480``."""
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(16 <= side <= 16384 for side in sides):
        raise ValueError("a size such as 640x480 with sides from 16 to 16384")
    return sides


def yes_or_no(text: str) -> bool:
    """Return whether it says ``yes``."""
    if text not in {"yes", "no"}:
        raise ValueError("yes or no")
    return text == "yes"


def word(text: str) -> str:
    """Return the text if it can name a stream."""
    if not 1 <= len(text) <= 30 or not text.isprintable():
        raise ValueError("1 to 30 letters")
    return text


def path(text: str) -> Path:
    """Return the path of a file."""
    if not text or not text.isprintable():
        raise ValueError("the path of a file")
    return Path(text)


_FPS = number(0.01, 1000)
_CRF = whole(0, 51)
_PUSH: dict[str, Reader] = {"crf": _CRF, "bitrate": whole(50, 200_000), "timeout": seconds}

_CURVE: dict[str, Reader] = {"peer": path, "curve": one_of("no")}
_PICTURES: dict[str, Reader] = {
    "format": one_of("raw", "jpeg", "netgear", "netgear-jpeg"),
    "quality": whole(1, 100),
    "name": word,
    **_CURVE,
}

SOURCE_OPTIONS: dict[str, dict[str, Reader]] = {
    "rtsp": {"transport": one_of("tcp", "udp"), "timeout": seconds},
    "rtsps": {"timeout": seconds},
    "http": {"timeout": seconds},
    "https": {"timeout": seconds},
    "camera": {"size": size, "fps": _FPS, "timeout": seconds},
    "file": {"loop": yes_or_no, "pace": yes_or_no},
    "test": {"size": size, "fps": _FPS, "frames": whole(1, 10**9 - 1), "live": yes_or_no},
    "tcp": {"topic": word, "timeout": seconds, **_CURVE},
    "ipc": {"topic": word, "timeout": seconds, **_CURVE},
}
"""The schemes that frames come from. ``timeout`` is how long to wait for the peer before trying anew."""

SINK_OPTIONS: dict[str, dict[str, Reader]] = {
    "tcp": _PICTURES,
    "ipc": _PICTURES,
    "file": {"crf": _CRF, "segment": span, "keep": keep},
    "rtsp": _PUSH,
    "rtsps": _PUSH,
    "rtmp": _PUSH,
    "camera": {},
    "null": {},
}
"""The schemes that frames go to. ``bitrate`` is in kbit/s; ``segment`` and ``keep`` make recordings without an end."""
