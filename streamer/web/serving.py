"""uvicorn, made to keep our rules."""

import asyncio
import socket
from threading import Event

import structlog
import uvicorn

from streamer.web.app import App, make_app
from streamer.web.connection import HEAD_S, Connection, LiveConnection, Watched
from streamer.web.guard import MAX_HEAD_BYTES
from streamer.web.stream import Stream

MAX_WORDS_BYTES = 1024
"""Of a viewer's WebSocket message: nothing is heard there."""
GRACE_S = 1

log = structlog.get_logger()


async def serve(stream: Stream, listener: socket.socket, stop: Event) -> None:
    """Answer whoever comes to ``listener`` until ``stop`` is set."""
    app = make_app(stream, port=listener.getsockname()[1])

    class OurConnection(Connection):
        door = app.door

        @staticmethod
        def count_viewers() -> int:
            return app.audience.viewers

    class OurLiveConnection(LiveConnection):
        door = app.door

    http = stream.config.http
    config = uvicorn.Config(
        app.asgi,
        http=OurConnection,
        ws=OurLiveConnection,
        loop="asyncio",
        lifespan="on",
        ssl_certfile=http.tls_cert,
        ssl_keyfile=http.tls_key,
        ws_max_size=MAX_WORDS_BYTES,
        ws_per_message_deflate=False,  # a JPEG does not get smaller
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",  # what visitors do wrong is counted at the door
    )
    await Server(config, OurConnection, app, stream, stop).serve(sockets=[listener])


class Server(uvicorn.Server):
    """Ends when it is told to, and tells who was turned away."""

    def __init__(
        self, config: uvicorn.Config, connection: type[Connection], app: App, stream: Stream, stop: Event
    ) -> None:
        super().__init__(config)
        self._connection = connection
        self._app = app
        self._stream = stream
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; as uvicorn does, but a TLS handshake may not take longer than a head."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RuntimeError("the application did not start")
        loop = asyncio.get_running_loop()
        patience_s = HEAD_S if self.config.ssl else None
        self.servers = [
            await loop.create_server(
                self._connect, sock=listener, ssl=self.config.ssl, ssl_handshake_timeout=patience_s
            )
            for listener in sockets or []
        ]
        self.started = True
        self._stream.telemetry.trouble("http", None)
        for listener in sockets or []:
            log.info("http_started", address=_shown(listener))

    def _connect(self) -> Connection:
        return self._connection(self.config, self.server_state, self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to end; called ten times a second."""
        self._app.door.tell()
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say goodbye; who does not read does not hear it."""
        self._app.audience.dismiss()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Watched):
                connection.abort_if_stuck()
        await super().shutdown(sockets)


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
