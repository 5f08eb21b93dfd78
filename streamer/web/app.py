"""The application: all routes, what an error looks like, and the guard in front of it."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from streamer.web import api, health, look, pages
from streamer.web.audience import Audience
from streamer.web.credentials import Credentials
from streamer.web.door import Door
from streamer.web.guard import Guard
from streamer.web.metrics import registry
from streamer.web.replies import Failure, Problems
from streamer.web.stream import Stream

THREADS = 4
"""That answer questions; others wait."""
ENCODERS = 2
REFUSALS: dict[int | str, dict[str, Any]] = {
    **{status: {"model": Failure} for status in (400, 401, 403, 404, 408, 413, 415, 421, 429, 431, 503)},
    422: {"model": Problems},
}
"""What any question may be answered; `guard` and the routes say when."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class App:
    """What answers requests."""

    asgi: ASGIApp
    audience: Audience
    door: Door


def make_app(stream: Stream, *, port: int) -> App:
    """Return the application for a stream.

    Args:
        stream: what it speaks of.
        port: where it is reached.
    """
    http, door = stream.config.http, Door()
    pool = ThreadPoolExecutor(ENCODERS, thread_name_prefix="viewer")
    audience = Audience(stream.viewing, limit=http.max_viewers, pool=pool)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = THREADS
        audience.begin()
        try:
            yield
        finally:
            audience.end()
            pool.shutdown(wait=True, cancel_futures=True)

    app = FastAPI(
        title="deepmovie",
        version=version("deepmovie"),
        docs_url=None,  # those pages would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses=REFUSALS,
    )
    for router in (
        api.questions(stream, audience),
        api.orders(stream, audience),
        api.changes(stream),
        look.routes(stream, audience),
        health.routes(stream, registry(stream, door, lambda: audience.viewers)),
        pages.routes(),
    ):
        app.include_router(router)
    app.add_exception_handler(HTTPException, _failure)  # type: ignore[arg-type] # it gets this kind alone
    app.add_exception_handler(RequestValidationError, _problems)  # type: ignore[arg-type] # as above
    guard = Guard(
        app,
        hosts=(*LOOPBACK, *http.allowed_hosts),
        credentials=Credentials(http.token, port=port, encrypted=http.behind_proxy or http.tls_cert is not None),
        door=door,
        behind_proxy=http.behind_proxy,
    )
    return App(guard, audience, door)


async def _failure(_request: Request, error: HTTPException) -> JSONResponse:
    content = {"error": str(error.detail)}
    if error.status_code == 422:
        return JSONResponse({**content, "problems": {}}, 422)
    return JSONResponse(content, error.status_code, error.headers)


async def _problems(_request: Request, error: RequestValidationError) -> JSONResponse:
    problems = {str(mistake["loc"][-1]): mistake["msg"] for mistake in error.errors()}
    told = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
    return JSONResponse({"error": told, "problems": problems}, 422)
