"""The JSON header of a message: which keys it may hold, of which type and in which range."""

import json
from typing import Any, NoReturn

from protocols.errors import WireError

VERSION = 1
MAX_BYTES = 1024
COUNT_MAX = 2**63 - 1
"""Fits a signed 64-bit integer: epochs are often nanoseconds since 1970."""

_SECONDS_MAX = 1e11
_REQUIRED = ("seq", "epoch", "pts", "captured_at")
_NULLABLE = ("temporal_error",)
_FLAGS = ("stale", "cut")
_INTEGERS = {"seq": COUNT_MAX, "epoch": COUNT_MAX, "dropped": COUNT_MAX, "iterations": 10**6}
_NUMBERS = {
    "pts": (-_SECONDS_MAX, _SECONDS_MAX),
    "captured_at": (0.0, _SECONDS_MAX),
    "published_at": (0.0, _SECONDS_MAX),
    "age_ms": (0.0, _SECONDS_MAX),
    "temporal_error": (0.0, 1.0),
}


def write_header(header: dict[str, Any]) -> bytes:
    """Return the header as JSON.

    Raises:
        ValueError: it holds what ``read_header`` or ``read_facts`` would refuse.
    """
    try:
        read_facts(header)
        encoded = json.dumps(header, allow_nan=False).encode()
        read_name(read_header(encoded))
    except WireError as error:
        raise ValueError(f"a frame that cannot be sent: {error}") from error
    return encoded


def read_header(part: bytes | memoryview) -> dict[str, Any]:
    """Return the header; nothing in it is checked.

    Raises:
        WireError: not a short JSON object.
    """
    size_bytes = memoryview(part).nbytes
    if size_bytes > MAX_BYTES:
        refuse(f"the header may have {MAX_BYTES} bytes, got {size_bytes}")
    try:
        header = json.loads(bytes(part).decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"the header is not JSON: {short(str(error))}", reason="header") from error
    if not isinstance(header, dict):
        refuse(f"the header must be a JSON object, got {short(header)}")
    return header


def read_name(header: dict[str, Any]) -> str:
    """Return the stream's name.

    Raises:
        WireError: there is none.
    """
    name = header.get("msg")
    if not isinstance(name, str) or not name.isprintable():
        refuse(f'"msg" must be printable text, got {short(name)}')
    return name


def read_facts(header: dict[str, Any]) -> dict[str, Any]:
    """Return our own keys, each of the right type and in its range; none if a stock imageZMQ sender wrote the header.

    Raises:
        WireError: another version, a key is missing or holds what it must not.
    """
    if "v" not in header:
        return {}
    if type(header["v"]) is not int or header["v"] != VERSION:
        raise WireError(f'"v" must be {VERSION}, got {short(header["v"])}', reason="version")
    if missing := [key for key in _REQUIRED if key not in header]:
        refuse(f"the header lacks {', '.join(missing)}")
    facts = {key: header[key] for key in (*_INTEGERS, *_NUMBERS, *_FLAGS) if key in header}
    for key, value in facts.items():
        if not (_fits(key, value) or (value is None and key in _NULLABLE)):
            refuse(f'"{key}" must be {_expected(key)}, got {short(value)}')
    return facts


def refuse(message: str) -> NoReturn:
    """Raise a WireError about the header."""
    raise WireError(message, reason="header")


def short(value: object) -> str:
    """Return a stranger's value fit for a log line: escaped and short."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fits(key: str, value: object) -> bool:
    if isinstance(value, bool):  # to Python a bool is an int
        return key in _FLAGS
    if key in _INTEGERS:
        return isinstance(value, int) and 0 <= value <= _INTEGERS[key]
    low, high = _NUMBERS.get(key, (1.0, 0.0))
    return isinstance(value, int | float) and low <= value <= high  # NaN fails both comparisons


def _expected(key: str) -> str:
    if key in _FLAGS:
        return "true or false"
    if key in _INTEGERS:
        return f"an integer from 0 to {_INTEGERS[key]}"
    low, high = _NUMBERS[key]
    return f"a number from {low:g} to {high:g}"
