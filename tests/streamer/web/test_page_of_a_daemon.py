"""The page of the real daemon in a process of its own: what is asked there happens in the stream."""

import io
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import mean
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.sync.client import connect

from tests.end_to_end.daemon import PATIENCE_S, Deepmovie, Kit, deepmovie
from tests.end_to_end.figures import figure
from tests.streamer.web.crowd import Crowd
from tests.streamer.web.studio import TOKEN, Site, await_that
from tests.streamer.web.test_look import next_numbers, next_picture

LOOPBACK = "127.0.0.1:0"
SCENE = "test:#size=64x48"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Return what a daemon needs to paint fast."""
    return Kit.made_in(tmp_path_factory.mktemp("kit"))


@contextmanager
def page(
    kit: Kit, *arguments: str, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[tuple[Deepmovie, Site]]:
    """Run a daemon and yield its page, too."""
    command = kit.command(*arguments, listen=LOOPBACK, **options)
    home = {"XDG_STATE_HOME": str(kit.folder)} | dict(environment or {})
    with deepmovie(command, kit.environment | home) as daemon:
        address = str(daemon.await_entry("http_started").facts["address"])
        host, _, port = address.rpartition(":")
        yield daemon, Site((host, int(port)))


def test_the_page_of_a_daemon_shows_the_stream_and_changes_it(kit: Kit) -> None:
    with page(kit, SCENE, "null:") as (daemon, site):
        await_that(lambda: site.get("/readyz").status == 200)
        with connect(site.live("pair")) as viewer:
            pictures = {next_picture(viewer) for _ in range(4)}
            assert len(pictures) > 1, "it moves"
            numbers = next_numbers(viewer)
            while not numbers["stats"]["frames"]:
                numbers = next_numbers(viewer)
            last = numbers["stats"]["frames"][-1]
            shares = [last["energy"][term] for term in ("content", "style", "variation", "temporal")]
            assert sum(shares) == pytest.approx(1, abs=1e-3)
            assert last["energy"]["total"] > 0
        source, painted = (site.get(f"/frame.jpg?side={side}").image.astype(int) for side in ("in", "out"))
        assert source.shape == painted.shape == (48, 64, 3)
        assert np.abs(source - painted).mean() > 2

        assert site.change("PATCH", "/api/v1/settings", {"iterations": 3, "style": "storm"}).status == 200
        await_that(lambda: site.get("/api/v1/stats").json["frames"][-1]["iterations"] == 3)
        shot = Image.open(io.BytesIO(site.change("POST", "/api/v1/snapshot").body))
        assert "storm" in repr(shot.info)

        assert site.change("POST", "/api/v1/pause").json["paused"]
        await_that(lambda: site.get("/api/v1/status").json["state"] == "paused")
        assert site.change("POST", "/api/v1/resume").status == 200
        await_that(lambda: site.get("/api/v1/status").json["state"] == "running")

        lines = site.get("/api/v1/logs").json["lines"]
        assert {"starting", "started", "source_opened"} <= {line["event"] for line in lines}
        with connect(site.live()) as viewer:
            assert next_picture(viewer)
            daemon.await_stats()


def test_a_source_that_is_lost_is_told_in_words(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    source = f"rtsp://joe:hunter2@127.0.0.1:{port}/live"
    environment = {"DEEPMOVIE_SOURCE": source, "DEEPMOVIE_SINKS": "null:", "DEEPMOVIE_HTTP__TOKEN": TOKEN}
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with page(kit, environment=environment) as (daemon, site):
        daemon.await_entry("source_lost")
        await_that(lambda: site.get("/api/v1/status", **bearer).json["state"] == "source_lost")
        status = site.get("/api/v1/status", **bearer).json
        assert status["text"].startswith("source lost ")
        assert " s ago, trying again " in status["text"]
        assert status["text"].endswith(": the server refuses the connection")
        readiness = site.get("/readyz")
        assert (readiness.status, readiness.json["reasons"]) == (503, ["source_lost", "source: refused"])
        assert site.get("/healthz").status == 200
        assert site.get("/frame.jpg", **bearer).status == 503
        told = b"".join(
            site.get(path, **bearer).body
            for path in (*(f"/api/v1/{name}" for name in ("info", "status", "stats", "logs")), "/metrics", "/readyz")
        )
        assert site.get("/api/v1/status", Authorization=f"Bearer {TOKEN}x").status == 401
    for secret in ("hunter2", "joe", TOKEN):
        assert secret not in told.decode()
        assert secret not in daemon.output


def test_an_address_in_use_ends_the_start_at_once_and_names_the_setting(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        began = time.monotonic()
        done = subprocess.run(
            kit.command(SCENE, "null:", listen=address),
            env=kit.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == 78
    assert f"http.listen: {address} is in use by another program; choose another address" in done.stderr
    assert "--listen off" in done.stderr
    assert '"event": "started"' not in done.stderr
    assert time.monotonic() - began < 10, "torch was not waited for"


def test_visitors_who_break_the_rules_leave_the_stream_alone(kit: Kit) -> None:
    with page(kit, SCENE, "null:") as (daemon, site):
        await_that(lambda: site.get("/readyz").status == 200)
        before = site.get("/api/v1/settings").json
        with Crowd(site, 40) as crowd, site.connect() as slow, site.connect(receive_buffer=4096) as deaf:
            slow.sendall(b"GET / HT")
            deaf.sendall(f"GET /out.mjpg HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n".encode())
            await_that(lambda: crowd.refused == 8)
            evil = {"Origin": "http://evil.example", "Content-Type": "application/json"}
            for path, body in ("settings", b'{"fps": 1}'), ("pause", b"{}"), ("record", b'{"on": true}'):
                method = "PATCH" if path == "settings" else "POST"
                assert site.ask(method, f"/api/v1/{path}", body, evil).status == 403
                assert site.ask(method, f"/api/v1/{path}", body, evil | {"Host": "evil.example"}).status == 421
            seen = daemon.await_stats()["published"]
            daemon.await_stats(lambda stats: stats["published"] > seen + 20)
            status = site.get("/api/v1/status").json
            assert (status["viewers"], status["paused"], status["recording"]) == (32, False, None)
        assert site.get("/api/v1/settings").json == before
        assert daemon.entries("http_rejected")


FULL = bool(os.environ.get("DEEPMOVIE_FULL"))
TURN_S, TURNS = 10.0, 4


@pytest.mark.skipif(not FULL, reason="takes two minutes of a quiet machine; DEEPMOVIE_FULL=1 runs it")
@pytest.mark.timeout(400)
def test_forty_viewers_take_two_percent_of_the_frames_at_most(kit: Kit) -> None:
    with page(kit, "test:#size=256x144", "null:", size=256, fps=10, iterations=8) as (_, site):
        await_that(lambda: site.get("/readyz").status == 200)
        alone, watched = [], []
        for _ in range(TURNS):
            alone.append(_rate(site))
            with Crowd(site, 40):
                await_that(lambda: site.get("/api/v1/status").json.get("viewers") == 32)
                watched.append(_rate(site))
            await_that(lambda: site.get("/api/v1/status").json.get("viewers") == 0)
        fps, iterations = (mean(values) for values in zip(*alone, strict=True))
        fps_watched, iterations_watched = (mean(values) for values in zip(*watched, strict=True))
        noise = (max(alone)[0] - min(alone)[0]) / fps
        change = 1 - fps_watched / fps
        figure(
            "row 36",
            fps=fps,
            fps_watched=fps_watched,
            iterations=iterations,
            iterations_watched=iterations_watched,
            change=change,
            noise=noise,
        )
        assert change <= 0.02 + noise


def _rate(site: Site) -> tuple[float, float]:
    """Return frames per second and iterations per frame over one turn."""
    began, first = time.monotonic(), site.get("/api/v1/stats").json["published"]
    iterations: dict[int, int] = {}
    while time.monotonic() - began < TURN_S:
        time.sleep(1)  # a turn takes its time
        iterations |= {each["sequence"]: each["iterations"] for each in site.get("/api/v1/stats").json["frames"]}
    published = site.get("/api/v1/stats").json["published"] - first
    return published / (time.monotonic() - began), mean(iterations.values())
