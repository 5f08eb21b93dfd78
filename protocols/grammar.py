"""URLs taken apart; ``protocols.url`` says what they look like."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from protocols.options import SINK_OPTIONS, SOURCE_OPTIONS, Reader
from protocols.redaction import redact

SOCKETS = ("tcp", "ipc")
BINDS = {"sub": False, "pull": True, "rep": True, "pub": True, "push": False, "req": False}
"""Whether a socket of a pattern binds unless the URL says; for a pair it must."""

TCP = re.compile(r"tcp://(\*|\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[A-Za-z0-9._-]+):(\*|[0-9]{1,5})", re.ASCII)
"""Host and port. No other form is let through to libzmq, which knows more, such as ``tcp://source;host:port``."""

_IPC_MAX_BYTES = 100
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SOCKET = re.compile(r"(sub|pull|rep|pub|push|req|pair)(?:\+(bind|connect))?:((?:tcp|ipc):.*)")
_EXPECTED = (
    "rtsp://, rtsps://, rtmp://, http://, https://, tcp://, ipc://, "
    "[sub|pull|rep|pub|push|req|pair]+[bind|connect]:tcp://, camera:0, test:, null: or a path"
)


class UrlError(ValueError):
    """A text is not a URL we know; says what was expected and holds no password."""


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Url:
    """A URL, taken apart. As text it holds no password."""

    scheme: str
    """What stands before the colon; ``camera`` for a device and ``file`` for a path."""
    address: str
    """For the class that opens it: with its password, without our options."""
    pattern: str = ""
    """Of a ZeroMQ socket, if the URL says."""
    bind: bool | None = None
    """Whether a ZeroMQ socket binds, if the URL says or gives its pattern."""
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        prefix = f"{self.pattern}+{'bind' if self.bind else 'connect'}:" if self.pattern else ""
        options = "".join(f"#{name}={value}" for name, value in self.options.items())
        return redact(f"{prefix}{self.address or self.scheme + ':'}{options}")

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"


def parse(text: str) -> Url:
    """Take a URL apart; nothing is opened, nor looked for.

    Raises:
        UrlError: it is none, or an option is unknown or out of range.
    """
    _refuse_half_a_password(text)
    base, *pairs = text.split("#")
    pattern, attachment, end = found.groups() if (found := _SOCKET.fullmatch(base)) else ("", None, base)
    scheme = _scheme(end)
    bind = BINDS.get(pattern) if attachment is None else attachment == "bind"
    url = Url(scheme, _ADDRESSES[scheme](end), pattern, bind, _split_options(pairs))
    read_options(url, SOURCE_OPTIONS.get(scheme, {}) | SINK_OPTIONS.get(scheme, {}))
    return url


def read_options(url: Url, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """Return what the options of a URL mean.

    Raises:
        UrlError: one of them is not in the table or means nothing.
    """
    values: dict[str, Any] = {}
    for name, text in url.options.items():
        if name not in readers:
            raise UrlError(f"{url}: expected the options {', '.join(readers) or '(none)'}, got {redact(name)!r}")
        try:
            values[name] = readers[name](text)
        except ValueError as error:
            raise UrlError(f"{url}: {name} must be {error}") from None
    return values


def _refuse_half_a_password(text: str) -> None:
    """Refuse a login that ends where nobody would look for it, without repeating it."""
    if not text.isprintable():
        raise UrlError("expected printable text")
    if found := re.match(r"[^/]*://([^/]*)@", text):
        for character in " #":
            if character in found[1]:
                raise UrlError(f"in a user or a password write %{ord(character):02X} for {character!r}")


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else "camera" if text.startswith("/dev/") else "file"
    if scheme not in _ADDRESSES or not text:
        raise UrlError(f"expected {_EXPECTED}; got {redact(text) or 'nothing'}")
    return scheme


def _split_options(pairs: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name in options:
            raise UrlError("expected options such as #name=value, each once")
        options[name] = value
    return options


# -- from the text of a scheme to the address its class opens ---------------------------------------------------------


def _nothing(text: str) -> str:
    if not text.endswith(":"):
        raise UrlError(f"expected nothing after {text.partition(':')[0]}:, got {redact(text)}")
    return ""


def _device(text: str) -> str:
    device = text.removeprefix("camera:")
    if device.isdecimal():
        return f"/dev/video{int(device)}"
    if not device.startswith("/dev/"):
        raise UrlError(f"expected camera:0 or /dev/video0, got {redact(text)}")
    return device


def _path(text: str) -> str:
    path = unquote(text.removeprefix("file:").removeprefix("//")) if text.startswith("file:") else text
    if not path or not path.isprintable():
        raise UrlError("expected a path")
    return path


def _host(text: str) -> str:
    try:
        parts = urlsplit(text)
        if parts.netloc and parts.hostname and parts.port != 0:
            return text
    except ValueError:
        pass  # its message may hold the password; ours follows
    raise UrlError(f"expected {text.partition(':')[0]}://host[:port]/path, got {redact(text)}")


def _tcp(text: str) -> str:
    found = TCP.fullmatch(text)
    if found is None or (found[2] != "*" and int(found[2]) > 65535):
        raise UrlError(f"expected tcp://host:port, got {redact(text)}")
    return text


def _ipc(text: str) -> str:
    if not text.startswith("ipc://") or not len("ipc://") < len(text.encode()) <= _IPC_MAX_BYTES:
        raise UrlError(f"expected ipc://path of up to {_IPC_MAX_BYTES} bytes, got {redact(text)}")
    return text


_ADDRESSES: dict[str, Callable[[str], str]] = {
    "rtsp": _host,
    "rtsps": _host,
    "http": _host,
    "https": _host,
    "rtmp": _host,
    "camera": _device,
    "file": _path,
    "test": _nothing,
    "null": _nothing,
    "tcp": _tcp,
    "ipc": _ipc,
}
