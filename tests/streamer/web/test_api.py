"""What programs and the page ask and change."""

import io
import json
import re
import threading
import time
from pathlib import Path

import cv2
import pytest
import structlog
from PIL import Image

from streamer import log as daemon_log
from streamer.config import ConfigError, Problem
from streamer.exchange import Change
from streamer.pulse import Pulse
from streamer.telemetry import State
from tests.endpoints import picture
from tests.streamer.web.studio import Site, Studio, open_to_visitors


def png(height: int = 80, width: int = 100) -> bytes:
    return cv2.imencode(".png", picture(height, width))[1].tobytes()


def test_info_tells_what_runs_and_no_password(site: Site) -> None:
    info = site.get("/api/v1/info").json
    assert (info["name"], info["device"], info["size"], info["max_viewers"]) == ("studio", "cpu", 64, 32)
    assert info["source"] == "rtsp://***@camera/live"
    everything = [site.get(path).body for path in ("/api/v1/info", "/api/v1/status", "/metrics", "/api/v1/logs")]
    assert b"hunter2" not in b"".join(everything)


def test_the_status_says_in_words_what_is_wrong(studio: Studio, site: Site) -> None:
    studio.show()
    assert site.get("/api/v1/status").json["text"] == "running"
    error = "rtsp://joe:hunter2@camera/live: connection refused"
    studio.telemetry.trouble("source", "refused", error=error, retry_in_s=4.2)
    try:
        status = site.get("/api/v1/status").json
        assert status["state"] == "source_lost"
        words = r"source lost [0-2] s ago, trying again in [2-4] s: rtsp://\*\*\*@camera/live: connection refused"
        assert re.fullmatch(words, status["text"]), status["text"]
        (trouble,) = status["troubles"]
        assert (trouble["part"], trouble["reason"]) == ("source", "refused")
        assert 0 < trouble["retry_in_s"] < 4.2
        readiness = site.get("/readyz")
        assert (readiness.status, readiness.json) == (
            503,
            {"ready": False, "reasons": ["source_lost", "source: refused"]},
        )
        assert site.get("/healthz").status == 200, "it lives, though it has nothing to paint"
    finally:
        studio.telemetry.trouble("source", None)
    assert site.get("/readyz").json == {"ready": True, "reasons": []}


def test_a_loop_that_hangs_is_not_healthy(tmp_path: Path) -> None:
    pulse = Pulse()
    with open_to_visitors(Studio(tmp_path, pulses={"painter": pulse})) as site:
        pulse.expect(-1)
        answer = site.get("/healthz")
        assert (answer.status, answer.json["reasons"]) == (503, ["painter hangs"])
        pulse.rest()
        assert site.get("/healthz").status == 200


def test_before_anything_is_painted_and_while_draining_there_is_nothing_to_see(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    with open_to_visitors(studio) as site:
        assert site.get("/readyz").json["reasons"] == ["starting"]
        studio.show()
        assert site.get("/readyz").status == 200
        studio.telemetry.enter(State.DRAINING)
        assert site.get("/readyz").json["reasons"] == ["draining"]


def test_settings_are_changed_all_or_none(studio: Studio, site: Site) -> None:
    before = site.get("/api/v1/settings").json
    assert before == json.loads(studio.control.current.model_dump_json())
    answer = site.change("PATCH", "/api/v1/settings", {"fps": 5, "style": "lines", "blend": "dots"})
    assert answer.status == 200
    assert answer.json == before | {"fps": 5, "style": "lines", "blend": "dots"}
    assert site.change("PATCH", "/api/v1/settings", {"blend": None}).json["blend"] is None

    wrong = {"fps": 6, "iterations": 0, "stile": "dots", "style": "../../etc/passwd"}
    answer = site.change("PATCH", "/api/v1/settings", wrong)
    assert answer.status == 422
    assert answer.json["problems"].keys() == {"iterations", "style", ""}
    assert "did you mean style?" in answer.json["problems"][""]
    assert site.get("/api/v1/settings").json["fps"] == 5
    site.change("PATCH", "/api/v1/settings", {"fps": 10, "style": "dots"})


@pytest.mark.parametrize("body", [b"", b"[]", b"fps=5", b"[" * 60000, b"\xff", b"3", b'{"fps": 5'])
def test_a_body_that_is_no_object_is_refused(site: Site, body: bytes) -> None:
    own = {"Origin": site.origin, "Content-Type": "application/json"}
    answer = site.ask("PATCH", "/api/v1/settings", body, own)
    assert (answer.status, list(answer.json)) == (400, ["error"])


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "true", '"5"', "null", "[5]", "9" * 400])
def test_a_number_that_is_none_is_refused(studio: Studio, site: Site, value: str) -> None:
    before = studio.control.current
    own = {"Origin": site.origin, "Content-Type": "application/json"}
    answer = site.ask("PATCH", "/api/v1/settings", f'{{"iterations": {value}}}'.encode(), own)
    if answer.status == 200:
        assert value == '"5"', "as people write it in the file"
        site.change("PATCH", "/api/v1/settings", {"iterations": before.iterations})
    else:
        assert answer.status == 422
    assert studio.control.current == before


def test_pause_resume_and_reset_reach_the_painter(studio: Studio, site: Site) -> None:
    assert site.change("POST", "/api/v1/pause").json["paused"] is True
    assert studio.control.orders().paused
    assert site.change("POST", "/api/v1/resume").json["paused"] is False
    assert not studio.control.orders().afresh
    assert site.change("POST", "/api/v1/reset").status == 200
    assert studio.control.orders().afresh


def test_a_snapshot_is_the_next_frame_with_its_style(studio: Studio, site: Site) -> None:
    with studio.showing():
        answer = site.change("POST", "/api/v1/snapshot")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["content-disposition"] == 'attachment; filename="studio.png"'
    shot = Image.open(io.BytesIO(answer.body))
    assert shot.size == (32, 24)
    assert "dots" in repr(shot.info)


def test_a_snapshot_waits_five_seconds_for_a_frame(site: Site) -> None:
    began = time.monotonic()
    assert site.change("POST", "/api/v1/snapshot").status == 503
    assert time.monotonic() - began < 10


def test_recording_begins_and_ends(studio: Studio, site: Site) -> None:
    assert site.change("POST", "/api/v1/record", {"on": True}).json == {"on": True}
    assert site.get("/api/v1/status").json["recording"].endswith(".mp4")
    assert "/" not in site.get("/api/v1/status").json["recording"]
    assert site.change("POST", "/api/v1/record", {"on": False}).json == {"on": False}
    assert site.get("/api/v1/status").json["recording"] is None
    assert site.change("POST", "/api/v1/record", {"on": "perhaps"}).json["problems"].keys() == {"on"}
    assert site.change("POST", "/api/v1/record", {}).status == 422
    assert studio.control.recording is None


def test_paintings_are_listed_shown_and_taken_in(site: Site) -> None:
    own = {"Origin": site.origin, "Content-Type": "image/png"}
    assert [each["name"] for each in site.get("/api/v1/styles").json["styles"]] == ["dots", "lines"]
    assert site.ask("PUT", "/api/v1/styles/mine.one", png(), own).json == {"name": "mine.one"}
    mine = site.get("/api/v1/styles").json["styles"][-1]
    assert mine == {"name": "mine.one", "kind": "uploaded", "thumbnail": "/api/v1/styles/mine.one.jpg"}
    assert site.get(mine["thumbnail"]).image.shape == (80, 100, 3)
    assert site.change("PATCH", "/api/v1/settings", {"style": "mine.one"}).status == 200
    assert site.change("PATCH", "/api/v1/settings", {"style": "dots"}).status == 200
    assert site.get("/api/v1/styles/nobody.jpg").status == 404


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("dots", png(), 422),
        ("small", png(8, 8), 422),
        ("torn", png()[:200], 422),
        ("text", b"hello", 422),
        (".hidden", png(), 422),
        ("..%2f..%2fetc%2fpasswd", png(), 404),
        ("a%00b", png(), 422),
        ("n" * 65, png(), 422),
    ],
)
def test_what_is_no_painting_or_no_name_is_refused(
    studio: Studio, site: Site, name: str, body: bytes, status: int
) -> None:
    before = studio.gallery.names()
    own = {"Origin": site.origin, "Content-Type": "image/png"}
    answer = site.ask("PUT", f"/api/v1/styles/{name}", body, own)
    assert answer.status == status, answer.body
    assert studio.gallery.names() == before


def test_an_upload_may_have_16_mib_and_comes_alone(site: Site) -> None:
    own = {"Origin": site.origin, "Content-Type": "image/png"}
    huge = png() + b"\0" * (16 * 2**20)
    assert site.ask("PUT", "/api/v1/styles/huge", huge[: 16 * 2**20], own).status == 200, "all that may come, comes"
    head = f"PUT /api/v1/styles/two HTTP/1.1\r\nHost: {site.netloc}\r\nOrigin: {site.origin}\r\n"
    with site.connect() as first:
        first.sendall(f"{head}Content-Type: image/png\r\nContent-Length: 1000\r\n\r\n".encode())
        answers: list[int] = []
        while 503 not in answers:  # until the first one has arrived there
            answers.append(site.ask("PUT", "/api/v1/styles/two", png(), own).status)
            assert len(answers) < 100
    with site.connect() as large:
        large.sendall(f"{head}Content-Type: image/png\r\nContent-Length: {2**24 + 1}\r\n\r\n".encode())
        assert large.recv(100).startswith(b"HTTP/1.1 413")


def test_the_last_lines_of_the_log_are_shown_without_secrets(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    config = structlog.get_config()
    daemon_log.configure("json", "info")
    try:
        structlog.get_logger().warning("source_lost", error="rtsp://joe:hunter2@camera: refused")
        lines = site.get("/api/v1/logs").json["lines"]
    finally:
        daemon_log.close()
        structlog.configure(**config)
    assert (lines[-1]["event"], lines[-1]["error"]) == ("source_lost", "rtsp://***@camera: refused")
    capfd.readouterr()


def test_reload_does_what_the_daemon_gives_it_to_do(tmp_path: Path) -> None:
    calls: list[str] = []

    def read_again() -> Change:
        calls.append(threading.current_thread().name)
        if len(calls) == 2:
            reason = "expected a number from 0.1 to 240, got 'fast'"
            raise ConfigError(Problem(reason, "paint.fps", "file x.toml"), Problem("unknown setting 'colour'"))
        return Change(("paint.fps",), ("paint.size",))

    with open_to_visitors(Studio(tmp_path)) as site:
        answer = site.change("POST", "/api/v1/reload")
        assert (answer.status, list(answer.json)) == (501, ["error"])
    with open_to_visitors(Studio(tmp_path, reload=read_again)) as site:
        assert site.change("POST", "/api/v1/reload").json == {
            "reloaded": True,
            "changed": ["paint.fps"],
            "restart_needed": ["paint.size"],
        }
        answer = site.change("POST", "/api/v1/reload")
        assert answer.status == 422
        assert answer.json == {
            "error": "file x.toml: paint.fps: expected a number from 0.1 to 240, got 'fast'; unknown setting 'colour'",
            "problems": {"paint.fps": "expected a number from 0.1 to 240, got 'fast'", "": "unknown setting 'colour'"},
        }


def test_what_is_not_there_is_told_in_the_same_form(site: Site) -> None:
    for method, path, status in ("GET", "/nowhere", 404), ("GET", "/static/../app.py", 404), ("DELETE", "/", 405):
        headers = {"Origin": site.origin, "Content-Type": "application/json"}
        answer = site.ask(method, path, headers=headers)
        assert (answer.status, list(answer.json)) == (status, ["error"])


def test_the_pages_come_from_the_package(site: Site) -> None:
    for path in ("/", "/view"):
        answer = site.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"deepmovie" in answer.body
