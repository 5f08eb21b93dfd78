"""The thread that answers: whatever happens in it, the stream goes on."""

import re
import socket
import threading
import time
from pathlib import Path
from threading import Event

import psutil
import pytest
import structlog

from streamer.exits import FatalError
from streamer.telemetry import State
from streamer.web.server import HttpServer, serve
from streamer.web.stream import Stream
from tests.streamer.web.studio import Site, Studio, await_that, open_to_visitors


def test_a_crash_is_logged_shown_and_mended_while_the_stream_goes_on(tmp_path: Path) -> None:
    studio, tries = Studio(tmp_path), list[float]()
    studio.show()

    def fail_first(stream: Stream, listener: socket.socket, stop: Event) -> None:
        tries.append(time.monotonic())
        if len(tries) == 1:
            listener.close()
            raise MemoryError("no room for visitors")
        serve(stream, listener, stop)

    server = HttpServer(studio.stream, run=fail_first, restart_s=1.0)
    with structlog.testing.capture_logs() as log:
        server.start()
        try:
            await_that(lambda: "http" in studio.telemetry.snapshot().troubles)
            snapshot = studio.telemetry.snapshot()
            assert snapshot.state is State.DEGRADED
            told = str(snapshot.troubles["http"])
            assert re.match(r"http lost [01] s ago, trying again (in [01] s|now): no room", told), told
            studio.show()
            await_that(lambda: not studio.telemetry.snapshot().troubles)
            assert server.address is not None
            assert Site(server.address).get("/healthz").status == 200
        finally:
            server.stop()
    assert tries[1] - tries[0] >= 1.0
    failures = [entry for entry in log if entry["event"] == "http_failed"]
    assert [entry["error"] for entry in failures] == ["no room for visitors"]


def test_a_crash_in_the_loop_is_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(tmp_path)
    from streamer.web import serving

    async def break_down(self: object, counter: int) -> bool:
        raise OSError("broken")

    server = HttpServer(studio.stream, restart_s=0.5)
    with monkeypatch.context() as patch, structlog.testing.capture_logs() as log:
        patch.setattr(serving.Server, "on_tick", break_down)
        server.start()
        await_that(lambda: "http" in studio.telemetry.snapshot().troubles)
    try:
        studio.show()  # the painter finds nobody of the loop that is gone
        await_that(lambda: "http" not in studio.telemetry.snapshot().troubles)
        assert server.address is not None
        await_that(lambda: Site(server.address).get("/frame.jpg").status == 200)
    finally:
        server.stop()
    assert "http_failed" in {entry["event"] for entry in log}


def test_an_address_that_is_taken_is_told_with_what_to_change(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(FatalError) as caught:
            HttpServer(Studio(tmp_path, listen=address).stream).start()
    assert caught.value.code == 78
    assert f"http.listen: {address} is in use by another program" in str(caught.value)
    assert "--listen" in str(caught.value)


def test_off_means_that_nothing_listens(tmp_path: Path) -> None:
    server = HttpServer(Studio(tmp_path, listen="off").stream)
    server.start()
    assert server.address is None
    assert not server.is_running
    server.stop()


def test_threads_and_descriptors_are_what_they_were_after_a_visit(tmp_path: Path) -> None:
    studio = Studio(tmp_path)

    def visit() -> None:
        with open_to_visitors(studio) as site:
            studio.show()
            for side in ("in", "out", "pair", "flow"):
                assert site.get(f"/frame.jpg?side={side}").status == 200
            assert site.get("/metrics").status == 200
            with site.connect() as viewer:
                viewer.sendall(f"GET /out.mjpg HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n".encode())
                assert viewer.recv(100).startswith(b"HTTP/1.1 200")

    process = psutil.Process()
    visit()
    threads, descriptors = set(threading.enumerate()), process.num_fds()
    for _ in range(3):
        visit()
    await_that(lambda: set(threading.enumerate()) <= threads)
    assert process.num_fds() == descriptors


def test_it_ends_in_time_though_a_viewer_does_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    studio = Studio(tmp_path)
    with studio.showing(size=(144, 256)), open_to_visitors(studio) as site, site.connect(receive_buffer=4096) as deaf:
        deaf.sendall(f"GET /out.mjpg HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n".encode())
        await_that(lambda: site.get("/api/v1/status").json["viewers"] == 1)
        shown = studio.shown
        await_that(lambda: studio.shown > shown + 30)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert not [each for each in caplog.records if each.levelname == "ERROR"], "nobody had to be waited for"
