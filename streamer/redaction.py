"""Nothing secret leaves: passwords in URLs are masked by their place, registered secrets wherever they turn up."""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from urllib.parse import quote, quote_plus, unquote

from protocols.url import redact

MASK = "***"
MIN_SECRET_CHARS = 4
"""A shorter secret is masked inside URLs only; elsewhere it would take half of each line with it."""
MAX_TEXT_CHARS = 8000
MAX_DEPTH = 6

_forms: set[str] = set()
_pattern: re.Pattern[str] | None = None


def register_secret(value: str) -> None:
    """Mask ``value`` in everything that is logged from now on, also when escaped for a URL, JSON or Python."""
    global _pattern  # noqa: PLW0603 - replaced whole, so that threads that log see the old one or the new one
    if len(value) < MIN_SECRET_CHARS:
        return
    plain = (value, unquote(value))
    _forms.update(form for text in plain for form in _escaped(text))
    _pattern = re.compile("|".join(re.escape(form) for form in sorted(_forms, key=len, reverse=True)), re.IGNORECASE)


def register_url(url: str) -> None:
    """Register the password in ``url``, if there is one, and the form it has in an HTTP or RTSP login."""
    if found := re.search(r"//([^/@:\s]*):(\S+)@", url):
        user, password = (unquote(part) for part in found.groups())
        register_secret(found[2])
        register_secret(base64.b64encode(f"{user}:{password}".encode()).decode())


def presentable(value: object, depth: int = 0) -> object:
    """Return ``value`` as something JSON knows, without secrets; never raises."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value) if abs(int(value)) < 2**63 else text(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else text(value)
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        return {text(key): presentable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < MAX_DEPTH:
        return [presentable(item, depth + 1) for item in value]
    return text(value)


def text(value: object) -> str:
    """Return ``str(value)`` without secrets, the middle of a very long one left out; never raises."""
    try:
        shown = str(value, "utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)
        shown = redact(shown if _pattern is None else _pattern.sub(MASK, shown))
    except Exception as error:  # noqa: BLE001 - what cannot be shown must not stop the one who reports it
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    half = MAX_TEXT_CHARS // 2
    return shown if len(shown) <= MAX_TEXT_CHARS else f"{shown[:half]} [...] {shown[-half:]}"


def _escaped(secret: str) -> Iterator[str]:
    """Yield ``secret`` as it looks in a text, in a URL, in JSON and in what Python's ``repr`` makes of either."""
    yield secret
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (repr(secret)[1:-1], repr('"' + secret)[2:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1])
