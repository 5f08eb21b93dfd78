"""The picture itself: still, moving for players, and live over a WebSocket."""

import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import pytest
import structlog
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from protocols.jpeg import decode_jpeg
from streamer.config import Http
from streamer.web import connection
from tests.streamer.web.studio import Studio, await_that, open_to_visitors, read_until


def next_picture(socket: ClientConnection) -> bytes:
    """Return the next binary message."""
    while True:
        message = socket.recv(20)
        if isinstance(message, bytes):
            return message


def next_numbers(socket: ClientConnection) -> Any:
    """Return the next text message."""
    while True:
        message = socket.recv(20)
        if isinstance(message, str):
            return json.loads(message)


def hear_to_the_end(socket: ClientConnection) -> None:
    """Read until the connection is closed, which raises."""
    while True:
        socket.recv(20)


@pytest.fixture
def hall(tmp_path: Path) -> Studio:
    """Return a stream of this test alone."""
    return Studio(tmp_path)


def test_before_the_first_frame_there_is_none_and_then_there_is(hall: Studio) -> None:
    with open_to_visitors(hall) as site:
        answer = site.get("/frame.jpg")
        assert (answer.status, answer.json) == (503, {"error": "no frame was painted yet"})
        painted = hall.show(size=(48, 64))
        answer = site.get("/frame.jpg")
        assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
        assert (answer.headers["x-sequence"], answer.headers["x-stale"]) == (str(painted.sequence), "false")
        shapes = {side: site.get(f"/frame.jpg?side={side}").image.shape for side in ("in", "out", "pair", "flow")}
        assert shapes == {"in": (48, 64, 3), "out": (48, 64, 3), "pair": (48, 128, 3), "flow": (48, 64, 3)}
        assert site.get("/frame.jpg?side=back").json["problems"].keys() == {"side"}


def test_a_player_gets_a_motion_jpeg(hall: Studio) -> None:
    hall.show()
    with open_to_visitors(hall) as site, hall.showing():
        with av.open(f"{site.origin}/out.mjpg?side=pair", timeout=20) as player:
            pictures = [
                each.to_ndarray(format="rgb24") for each, _ in zip(player.decode(video=0), range(5), strict=False)
            ]
        assert [each.shape for each in pictures] == [(24, 64, 3)] * 5
        assert len({each.tobytes() for each in pictures}) > 1, "it moves"


def test_while_nothing_new_comes_a_player_gets_the_last_picture_again_marked_stale(hall: Studio) -> None:
    hall.show()
    with open_to_visitors(hall) as site, site.connect() as player:
        player.sendall(f"GET /out.mjpg HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n".encode())
        began = time.monotonic()
        heard = read_until(player, b"X-Stale: true")
        assert heard.count(b"X-Stale: false") == 1
        assert time.monotonic() - began < 5


def test_a_viewer_gets_every_frame_it_is_ready_for_and_the_numbers_once_a_second(hall: Studio) -> None:
    with open_to_visitors(hall) as site, connect(site.live()) as socket:
        numbers = next_numbers(socket)
        assert numbers["type"] == "stats"
        assert numbers["status"]["viewers"] == 1
        assert numbers["settings"]["style"] == "dots"
        for _ in range(5):
            hall.show()
            assert decode_jpeg(next_picture(socket), max_pixels=10**6).shape == (24, 32, 3)
        began = time.monotonic()
        numbers = next_numbers(socket)
        while not numbers["stats"]["frames"]:
            numbers = next_numbers(socket)
        assert time.monotonic() - began < 5
        assert [each["sequence"] for each in numbers["stats"]["frames"]] == list(range(5))
        assert numbers["stats"]["frames"][-1]["energy"] == {
            "total": 4,
            "content": 0.25,
            "style": 0.5,
            "variation": 0.125,
            "temporal": 0.125,
        }
        assert [each["cut"] for each in numbers["stats"]["frames"]] == [True, False, False, False, False]


def test_a_late_viewer_sees_the_last_picture_at_once_and_only_once(hall: Studio) -> None:
    for _ in range(3):
        hall.show()
    with open_to_visitors(hall) as site, connect(site.live("pair")) as socket:
        assert next_picture(socket) == site.get("/frame.jpg?side=pair").body
        hall.show()
        assert next_picture(socket) == site.get("/frame.jpg?side=pair").body


def test_a_viewer_who_speaks_is_shown_the_door(hall: Studio) -> None:
    with open_to_visitors(hall) as site, connect(site.live()) as socket:
        socket.send("hello")
        with pytest.raises(ConnectionClosedError) as caught:
            hear_to_the_end(socket)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1008


def test_viewers_are_told_when_the_daemon_ends(hall: Studio) -> None:
    hall.show()
    with ExitStack() as viewers:
        with open_to_visitors(hall) as site:
            socket = viewers.enter_context(connect(site.live()))
            next_picture(socket)
        with pytest.raises(ConnectionClosedError) as caught:
            hear_to_the_end(socket)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1012, "service restart"


def test_all_viewers_of_a_side_share_one_jpeg(hall: Studio) -> None:
    with open_to_visitors(hall) as site, ExitStack() as viewers:
        sockets = [viewers.enter_context(connect(site.live())) for _ in range(6)]
        hall.show()
        assert len({next_picture(socket) for socket in sockets}) == 1


def test_of_40_viewers_as_many_watch_as_may_and_the_rest_is_told_so(tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    limit = Http().max_viewers
    with open_to_visitors(studio) as site, studio.showing(), ExitStack() as viewers:
        watching = [viewers.enter_context(connect(site.live())) for _ in range(limit)]
        for _ in range(40 - limit):
            with pytest.raises(InvalidStatus, match="503"), connect(site.live()):
                pass
        assert all(next_picture(socket) for socket in watching)
        assert site.get("/out.mjpg").status == 503, "seats are seats"
        assert site.get("/frame.jpg").status == 200, "a full house locks nobody out of the rest"
        assert site.change("POST", "/api/v1/reset").status == 200
        watching.pop().close()
        await_that(lambda: site.get("/api/v1/status").json["viewers"] == limit - 1)
        with connect(site.live()) as late:
            assert next_picture(late)
        viewers.close()
        await_that(lambda: site.get("/api/v1/status").json["viewers"] == 0)


@pytest.mark.parametrize("path", ["/api/v1/live", "/out.mjpg"])
def test_a_viewer_who_never_reads_is_cut_and_the_others_see_every_frame(tmp_path: Path, path: str) -> None:
    studio = Studio(tmp_path)
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n"
    )
    with (
        structlog.testing.capture_logs() as log,
        open_to_visitors(studio) as site,
        studio.showing(fps=20, size=(144, 256)),
        site.connect(receive_buffer=4096) as deaf,
        connect(site.live()) as keen,
    ):
        extra = upgrade if "live" in path else ""
        began = time.monotonic()
        deaf.sendall(f"GET {path} HTTP/1.1\r\nHost: {site.netloc}\r\n{extra}\r\n".encode())
        await_that(lambda: site.get("/api/v1/status").json["viewers"] == 2)
        gaps, last = [], time.monotonic()
        while site.get("/api/v1/status").json["viewers"] == 2:
            assert time.monotonic() - began < 20
            next_picture(keen)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
        cut_after_s = time.monotonic() - began
        assert cut_after_s >= 5
        assert max(gaps) < 2
    cut = [entry for entry in log if entry["event"] == "http_client_cut"]
    assert [entry["client"] for entry in cut] == ["127.0.0.1"]


def test_a_viewer_who_reads_slowly_is_not_cut_and_sees_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(tmp_path)
    monkeypatch.setattr(connection, "STUCK_S", 2.0)  # one picture takes longer than that
    with (
        open_to_visitors(studio) as site,
        studio.showing(fps=10, size=(288, 512)),
        site.connect(receive_buffer=4096) as slow,
    ):
        slow.sendall(f"GET /out.mjpg HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n".encode())
        never, taken = threading.Event(), b""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            taken += slow.recv(2048)
            never.wait(0.03)  # the slowness is the point
        assert 2 <= taken.count(b"--frame\r\n") < studio.shown / 2
        assert site.get("/api/v1/status").json["viewers"] == 1
