"""Whether a request shows the token, and how."""

import base64
import secrets
from collections.abc import Mapping
from enum import Enum, auto


class Proof(Enum):
    """What a request shows."""

    NONE = auto()
    WRONG = auto()
    BEARER = auto()
    """The token, in a header that no other page can make a browser send."""
    BROWSER = auto()
    """The token as a browser sends it by itself: a password once typed, or our cookie."""


class Credentials:
    """Knows the token, and the cookie that stands for it until we end.

    Some browsers send a typed password with pages but not with WebSockets; all send a cookie.

    Args:
        token: None: nobody has to show one.
        port: as cookies do not tell the ports of a machine apart, it is in the cookie's name.
        encrypted: the cookie must come over TLS only.
    """

    def __init__(self, token: str | None, *, port: int, encrypted: bool) -> None:
        self._token = token
        self._session = secrets.token_urlsafe(32)
        self._cookie_name = f"deepmovie-{port}"
        self._encrypted = encrypted

    @property
    def needed(self) -> bool:
        """Whether there is a token to show."""
        return self._token is not None

    @property
    def cookie(self) -> str:
        """The value of the header that gives the cookie to a browser."""
        flags = "; Secure" if self._encrypted else ""
        return f"{self._cookie_name}={self._session}; Path=/; HttpOnly; SameSite=Strict{flags}"

    def proof(self, headers: Mapping[str, str]) -> Proof:
        """Return what the request's headers show; names are in lower case."""
        if self._token is None:
            return Proof.NONE
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Proof.BEARER if _same(value.strip(), self._token) else Proof.WRONG
        if scheme.lower() == "basic":
            return Proof.BROWSER if _same(_password(value.strip()), self._token) else Proof.WRONG
        if scheme:
            return Proof.WRONG
        return Proof.BROWSER if _same(self._cookie_in(headers), self._session) else Proof.NONE

    def _cookie_in(self, headers: Mapping[str, str]) -> str:
        cookies = (cookie.strip().partition("=") for cookie in headers.get("cookie", "").split(";"))
        return next((value for name, _, value in cookies if name == self._cookie_name), "")


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _same(given: str, wanted: str) -> bool:
    """Return whether both are the same, in a time that does not tell how much of them is."""
    return secrets.compare_digest(given.encode(errors="surrogateescape"), wanted.encode())
