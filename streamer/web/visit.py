"""One request, as far as the rules of `guard` look at it, and what becomes of one that breaks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

PICTURES = "/api/v1/styles/"
PICTURE_TYPES = ("image/png", "image/jpeg")


class Rejection(Exception):  # noqa: N818 - a rule was broken, by others
    """A request that goes no further."""

    def __init__(self, status: int, reason: str, error: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, as far as the rules look at it."""

    scope: Scope
    headers: Mapping[str, str]
    """Names in lower case."""
    address: str
    """Whose request it is."""

    @property
    def host(self) -> str | None:
        """The name or address that is asked for, without port and brackets; None if the header is no such thing."""
        found = re.fullmatch(
            r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::[0-9]{1,5})?", self.headers.get("host", "").lower()
        )
        return (found[1] or found[2]) if found else None

    @property
    def path(self) -> str:
        """Without the query."""
        return str(self.scope["path"])

    @property
    def is_change(self) -> bool:
        """Whether it asks for more than to look."""
        return self.scope["type"] == "http" and self.scope["method"] not in ("GET", "HEAD", "OPTIONS")

    @property
    def is_picture(self) -> bool:
        """Whether it brings a picture."""
        return self.is_change and self.scope["method"] == "PUT" and self.path.startswith(PICTURES)

    @property
    def is_from_our_page(self) -> bool | None:
        """Whether the page that asks is ours; None if the request does not come from a page."""
        origin = self.headers.get("origin")
        if origin is not None:
            scheme, _, rest = origin.lower().partition("://")
            return scheme in ("http", "https") and rest == self.headers.get("host", "").lower()
        site = self.headers.get("sec-fetch-site", "none")
        is_embedded = site in ("cross-site", "same-site") and self.headers.get("sec-fetch-dest") != "document"
        return False if is_embedded else None
