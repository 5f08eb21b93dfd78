"""What programs and the page ask and change. No answer holds a secret; no question takes a URL, a path or a command."""

import json
from collections.abc import Mapping
from typing import Annotated

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from streamer import log as daemon_log
from streamer.config import ConfigError
from streamer.control import ChangeError
from streamer.gallery import GalleryError
from streamer.paint import Hot
from streamer.picture import PictureError
from streamer.recordings import RecordingError
from streamer.web.audience import Audience
from streamer.web.replies import (
    Failure,
    Info,
    Kept,
    LogLines,
    Recording,
    Reloaded,
    Stats,
    Status,
    StyleNow,
    Styles,
)
from streamer.web.stream import Stream

SNAPSHOT_S = 5.0
STYLE_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$"

StyleName = Annotated[str, InPath(pattern=STYLE_NAME, description="Its name, never a path.")]
_PICTURE = {"schema": {"type": "string", "format": "binary"}}


class RecordOrder(BaseModel, extra="forbid"):
    """Whether to record."""

    on: bool


def questions(stream: Stream, audience: Audience) -> APIRouter:
    """Return the routes that change nothing."""
    router = APIRouter(prefix="/api/v1")
    one_at_a_time = CapacityLimiter(1)

    @router.get("/info")
    def info() -> Info:
        """Return what does not change while the daemon runs."""
        return stream.info()

    @router.get("/status")
    def status() -> Status:
        """Return how it goes: what is wrong, since when, and when it is tried again."""
        return stream.status(viewers=audience.viewers)

    @router.get("/stats")
    def stats() -> Stats:
        """Return the numbers, and how the last frames were painted."""
        return stream.stats()

    @router.get("/settings")
    def settings() -> Hot:
        """Return the settings that may be changed while frames are painted."""
        return stream.control.current

    @router.get("/logs")
    def logs() -> LogLines:
        """Return the last lines of the log."""
        return LogLines(lines=[dict(line) for line in daemon_log.recent()])

    @router.get("/styles")
    def styles() -> Styles:
        """Return the paintings that can be chosen."""
        found = stream.control.gallery.describe()
        return Styles(
            styles=[
                StyleNow(name=each.name, kind=each.kind, thumbnail=f"/api/v1/styles/{each.name}.jpg") for each in found
            ]
        )

    @router.get(
        "/styles/{name}.jpg",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    async def thumbnail(name: StyleName) -> Response:
        """Return a painting as a small picture."""
        # A built-in one is painted when it is first asked for, in seconds for which no other question shall wait.
        try:
            small = await run_sync(stream.control.gallery.thumbnail, name, limiter=one_at_a_time)
            return Response(small, media_type="image/jpeg")
        except PictureError as error:
            raise HTTPException(404, str(error)) from None

    return router


def orders(stream: Stream, audience: Audience) -> APIRouter:
    """Return the routes by which the stream is told what to do."""
    router = APIRouter(prefix="/api/v1")
    control = stream.control

    @router.post("/pause")
    def pause() -> Status:
        """Paint no frames until told to go on."""
        control.pause()
        return stream.status(viewers=audience.viewers)

    @router.post("/resume")
    def resume() -> Status:
        """Paint again."""
        control.resume()
        return stream.status(viewers=audience.viewers)

    @router.post("/reset")
    def reset() -> Status:
        """Begin a picture of its own with the next frame."""
        control.reset()
        return stream.status(viewers=audience.viewers)

    @router.post("/snapshot", response_class=Response, responses={200: {"content": {"image/png": {}}}})
    def snapshot() -> Response:
        """Return the next painted frame as a PNG that carries style, settings and version."""
        try:
            picture = control.snapshot(SNAPSHOT_S)
        except TimeoutError as error:
            raise HTTPException(503, str(error)) from None
        disposition = f'attachment; filename="{stream.config.name}.png"'
        return Response(picture, media_type="image/png", headers={"content-disposition": disposition})

    @router.post("/record")
    def record(order: RecordOrder) -> Recording:
        """Begin to record what is painted, or finish the film."""
        try:
            if order.on:
                control.start_recording()
            else:
                control.stop_recording()
        except RecordingError as error:
            raise HTTPException(503, str(error)) from None
        return Recording(on=control.recording is not None)

    return router


def changes(stream: Stream) -> APIRouter:
    """Return the routes that change how it is painted: settings, and paintings to choose from."""
    router = APIRouter(prefix="/api/v1")
    control = stream.control

    @router.patch(
        "/settings",
        response_model=Hot,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": Hot.model_json_schema()}}}
        },
    )
    async def settings(request: Request) -> Hot | Response:
        """Change settings from the next frame on, all that are named or none; return all."""
        try:
            return await run_in_threadpool(control.change, _an_object(await request.body()))
        except ChangeError as error:
            return _unprocessable(error.problems)

    @router.post("/reload", response_model=Reloaded, responses={501: {"model": Failure}})
    def reload() -> Reloaded | Response:
        """Read the settings file again; a bad one changes nothing."""
        if stream.reload is None:
            raise HTTPException(501, "this daemon does not read its settings again")
        try:
            change = stream.reload()
        except ConfigError as error:
            return _problems({detail.key: detail.reason for detail in error.details}, "; ".join(error.problems))
        return Reloaded(reloaded=True, changed=list(change.changed), restart_needed=list(change.restart))

    @router.put(
        "/styles/{name}",
        openapi_extra={
            "requestBody": {"required": True, "content": {"image/png": _PICTURE, "image/jpeg": _PICTURE}},
        },
    )
    async def put_style(name: StyleName, request: Request) -> Kept:
        """Keep a picture (PNG or JPEG, at most 16 MiB) as a painting that can be chosen."""
        try:
            return Kept(name=await run_in_threadpool(control.gallery.put, name, await request.body()))
        except (GalleryError, PictureError) as error:
            raise HTTPException(422, str(error)) from None
        except OSError as error:
            raise HTTPException(503, f"{name} cannot be kept: {error.strerror}") from None

    return router


def _an_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in a body.

    Raises:
        HTTPException: there is none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise HTTPException(400, 'expected an object like {"fps": 5}')
    return found


def _unprocessable(problems: tuple[str, ...]) -> JSONResponse:
    """Return what is wrong with each setting; what belongs to none of them stands under the empty name."""
    by_key: dict[str, str] = {}
    for problem in problems:
        key, _, text = problem.partition(": ")
        known = key in Hot.model_fields
        name = key if known else ""
        by_key[name] = "; ".join(filter(None, (by_key.get(name), text if known else problem)))
    return _problems(by_key, "; ".join(problems))


def _problems(by_key: Mapping[str, str], error: str) -> JSONResponse:
    return JSONResponse({"error": error, "problems": dict(by_key)}, 422)
