"""A stream without a painter: the real server on a real socket, shown frames by the test."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import torch

from models.objective import Terms
from models.stylizer import Stylized
from protocols.frame import Frame, Painting
from protocols.notices import Notices
from streamer.config import Config, Http
from streamer.control import Control
from streamer.exchange import Change
from streamer.gallery import Gallery
from streamer.paint import Hot
from streamer.pulse import Pulse
from streamer.recordings import Recordings
from streamer.telemetry import State, Telemetry
from streamer.web.server import HttpServer
from streamer.web.stream import Stream
from streamer.web.viewing import Viewing
from tests.endpoints import frame, picture

PATIENCE_S = 20.0
TOKEN = "0123456789abcdef-token"  # noqa: S105 - of these tests


def stylized(*, height: int = 24, width: int = 32, flow: torch.Tensor | None = None) -> Stylized:
    """Return a painted image with four known terms."""
    terms = Terms(*(torch.tensor(value) for value in (1.0, 2.0, 0.5, 0.5)))
    return Stylized(
        torch.zeros(1, 3, height, width), 2, restarted=False, terms=terms, failures=0, temporal_error=0.02, flow=flow
    )


class Studio:
    """Everything the page speaks of, in this process."""

    def __init__(
        self,
        folder: Path,
        *,
        pulses: Mapping[str, Pulse] | None = None,
        reload: Callable[[], Change] | None = None,
        **http: Any,
    ) -> None:
        settings = Http(**({"listen": "127.0.0.1:0"} | http))
        config = Config(name="studio", source="rtsp://joe:hunter2@camera/live", http=settings)
        self.gallery = Gallery(
            ("dots", "lines"), paint=lambda name: picture(80, 100, seed=len(name)), uploads=folder / "styles"
        )
        self.control = Control(Hot(style="dots"), self.gallery, recordings=Recordings(folder / "rec"))
        self.viewing = Viewing()
        self.notices = Notices()
        self.telemetry = Telemetry(["null:"], notices=self.notices)
        self.telemetry.enter(State.RUNNING)
        self.stream = Stream(
            config=config,
            telemetry=self.telemetry,
            control=self.control,
            viewing=self.viewing,
            pulses=pulses or {},
            device="cpu",
            size=64,
            reload=reload,
        )
        self.shown = 0

    def show(self, *, size: tuple[int, int] = (24, 32), source_size: tuple[int, int] | None = None) -> Frame:
        """Show the next frame, as the painter would; return the painted one."""
        number = self.shown
        self.shown += 1
        source = frame(number, image=picture(*(source_size or size), seed=number))
        painted = Frame(
            image=picture(*size, seed=1000 + number),
            sequence=number,
            pts=source.pts,
            captured_at=source.captured_at,
            received_at=source.received_at,
            painting=Painting(2, cut=number == 0, temporal_error=0.02 if number else None),
        )
        flow = None if number == 0 else torch.full((1, 2, *size), 1.0)
        self.telemetry.frames.enter()
        self.telemetry.frames.begin()
        self.telemetry.publish(painted)
        self.control.painted(painted, self.control.current)
        self.viewing.show(source, painted, stylized(height=size[0], width=size[1], flow=flow))
        return painted

    @contextmanager
    def showing(self, *, fps: float = 20, size: tuple[int, int] = (24, 32)) -> Iterator[None]:
        """Show frame after frame meanwhile."""
        stop = Event()

        def go_on() -> None:
            while not stop.wait(1 / fps):
                self.show(size=size)

        thread = Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


class Site:
    """Where a page is, and how tests speak to it."""

    def __init__(self, address: tuple[str, int], *, trust: str | None = None) -> None:
        self.host, self.port = address
        self._trust = trust

    @property
    def netloc(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """What a browser says of our own page."""
        return f"{'https' if self._trust else 'http'}://{self.netloc}"

    def live(self, side: str = "out") -> str:
        """The WebSocket's URL."""
        return f"{self.origin.replace('http', 'ws', 1)}/api/v1/live?side={side}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> "Answer":
        """Return the answer to a request with exactly these headers, beside Host and Content-Length."""
        if self._trust:
            context = ssl.create_default_context(cafile=self._trust)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self.host, self.port, timeout=PATIENCE_S, context=context
            )
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> "Answer":
        """Return the answer to a question."""
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def change(self, method: str, path: str, content: object = None, **headers: str) -> "Answer":
        """Return the answer to a change that our own page asks for."""
        own = {"Origin": self.origin, "Content-Type": "application/json"}
        body = json.dumps({} if content is None else content).encode()
        return self.ask(method, path, body, own | {name.replace("_", "-"): value for name, value in headers.items()})

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        """Return a plain connection."""
        plain = socket.socket()
        plain.settimeout(PATIENCE_S)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.connect((self.host, self.port))
        return plain


class Answer:
    """A response, read to its end."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def image(self) -> Any:
        """The body as a picture, H x W x 3, RGB."""
        import cv2

        return cv2.imdecode(np.frombuffer(self.body, np.uint8), cv2.IMREAD_COLOR_RGB)


@contextmanager
def open_to_visitors(studio: Studio, *, trust: str | None = None) -> Iterator[Site]:
    """Serve the studio's stream; at the end no thread of it may be left."""
    server = HttpServer(studio.stream)
    server.start()
    try:
        assert server.address is not None
        site = Site(server.address, trust=trust)
        await_that(lambda: site.get("/healthz").status == 200)
        yield site
    finally:
        server.stop()
    assert not server.is_running


def await_that(holds: Any, *, timeout_s: float = PATIENCE_S) -> None:
    """Return when ``holds()`` is true; for what comes from another process or thread without an event to wait for."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def read_until(plain: socket.socket, end: bytes) -> bytes:
    """Return what comes up to ``end``, or up to the end of the connection."""
    heard = b""
    while end not in heard and (came := plain.recv(65536)):
        heard += came
    return heard
