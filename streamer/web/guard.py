"""The rules that every request must keep before anything else looks at it.

No name but ours (a foreign one is DNS rebinding), no page but ours (a foreign one is CSRF), no more bytes than it
needs, and the token if there is one. Whoever breaks a rule changes nothing, is told which, and is counted.
"""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.web.body import again, read, too_large
from streamer.web.credentials import Credentials, Proof
from streamer.web.door import Door
from streamer.web.visit import PICTURE_TYPES, Rejection, Visit

MAX_HEAD_BYTES = 8 * 2**10
MAX_BODY_BYTES = 64 * 2**10
MAX_PICTURE_BYTES = 16 * 2**20
BODY_S, PICTURE_S = 10.0, 60.0
"""The longest that a body may take to come."""

OPEN_PATHS = ("/healthz", "/readyz")
"""Who asks whether we live has no token, and hears nothing else."""
PAGES = ("/", "/view")

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """An ASGI application in front of another one.

    Args:
        app: what is guarded.
        hosts: names and addresses by which we may be asked for, beside the address that was connected to.
        credentials: knows the token.
        door: counts who is turned away.
        behind_proxy: whose request it is stands in X-Forwarded-For.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Sequence[str], credentials: Credentials, door: Door, behind_proxy: bool
    ) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._credentials = credentials
        self._door = door
        self._behind_proxy = behind_proxy
        self._is_uploading = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it keeps the rules."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        visit = self._visit(scope)
        try:
            cookie = self._check(visit)
            if visit.is_picture:
                await self._take_picture(visit, receive, _dressed(send, cookie))
            else:
                body = await read(receive, MAX_BODY_BYTES, BODY_S) if visit.is_change else None
                await self._app(scope, receive if body is None else again(body, receive), _dressed(send, cookie))
        except Rejection as rejection:
            self._door.reject(rejection.reason)
            await _refuse(rejection, scope, receive, send)

    def _visit(self, scope: Scope) -> Visit:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        address = (scope.get("client") or ("",))[0]
        if self._behind_proxy:
            address = headers.get("x-forwarded-for", address).rpartition(",")[2].strip()
        return Visit(scope, headers, address)

    def _check(self, visit: Visit) -> str | None:
        """Return the cookie to give, if any.

        Raises:
            Rejection: a rule is broken.
        """
        self._check_room(visit)
        self._check_head(visit)
        self._check_host(visit)
        proof = self._check_token(visit)
        self._check_origin(visit, proof)
        self._check_body(visit)
        return self._credentials.cookie if proof is Proof.BROWSER and visit.path in PAGES else None

    def _check_room(self, visit: Visit) -> None:
        if visit.scope["state"].get("surplus"):
            raise Rejection(503, "connections", "too many connections; try again later", {"retry-after": "5"})

    def _check_head(self, visit: Visit) -> None:
        size = len(visit.scope["raw_path"]) + len(visit.scope["query_string"])
        if size + sum(len(name) + len(value) + 4 for name, value in visit.scope["headers"]) > MAX_HEAD_BYTES:
            raise Rejection(431, "head", f"the head of a request may have {MAX_HEAD_BYTES} bytes")

    def _check_host(self, visit: Visit) -> None:
        own, _ = visit.scope["server"] or ("", None)
        if visit.host not in (*self._hosts, own):
            raise Rejection(421, "host", "not asked for by a name of ours; a new one belongs into http.allowed_hosts")

    def _check_token(self, visit: Visit) -> Proof:
        if visit.path in OPEN_PATHS or not self._credentials.needed:
            return Proof.NONE
        if self._door.is_locked(visit.address):
            raise Rejection(429, "locked", "too many wrong tokens; wait a minute", {"retry-after": "60"})
        proof = self._credentials.proof(visit.headers)
        challenge = {"www-authenticate": 'Basic realm="deepmovie", charset="UTF-8"'}
        if proof is Proof.WRONG:
            self._door.fail(visit.address)
            raise Rejection(401, "token", "wrong token", challenge)
        if proof is Proof.NONE:
            raise Rejection(401, "no_token", "expected the token: as a bearer, or as the password", challenge)
        return proof

    def _check_origin(self, visit: Visit, proof: Proof) -> None:
        if proof is Proof.BEARER:
            return
        if visit.is_from_our_page is False:
            raise Rejection(403, "origin", "asked for by a page of another origin")
        if visit.is_change and not visit.is_from_our_page:
            raise Rejection(
                403, "origin", f"a change needs the header 'Origin: http://{visit.headers['host']}', or a bearer token"
            )

    def _check_body(self, visit: Visit) -> None:
        length = visit.headers.get("content-length", "0")
        if not visit.is_change:
            if length != "0" or "transfer-encoding" in visit.headers:
                raise Rejection(413, "body", "a question may have no body")
            return
        types = PICTURE_TYPES if visit.is_picture else ("application/json",)
        if visit.headers.get("content-type", "").partition(";")[0].strip().lower() not in types:
            raise Rejection(415, "content_type", f"expected the content type {' or '.join(types)}")
        limit = MAX_PICTURE_BYTES if visit.is_picture else MAX_BODY_BYTES
        if not length.isdecimal() or int(length) > limit:
            raise too_large(limit)

    async def _take_picture(self, visit: Visit, receive: Receive, send: Send) -> None:
        """Let one picture in at a time, so that many cannot fill the memory."""
        if self._is_uploading:
            raise Rejection(503, "uploads", "another picture is on its way; try again", {"retry-after": "1"})
        self._is_uploading = True
        try:
            body = await read(receive, MAX_PICTURE_BYTES, PICTURE_S)
            await self._app(visit.scope, again(body, receive), send)
        finally:
            self._is_uploading = False


def _dressed(send: Send, cookie: str | None) -> Send:
    """Return a ``send`` that adds our headers."""

    async def dressed(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if cookie is not None:
                headers.append("set-cookie", cookie)
        await send(message)

    return dressed


async def _refuse(rejection: Rejection, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {**rejection.headers, "connection": "close"}
    response = JSONResponse({"error": str(rejection)}, rejection.status, headers)
    await response(scope, receive, _dressed(send, None))
