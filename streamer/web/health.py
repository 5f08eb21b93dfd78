"""For those who keep services running: whether we live, whether there is a picture, and all numbers for Prometheus."""

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from starlette.responses import JSONResponse

from streamer.web.metrics import CONTENT_TYPE
from streamer.web.replies import Readiness
from streamer.web.stream import Stream


def routes(stream: Stream, registry: CollectorRegistry) -> APIRouter:
    """Return the routes of health and metrics."""
    router = APIRouter()

    @router.get("/healthz", responses={503: {"model": Readiness, "description": "A loop hangs."}})
    def healthz() -> Readiness:
        """Say whether every loop moves, though perhaps there is nothing to paint."""
        return _readiness([f"{name} hangs" for name in stream.stuck])

    @router.get("/readyz", responses={503: {"model": Readiness, "description": "There is no fresh picture to see."}})
    def readyz() -> Readiness:
        """Say whether there is a fresh picture to see, and if not, why."""
        return _readiness(stream.unready)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    def metrics() -> Response:
        """Return all numbers as Prometheus reads them."""
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE})

    return router


def _readiness(reasons: list[str]) -> Readiness:
    return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)  # type: ignore[return-value] # so that OpenAPI knows it
