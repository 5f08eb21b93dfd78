"""The main job: frames in over RTSP or from stock imageZMQ senders, painted frames out to a stock imageZMQ hub.

With ``DEEPMOVIE_FULL=1`` the long run with the real network is made too; it takes 70 s and wants a quiet machine:

    DEEPMOVIE_FULL=1 .venv/bin/pytest tests/end_to_end/test_live.py -k minute -rP
"""

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import cv2
import imagezmq
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from tests import clips
from tests.end_to_end.daemon import QUIET, Kit, deepmovie, usual_environment
from tests.end_to_end.figures import figure, percentile
from tests.end_to_end.viewer import Seen, in_order, unexplained_gaps, viewer
from tests.protocols.listener import wait_until
from tests.protocols.test_zeromq import free_port
from tests.rtsp_server import RtspServer

LOGIN = ("bob", "hunter2-of-the-hall")
LIVE_S, FULL_S = 8.0, 60.0
FULL = os.environ.get("DEEPMOVIE_FULL") == "1"


def summary(frames: Sequence[Seen], *, seconds: float) -> dict[str, object]:
    """Return the figures of a stream as its viewer saw it."""
    ages = [each.age_s * 1000 for each in frames]
    return {
        "frames": len(frames),
        "seconds": seconds,
        "fps": (len(frames) - 1) / (frames[-1].at - frames[0].at),
        "age_p50_ms": percentile(ages, 0.5),
        "age_p95_ms": percentile(ages, 0.95),
        "iterations": float(np.mean([each.header["iterations"] for each in frames])),
        "dropped": frames[-1].header["dropped"] - frames[0].header["dropped"],
        "unexplained": unexplained_gaps(frames),
        "cuts": sum(each.header["cut"] for each in frames),
    }


def test_a_film_from_an_rtsp_server_is_painted_for_a_stock_hub(kit: Kit) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with RtspServer(clip=clips.path("bikes"), size=(160, 68), login=LOGIN) as server, viewer(address) as eyes:
        environment = kit.environment | {"DEEPMOVIE_SOURCE": server.url("clip"), "DEEPMOVIE_SINKS": address}
        command = kit.command("--name", "hall", iterations=2, fps=10)
        with deepmovie(command, environment) as daemon:
            (first,) = eyes.await_frames()
            eyes.await_frames(holds=lambda each: each.at > first.at + LIVE_S)
            shown_to_all = psutil.Process(daemon.process.pid).cmdline()
        frames = eyes.fresh
    figure("live", **summary(frames, seconds=LIVE_S))
    assert len(frames) > 3 * LIVE_S
    assert in_order(frames)
    assert unexplained_gaps(frames) == 0
    assert {each.name for each in frames} == {"hall"}
    assert {each.image.shape for each in frames} == {(27, 64, 3)}
    assert all(1 <= each.header["iterations"] <= 2 for each in frames)
    assert all(0 <= each.header["age_ms"] / 1000 <= each.age_s + 0.005 for each in frames)
    assert percentile([each.age_s for each in frames], 0.5) < 0.5
    assert np.std([each.image.mean() for each in frames]) > 1, "the picture does not move"
    assert LOGIN[1] not in daemon.output + repr(shown_to_all) + repr([each.header for each in frames])


@pytest.mark.skipif(not FULL, reason="takes a minute of both cores; DEEPMOVIE_FULL=1 runs it")
def test_a_minute_of_film_is_painted_by_the_real_network(kit: Kit) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with RtspServer(clip=clips.path("bikes"), size=(640, 272)) as server, viewer(address) as eyes:
        command = [sys.executable, "-m", "streamer", "run", server.url("clip"), address, *QUIET]
        with deepmovie(command, usual_environment()) as daemon:
            (first,) = eyes.await_frames()
            for second in range(1, round(FULL_S) + 1):
                eyes.await_frames(holds=lambda each, until=first.at + second: each.at > until)  # type: ignore[misc]
        frames = eyes.fresh
    stats = daemon.entries("stats")[-1].facts
    inside = {key: stats[key] for key in ("age_p50_ms", "age_p95_ms", "age_p99_ms", "iterations", "fps")}
    figure("full", **summary(frames, seconds=FULL_S))
    figure("full, by the daemon", **inside, received=stats["received"], dropped=stats["dropped"], lost=stats["lost"])
    assert in_order(frames)
    assert unexplained_gaps(frames) == 0


def scene(*, seed: int) -> NDArray[np.uint8]:
    """Return a picture of a few large fields of color, BGR."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC), np.uint8)


def likeness(painted: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Return the correlation of two pictures' brightness."""
    return float(np.corrcoef(painted.mean(-1).ravel(), image.mean(-1).ravel())[0, 1])


def send(sender: Any, form: str, image: NDArray[np.uint8]) -> None:
    """Send a picture as stock imageZMQ users do."""
    if form == "raw":
        sender.send_image("door", image)
    else:
        sender.send_jpg("door", cv2.imencode(".jpg", image)[1])


@pytest.mark.parametrize("waits_for_replies", [True, False], ids=["REQ/REP", "PUB/SUB"])
def test_what_a_stock_sender_sends_is_painted_for_a_stock_hub(kit: Kit, waits_for_replies: bool) -> None:  # noqa: FBT001 - a parameter
    feed, address = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    source = f"rep+bind:{feed}" if waits_for_replies else feed
    sender = imagezmq.ImageSender(connect_to=feed, REQ_REP=waits_for_replies)
    sender.zmq_socket.linger = 0
    pause, sent = threading.Event(), 0
    with sender, viewer(address) as eyes, deepmovie(kit.command(source, address), kit.environment) as daemon:
        for seed, form in enumerate(("raw", "jpeg")):
            image, other = scene(seed=seed), scene(seed=1 - seed)
            before = len(eyes.fresh)

            def feed_one(form: str = form, image: NDArray[np.uint8] = image) -> None:
                nonlocal sent
                send(sender, form, image)
                sent += 1
                pause.wait(0.03)

            wait_until(lambda before=before: len(eyes.fresh) >= before + 24, "the frames", meanwhile=feed_one)  # type: ignore[misc]
            painted = eyes.fresh[before + 4 : before + 24]
            assert all(likeness(each.image, image) > 0.5 > likeness(each.image, other) for each in painted)
            assert not any(np.array_equal(each.image, image) for each in painted)
        frames = eyes.fresh
    assert in_order(frames)
    assert unexplained_gaps(frames) == 0
    assert {each.name for each in frames} == {"deepmovie"}
    stats = daemon.entries("stats")[-1].facts
    assert set(stats["dropped"]) <= {"busy", "draining"}
    if waits_for_replies:
        assert stats["received"] == sent, "each frame that was answered was received"
