"""Nothing secret leaves: passwords in URLs are masked by their place, registered secrets wherever they turn up."""

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral, Real
from urllib.parse import parse_qsl, unquote

from protocols.url import redact
from streamer.disguises import disguises, folded, gives_away

MASK = "***"
MIN_SECRET_CHARS = 4
"""A shorter secret is masked inside URLs only; elsewhere it would take half of each line with it."""
MAX_SECRETS = 200
"""Of more, the oldest are forgotten: each time that the settings are read again there may be new ones."""
MAX_TEXT_CHARS = 8000
MAX_SEARCHED_CHARS = 8 * MAX_TEXT_CHARS
MAX_WORD_CHARS = 64
MAX_DEPTH = 6


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """The registered secrets."""

    secrets: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    """Finds each of them in each of its usual forms."""
    folded: frozenset[str] = frozenset()
    """The secrets as ``gives_away`` looks for them."""


_known = _Known()


def register_secret(value: str) -> None:
    """Mask ``value`` in everything that leaves from now on, also when escaped for a URL, JSON or Python."""
    global _known  # noqa: PLW0603 - replaced whole, so that threads that log see the old one or the new one
    if len(value) < MIN_SECRET_CHARS or value in _known.secrets[-MAX_SECRETS // 2 :]:
        return
    secrets = (*(each for each in _known.secrets if each != value), value)[-MAX_SECRETS:]
    forms = {form for each in secrets for form in disguises(each) if len(form) >= MIN_SECRET_CHARS}
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    found = frozenset(each for secret in secrets for each in folded(secret) if len(each) >= MIN_SECRET_CHARS)
    _known = _Known(secrets, re.compile(pattern, re.IGNORECASE), found)


def register_url(url: str) -> None:
    """Register the password in ``url``, if there is one, and the form it has in an HTTP or RTSP login; and tokens."""
    if found := re.search(r"//([^/@:\s]*):(\S+)@", url):
        user, password = (unquote(part) for part in found.groups())
        register_secret(found[2])
        register_secret(base64.b64encode(f"{user}:{password}".encode()).decode())
    for name, value in parse_qsl(url.partition("?")[2].partition("#")[0]):
        if MASK in redact(f"?{name}={value}"):
            register_secret(value)


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
        shown = (_word_masked if len(shown) <= MAX_WORD_CHARS else _masked)(_cut(shown, MAX_SEARCHED_CHARS), _known)
    except Exception as error:  # noqa: BLE001 - what cannot be shown must not stop the one who reports it
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
    return _cut(shown, MAX_TEXT_CHARS)


def _cut(shown: str, most: int) -> str:
    return shown if len(shown) <= most else f"{shown[: most // 2]} [...] {shown[-most // 2 :]}"


def _masked(shown: str, known: _Known) -> str:
    """Return the text without secrets; without anything if one is in there in a form that we cannot take out."""
    if known.pattern is None:
        return redact(shown)
    shown = redact(known.pattern.sub(MASK, shown))
    return MASK if gives_away(shown, known.folded) else shown


_word_masked = lru_cache(maxsize=1024)(_masked)
"""The same, remembered: most of what is logged are the same words every second."""
