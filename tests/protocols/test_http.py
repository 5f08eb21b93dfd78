"""Streams over HTTP, from a real server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from protocols.errors import SourceError
from protocols.frame import Frame
from protocols.video import VideoSource
from tests.protocols.films import scenery, write_film


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder; asks for a password under /private."""

    def do_GET(self) -> None:
        if self.path.startswith("/private"):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="films"')
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - their name
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Quiet(*args, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_stream_over_http_gives_its_frames_and_its_end_is_a_loss(tmp_path: Path) -> None:
    write_film(tmp_path / "a.ts", scenery(30), form="mpegts")
    with served(tmp_path) as host:
        frames = VideoSource(f"http://{host}/a.ts", kind="http", live=True).frames(threading.Event())
        received = [next(frames) for _ in range(30)]
        with pytest.raises(SourceError) as caught:
            next(frames)
    assert all(isinstance(frame, Frame) for frame in received)
    assert caught.value.reason == "eof"


@pytest.mark.parametrize(("path", "reason"), [("nowhere.ts", "not_found"), ("private.ts", "auth")])
def test_a_refusal_over_http_has_its_reason_and_no_password(tmp_path: Path, path: str, reason: str) -> None:
    with served(tmp_path) as host:
        source = VideoSource(f"http://bob:hunter2@{host}/{path}", kind="http", live=True)
        with pytest.raises(SourceError) as caught:
            list(source.frames(threading.Event()))
    assert caught.value.reason == reason
    assert "hunter2" not in repr([source, caught.value, caught.value.__cause__, caught.value.__context__])
