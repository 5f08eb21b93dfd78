"""The page: a few files that come with the program."""

from importlib.resources import files

from fastapi import APIRouter, Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
PLACES = {"index.html": "/", "view.html": "/view"}
"""All other files lie under /static/."""


def routes() -> APIRouter:
    """Return a route for each file; they are read once, so that no request ever names a file."""
    router = APIRouter(include_in_schema=False)
    for file in sorted(files("streamer.web").joinpath("static").iterdir(), key=lambda each: each.name):
        ending = file.name[file.name.rfind(".") :]
        if ending in TYPES:
            _add(router, PLACES.get(file.name, f"/static/{file.name}"), file.read_bytes(), TYPES[ending])
    return router


def _add(router: APIRouter, path: str, content: bytes, media_type: str) -> None:
    @router.get(path)
    async def page() -> Response:
        return Response(content, headers={"content-type": media_type})
