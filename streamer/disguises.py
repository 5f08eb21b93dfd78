"""What a secret looks like when it was escaped or encoded on its way, and whether a text still gives one away."""

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

ROUNDS = 3
"""So often a text is decoded to see what is in it: a URL within JSON within a query."""

_LINE_BREAK = re.compile(r"(?:\\(?=[\r\n])|=(?=\r?\n))?[\r\n]+[ \t]*|\\r\\n|\\n")
_ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-f]{2}|\\[0-3][0-7]{2})+", re.IGNORECASE)
_ESCAPED_LETTERS = re.compile(r"(?:\\u[0-9a-f]{4})+", re.IGNORECASE)
_BACKSLASHED = re.compile(r"\\(.)")
_HEX = re.compile(r"(?:[0-9a-f]{2}){4,}", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")


def disguises(secret: str) -> Iterator[str]:
    """Yield a secret as it looks in a text, a URL, HTML, JSON and what Python's ``repr`` makes of them."""
    for word in dict.fromkeys((secret, unquote(secret))):
        yield word
        yield from (quote(word), quote(word, safe=""), quote_plus(word), quote(quote(word, safe="")))
        yield "".join(f"%{byte:02X}" for byte in word.encode())
        yield from (json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1])
        yield json.dumps(json.dumps(word))[3:-3]
        yield from (repr(word)[1:-1], repr('"' + word)[2:-1], ascii(word)[1:-1], repr(word.encode())[2:-1])
        yield html.escape(word)
        yield word.encode().hex()


def folded(secret: str) -> Iterator[str]:
    """Yield a secret as `gives_away` looks for it: in lower case, and without blanks, which get lost at line ends."""
    for word in (secret, unquote(secret)):
        yield from (word.casefold(), "".join(word.split()).casefold())


def gives_away(text: str, secrets: Iterable[str]) -> bool:
    """Return whether one of the secrets can be read out of ``text``, however it is encoded there.

    Args:
        text: what is about to leave.
        secrets: each as `folded` makes it.
    """
    seen, found = {text}, [text]
    for _ in range(ROUNDS):
        if any(secret in each.casefold() for each in found for secret in secrets):
            return True
        found = [each for each in {decoded for one in found for decoded in _decoded(one)} if each not in seen]
        seen.update(found)
    return any(secret in each.casefold() for each in found for secret in secrets)


def _decoded(text: str) -> Iterator[str]:
    """Yield what the text says if it was encoded in one way or another."""
    if "%" in text:
        yield unquote(text)
        yield unquote_plus(text)
    if "&" in text:
        yield html.unescape(text)
    if "\\" in text:
        yield text.replace("\\\\", "\\")
        for read in _as_bytes, _as_letters:
            yield _BACKSLASHED.sub(r"\1", _ESCAPED_LETTERS.sub(_letters, _ESCAPED_BYTES.sub(read, text)))
    if "\n" in text or "\r" in text or "\\n" in text:
        yield "".join(_LINE_BREAK.sub("", text).split())
    yield " ".join(each for run in _HEX.findall(text) for each in _read(bytes.fromhex, run))
    yield " ".join(each for run in _BASE64.findall(text) for each in _at_any_offset(run))


def _at_any_offset(run: str) -> Iterator[str]:
    """Yield what is in a run of the letters of base64; it may begin with some that belong to the text before."""
    for offset in range(4):
        whole = run[offset : offset + (len(run) - offset) // 4 * 4]
        rest = run[offset + len(whole) :]
        padded = whole + (rest + "=" * (4 - len(rest)) if len(rest) > 1 else "")
        yield from _read(base64.urlsafe_b64decode, padded.replace("+", "-").replace("/", "_"))


def _read(decode: Callable[[str], bytes], run: str) -> Iterator[str]:
    try:
        yield decode(run).decode(errors="ignore")
    except (ValueError, binascii.Error):
        return


def _as_bytes(found: re.Match[str]) -> str:
    """Return what ``repr`` of bytes means by \\xc3\\xb6."""
    return _codes(found[0]).decode(errors="replace")


def _as_letters(found: re.Match[str]) -> str:
    """Return what ``ascii`` of a text means by \\xf6."""
    return _codes(found[0]).decode("latin-1")


def _codes(escaped: str) -> bytes:
    codes = re.findall(r"\\x(..)|\\(\d{3})", escaped, re.IGNORECASE)
    return bytes(int(code, 16) if code else int(octal, 8) for code, octal in codes)


def _letters(found: re.Match[str]) -> str:
    units = bytes.fromhex(found[0].replace("\\u", "").replace("\\U", ""))
    return units.decode("utf-16-be", "replace")
