"""The picture itself: one JPEG, a stream of JPEGs for players, and JPEGs with numbers over a WebSocket for the page."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Response, WebSocket
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from streamer.web.audience import Audience, FullError
from streamer.web.replies import Bulletin
from streamer.web.stream import Stream
from streamer.web.viewing import Side

MOTION, BOUNDARY = "multipart/x-mixed-replace", "frame"
BULLETIN_S = 1.0
NO_FRAME = "no frame was painted yet"

AnySide = Annotated[Side, Query(description="in: the source; out: painted; pair: both; flow: the motion as colors.")]


class Bulletins:
    """The numbers of each second, put into words once for all viewers.

    Args:
        stream: what they tell of.
        audience: those who hear them.
    """

    def __init__(self, stream: Stream, audience: Audience) -> None:
        self._stream = stream
        self._audience = audience
        self._made_at = -BULLETIN_S
        self._text: asyncio.Future[str] | None = None

    async def text(self) -> str:
        """Return a JSON text that is less than a second old."""
        now = time.monotonic()
        if self._text is None or now - self._made_at > 0.9 * BULLETIN_S:
            self._made_at = now
            self._text = self._audience.aside(self._make, self._audience.viewers)
        return await asyncio.shield(self._text)

    def _make(self, viewers: int) -> str:
        stream = self._stream
        return Bulletin(
            status=stream.status(viewers=viewers), stats=stream.stats(), settings=stream.control.current
        ).model_dump_json()


def routes(stream: Stream, audience: Audience) -> APIRouter:
    """Return the routes to the picture."""
    router = APIRouter()
    bulletins = Bulletins(stream, audience)

    @router.get("/frame.jpg", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
    async def frame(side: AnySide = Side.OUT) -> Response:
        """Return the newest frame."""
        shot = stream.viewing.newest
        if shot is None:
            return _unavailable(NO_FRAME)
        headers = {"x-sequence": str(shot.painted.sequence), "x-stale": str(shot.painted.stale).lower()}
        return Response(await audience.jpeg(shot, side), media_type="image/jpeg", headers=headers)

    @router.get("/out.mjpg", response_class=Response, responses={200: {"content": {MOTION: {}}}})
    async def motion(side: AnySide = Side.OUT) -> Response:
        """Return the picture as it moves, for players: VLC, OBS, Home Assistant."""
        return _Motion(audience, side)

    @router.websocket("/api/v1/live")
    async def live(socket: WebSocket, side: AnySide = Side.OUT) -> None:
        """Send the newest frame as a binary message whenever there is one, and the numbers as text once a second."""
        try:
            with audience.seat():
                await socket.accept()
                await _show(socket, audience, bulletins, side)
        except FullError as error:
            await socket.send_denial_response(_unavailable(str(error)))

    return router


def _unavailable(error: str) -> JSONResponse:
    return JSONResponse({"error": error}, 503, {"retry-after": "1"})


class _Motion(StreamingResponse):
    """A motion JPEG; whoever gets it is a viewer from its first byte to its last."""

    def __init__(self, audience: Audience, side: Side) -> None:
        super().__init__(self._parts(), media_type=f"{MOTION}; boundary={BOUNDARY}")
        self._audience = audience
        self._side = side

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a seat and watch, or be told that there is none."""
        try:
            with self._audience.seat():
                await super().__call__(scope, receive, send)
        except FullError as error:
            await _unavailable(str(error))(scope, receive, send)

    async def _parts(self) -> AsyncIterator[bytes]:
        """Yield the parts, each with the boundary after it, as browsers wait for that."""
        yield f"--{BOUNDARY}\r\n".encode()
        async for jpeg, is_new in self._audience.pictures(self._side):
            if jpeg is not None:
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\nX-Stale: {str(not is_new).lower()}"
                yield b"".join([head.encode(), b"\r\n\r\n", jpeg, f"\r\n--{BOUNDARY}\r\n".encode()])


async def _show(socket: WebSocket, audience: Audience, bulletins: Bulletins, side: Side) -> None:
    """Serve one viewer until it leaves, says something, or the daemon ends."""
    speakers = {
        asyncio.create_task(_pictures(socket, audience, side)),
        asyncio.create_task(_bulletins(socket, bulletins)),
        asyncio.create_task(_hear(socket)),
    }
    try:
        done, _ = await asyncio.wait(speakers, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for speaker in speakers:
            speaker.cancel()
        await asyncio.gather(*speakers, return_exceptions=True)
    try:
        for speaker in done:
            if farewell := speaker.result():
                await socket.close(*farewell)
                return
    except WebSocketDisconnect:
        return  # it left while it was spoken to


Farewell = tuple[int, str]
"""With which code and which words a viewer is shown out."""


async def _pictures(socket: WebSocket, audience: Audience, side: Side) -> Farewell | None:
    async for jpeg, is_new in audience.pictures(side):
        if jpeg is not None and is_new:
            await socket.send_bytes(jpeg)
    return None  # the daemon ends; uvicorn says so


async def _bulletins(socket: WebSocket, bulletins: Bulletins) -> Farewell | None:
    while True:
        await socket.send_text(await bulletins.text())
        await asyncio.sleep(BULLETIN_S)


async def _hear(socket: WebSocket) -> Farewell | None:
    """Return when the viewer leaves or says something, for which this is not the place."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    return 1008, "nothing is heard here; changes go to /api/v1"
