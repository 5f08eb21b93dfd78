"""The thread that answers browsers. Nothing that happens in it ends the stream."""

import asyncio
import socket
import time
from collections.abc import Callable
from threading import Event, Thread

import structlog

from streamer.listening import listen
from streamer.web.stream import Stream

RESTART_S = 60.0
"""It is started again once in this time at most."""
END_PATIENCE_S = 2.0
PART = "http"

log = structlog.get_logger()


class HttpServer:
    """Serves the page and the API of one stream from a thread of its own.

    Args:
        stream: what to serve.
        run: serves until told to stop; another one in tests.
        restart_s: how long after a start to start again, if it failed.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        run: Callable[[Stream, socket.socket, Event], None] | None = None,
        restart_s: float = RESTART_S,
    ) -> None:
        self._stream = stream
        self._run = run or serve
        self._restart_s = restart_s
        self._stop = Event()
        self._listener: socket.socket | None = None
        self._thread = Thread(target=self._keep_serving, name=PART, daemon=True)

    @property
    def address(self) -> tuple[str, int] | None:
        """IP address and port; None if it is off."""
        return None if self._listener is None else self._listener.getsockname()[:2]

    @property
    def is_running(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Bind the address and begin.

        Raises:
            FatalError: the address cannot be had.
        """
        self._listener = listen(self._stream.config.http)
        if self._listener is not None:
            self._thread.start()

    def stop(self) -> None:
        """Say goodbye to the viewers and end."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(END_PATIENCE_S)
        if self._listener is not None:
            self._listener.close()

    def _keep_serving(self) -> None:
        while self._listener is not None and not self._stop.is_set():
            began = time.monotonic()
            try:
                self._run(self._stream, self._listener.dup(), self._stop)
            except (Exception, SystemExit) as error:  # SystemExit: uvicorn's way
                retry_in_s = max(0.0, began + self._restart_s - time.monotonic())
                log.exception("http_failed", error=str(error), retry_in_s=round(retry_in_s, 1))
                self._stream.telemetry.trouble(PART, "failed", error=str(error), retry_in_s=retry_in_s)
                self._stop.wait(retry_in_s)


def serve(stream: Stream, listener: socket.socket, stop: Event) -> None:
    """Answer whoever comes to ``listener`` until ``stop`` is set; closes it."""
    # Imported here, in this thread: it takes a second, for which the stream must not wait.
    from streamer.web.serving import serve as serve_now  # noqa: PLC0415

    with listener:
        asyncio.run(serve_now(stream, listener, stop))
