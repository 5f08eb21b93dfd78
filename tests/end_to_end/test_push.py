"""A server that is pushed to dies, freezes, refuses and crawls: it comes back, and the other outputs never notice.

``[row 35]`` in the output of ``pytest -rP`` are the figures of that row of the fault table.
"""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import psutil
import pytest

from tests.end_to_end.daemon import PATIENCE_S, Deepmovie, Kit, deepmovie
from tests.end_to_end.figures import figure
from tests.end_to_end.test_faults import local
from tests.end_to_end.viewer import Viewer, in_order, unexplained_gaps, viewer
from tests.protocols.test_push import Place, slow_line, watched
from tests.protocols.test_rtsp import hold, scripted
from tests.rtsp_server import RtspServer

FPS = 20
LOGIN = ("bob", "hunter2")


@contextmanager
def painted(kit: Kit, *sinks: str) -> Iterator[tuple[Deepmovie, Viewer]]:
    """Paint the built-in scene for a viewer and for other sinks; at the end, nobody may have missed a frame."""
    address = local()
    with viewer(address) as eyes:
        command = kit.command("test:#fps=20", address, *sinks, fps=FPS)
        with deepmovie(command, kit.environment) as daemon:
            eyes.await_frames(5)
            yield daemon, eyes
    assert in_order(eyes.fresh)
    assert unexplained_gaps(eyes.fresh) == 0
    assert "hunter2" not in daemon.output


def longest_pause_s(eyes: Viewer, *, since: float) -> float:
    """Return how long the viewer waited for the next picture at most."""
    times = [each.at for each in eyes.seen if each.at >= since]
    return max(after - before for before, after in pairwise(times))


@pytest.fixture(params=["rtsp", "rtmp"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(request.param, tmp_path_factory.mktemp("server"))
    yield place
    place.end()


def test_a_server_that_dies_or_freezes_is_pushed_to_again_and_nobody_else_notices(kit: Kit, place: Place) -> None:
    # Fine pictures, so that the frozen server's kernel soon has no room for more.
    with painted(kit, f"{place.push_url}#crf=1") as (daemon, eyes):
        assert watched(place.watch_url).shape == (36, 64, 3)
        began = time.monotonic()
        cpu_before = pusher(daemon).cpu_times()

        place.server.kill()
        dead = daemon.await_entry("sink_lost", after=began)
        assert dead.facts["reason"] == "eof"
        assert daemon.await_stats()["state"] != "stopped"
        place.start()
        back_at = time.monotonic()
        found = daemon.await_entry("sink_opened", after=dead.at)
        assert watched(place.watch_url).shape == (36, 64, 3)

        place.server.freeze()
        frozen_at = time.monotonic()
        frozen = daemon.await_entry("sink_lost", after=frozen_at)
        place.server.thaw()
        daemon.await_entry("sink_opened", after=frozen.at)
        figure("row 35", server=place.push_url.partition(":")[0], killed_noticed_s=dead.at - began,
               killed_back_s=found.at - back_at, frozen_noticed_s=frozen.at - frozen_at,
               frozen_reason=frozen.facts["reason"], others_longest_pause_s=longest_pause_s(eyes, since=began),
               pusher_cpu_s=sum(cpu_before[:2]))  # fmt: skip
    assert dead.at - began < 2
    assert found.at - back_at < 8
    assert longest_pause_s(eyes, since=began) < 2


def test_a_wrong_password_is_tried_seldom_and_named(kit: Kit) -> None:
    with RtspServer(login=LOGIN) as server:
        url = server.url("push", login=("bob", "hunter22"))
        with painted(kit, url) as (daemon, eyes):
            lost = daemon.await_entry("sink_lost")
            eyes.await_frames(20, after=lost.at)
    assert lost.facts["reason"] == "auth"
    assert lost.facts["retry_in_s"] >= 4


def test_a_server_that_never_answers_keeps_nobody_else_waiting(kit: Kit) -> None:
    with (
        scripted(hold) as port,
        painted(kit, f"rtsp://bob:hunter2@127.0.0.1:{port}/push#timeout=2s") as (daemon, eyes),
    ):
        began = time.monotonic()
        lost = daemon.await_entry("sink_lost")
        assert lost.facts["reason"] == "open_timeout"
        again = daemon.await_entry("sink_lost", after=lost.at)
        pause_s = longest_pause_s(eyes, since=began)
    figure("row 35", silent_server_given_up_s=again.at - lost.at - lost.facts["retry_in_s"], timeout_s=2,
           others_longest_pause_s=pause_s)  # fmt: skip
    assert pause_s < 2


def test_a_slow_line_costs_frames_of_its_own_only(kit: Kit) -> None:
    def gave_way(facts: Mapping[str, Any]) -> bool:
        [pushed] = [sink for name, sink in facts["sinks"].items() if name.startswith("rtsp")]
        return bool(sum(pushed["dropped"].values()))

    with (
        RtspServer() as server,
        slow_line(server.port, bytes_per_s=10_000) as port,
        painted(kit, f"rtsp://127.0.0.1:{port}/push#crf=1") as (daemon, eyes),
    ):
        began = time.monotonic()
        daemon.await_stats(gave_way)
        eyes.await_frames(20, after=began)
        pause_s = longest_pause_s(eyes, since=began)
    figure("row 35", line_bytes_per_s=10_000, others_longest_pause_s=pause_s)
    assert pause_s < 2


def test_no_process_outlives_a_daemon_that_is_killed(kit: Kit) -> None:
    with RtspServer() as server:
        command = kit.command("test:", server.url("push"))
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=kit.environment, text=True
        ) as process:
            daemon = Deepmovie(process)
            daemon.await_stats(lambda facts: any(sink["written"] for sink in facts["sinks"].values()))
            child = pusher(daemon)
            assert "protocols.pusher" in child.cmdline()
            process.kill()
            killed_at = time.monotonic()
            child.wait(PATIENCE_S)
            figure("row 35", pusher_outlives_daemon_s=time.monotonic() - killed_at)
            daemon.join()


def pusher(daemon: Deepmovie) -> psutil.Process:
    """Return the process that pushes."""
    [child] = psutil.Process(daemon.process.pid).children()
    return child
