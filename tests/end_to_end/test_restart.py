"""The real daemon, killed at any moment: the picture goes on where it was.

``[row N]`` in the output of ``pytest -rP`` is the figure of one row of the fault table. ``DEEPMOVIE_FULL=1`` kills
fifty times.
"""

import os
import random
import resource
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from tests.end_to_end.daemon import Kit, deepmovie, mortal
from tests.end_to_end.figures import figure, percentile
from tests.end_to_end.test_faults import local, send_image
from tests.end_to_end.viewer import Seen, Viewer, unexplained_gaps, viewer
from tests.protocols.listener import wait_until

FULL = os.environ.get("DEEPMOVIE_FULL") == "1"
KILLS = 50 if FULL else 4
FIRST, STEADY = 10, 30
"""Frames after a start, and before a kill, whose temporal errors are compared."""
LONGEST_LIFE_S = 1.0
FEED_FPS = 25
SWAY_PX, SWAY_PX_PER_FRAME, NOISE_LEVELS = 3.0, 0.03, 2.0


def landscape(*, seed: int) -> NDArray[np.uint8]:
    """Return a picture larger than a frame, of fields of color with some detail."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (256, 192), interpolation=cv2.INTER_CUBIC), np.uint8)


class Camera:
    """Films a landscape, swaying a little, with noise, and sends that; while nobody listens, time stands still."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.landscape = landscape(seed=1)
        self._socket = socket
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._film)

    def _film(self) -> None:
        sequence, noise = 1, np.random.default_rng(0)
        while not self._stop.wait(1 / FEED_FPS):
            angle = SWAY_PX_PER_FRAME / SWAY_PX * sequence
            center = 128 + SWAY_PX * np.cos(angle), 96 + SWAY_PX * np.sin(angle)
            view = cv2.getRectSubPix(self.landscape, (64, 48), center) + noise.normal(0, NOISE_LEVELS, (48, 64, 3))
            try:
                send_image(self._socket, sequence, view.clip(0, 255).astype(np.uint8))
            except zmq.Again:
                continue
            sequence += 1

    def __enter__(self) -> "Camera":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def camera(address: str) -> Iterator[Camera]:
    """Film, and send to an address."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.linger, socket.sndtimeo, socket.sndhwm, socket.immediate = 0, 0, 2, 1
        socket.connect(address)
        with Camera(socket) as filming:
            yield filming


def environment(kit: Kit, *, every_s: float = 0.2) -> dict[str, str]:
    """Return the environment of a daemon that keeps its picture so often."""
    return kit.environment | {"DEEPMOVIE_RESTART__EVERY_S": str(every_s)}


def folder() -> Path:
    """Return where the daemons of this test keep their pictures."""
    return Path(os.environ["XDG_STATE_HOME"]) / "deepmovie/checkpoints"


def errors(frames: Sequence[Seen]) -> list[float]:
    return [each.header["temporal_error"] for each in frames if each.header["temporal_error"] is not None]


def mean(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and its standard error: few kills leave some doubt, fifty nearly none."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def apart(one: Seen, other: Seen) -> float:
    """Return the RMSE of two pictures, 0 to 1."""
    return float(np.sqrt(((one.image / 255.0 - other.image / 255.0) ** 2).mean()))


def has_published(stats: Mapping[str, Any]) -> bool:
    return bool(stats["published"])


def of_next_life(eyes: Viewer, count: int) -> list[Seen]:
    """Return the first frames of the daemon that is started now."""
    past = {each.header["epoch"] for each in eyes.seen}
    return eyes.await_frames(count, lambda each: each.header["epoch"] not in past)


@pytest.mark.timeout(900 if FULL else 240)
def test_killed_at_any_moment_the_picture_goes_on_where_it_was(kit: Kit) -> None:
    feed, address, rng = local(), local(), random.Random(46)
    command, kept = kit.command(f"pull+bind:{feed}", address), environment(kit)
    resumed, first, started_s = 0, list[float](), list[float]()
    with viewer(address) as eyes, camera(feed):
        with mortal(command, kept):
            fresh = of_next_life(eyes, 30 + STEADY)
        steady = errors(fresh[-STEADY:])
        for _ in range(KILLS):
            with mortal(command, kept) as daemon:
                frames = of_next_life(eyes, FIRST)
                was_restored = bool(daemon.entries("checkpoint_restored"))
                resumed += was_restored and not any(each.header["cut"] for each in frames)
                started_s.append(frames[0].at - daemon.await_entry("started").at)
                first += errors(frames)
                threading.Event().wait(rng.uniform(0, LONGEST_LIFE_S))
        with mortal(command, kept):
            steady += errors(of_next_life(eyes, 30 + STEADY)[-STEADY:])
    (first_error, first_doubt), (steady_error, steady_doubt) = mean(first), mean(steady)
    afresh_error, _ = mean(errors(fresh[:FIRST]))
    doubt = float(np.hypot(first_doubt, 1.2 * steady_doubt))
    figure("row 46", kills=KILLS, resumed=resumed, first_error=first_error, steady_error=steady_error,
           ratio=first_error / steady_error, doubt=doubt, begun_afresh_error=afresh_error,
           first_frame_p95_s=percentile(started_s, 0.95))  # fmt: skip
    assert resumed == KILLS
    assert first_error <= 1.2 * steady_error + 2 * doubt
    assert first_error < (steady_error + afresh_error) / 2


def test_the_next_start_goes_on_from_the_last_picture_unless_it_is_damaged_or_of_another_scene(kit: Kit) -> None:
    feed, address = local(), local()
    command, kept = kit.command(f"pull+bind:{feed}", address), environment(kit, every_s=3600)
    with viewer(address) as eyes, camera(feed) as filming:
        with deepmovie(command, kept):
            early = of_next_life(eyes, 40)[0]
        last = eyes.fresh[-1]
        with deepmovie(command, kept) as daemon:
            [same] = of_next_life(eyes, 1)
            daemon.await_entry("checkpoint_restored")
            cuts_in_the_same = daemon.await_stats(has_published)["cuts"]
        filming.landscape = landscape(seed=2)
        with deepmovie(command, kept) as daemon:
            _, *others = of_next_life(eyes, 5)
            daemon.await_entry("checkpoint_restored")
            cuts_to_another = daemon.await_stats(has_published)["cuts"]
        for path in folder().iterdir():
            flip(path)
        with deepmovie(command, kept) as daemon:
            of_next_life(eyes, 1)
            daemon.await_entry("checkpoint_rejected", lambda facts: facts["reason"] == "damaged")
            begun_afresh = daemon.await_stats(has_published)["cuts"]
    figure("restart", from_the_last_picture=apart(last, same), from_the_first=apart(early, last))
    # The daemon counts the cuts: the viewer may come too late for its very first picture.
    assert (cuts_in_the_same, cuts_to_another, begun_afresh) == (0, 1, 1)
    assert same.header["temporal_error"] is not None
    assert not any(each.header["cut"] for each in others)


def flip(path: Path) -> None:
    """Change a bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_disk_that_fills_up_costs_no_frame(kit: Kit) -> None:
    feed, address = local(), local()
    command = kit.command(f"pull+bind:{feed}", address)
    with viewer(address) as eyes, camera(feed), deepmovie(command, environment(kit)) as daemon:
        eyes.await_frames(10)
        wait_until(lambda: len(list(folder().glob("*.safetensors"))) == 2, "both files")
        pid = daemon.process.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]))
        entry = daemon.await_entry("disk_error")
        state = daemon.await_stats()["state"]
        frames = eyes.await_frames(20, after=entry.at)
        whole = sorted(path.name for path in folder().iterdir())
    figure("row 49", what=entry.facts["what"], frames=len(frames), unexplained=unexplained_gaps(frames))
    assert (entry.facts["what"], entry.facts["retry_in_s"]) == ("checkpoint", 30.0)
    assert state == "degraded"
    assert unexplained_gaps(frames) == 0
    assert whole == ["deepmovie.0.safetensors", "deepmovie.1.safetensors"]
