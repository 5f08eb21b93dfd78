"""``deepmovie watch``, of real streams."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from protocols.frame import Rejected
from protocols.zeromq import ZmqSink
from streamer.tally import Tally
from tests.endpoints import frame, picture
from tests.rtsp_server import RtspServer

PAGE_PATIENCE_S = 60.0


@contextmanager
def stream(folder: Path, *, every: int = 1, dropped: int = 0, stale: bool = False) -> Iterator[str]:
    """Publish frames until the block ends; yield where."""
    sink, stop = ZmqSink(f"ipc://{folder / 'stream'}", linger_s=0), threading.Event()
    sink.open()

    def publish() -> None:
        number = 0
        while not stop.wait(0.02):
            image = picture(48, 64, seed=number % 8)
            sink.write(replace(frame(number * every, image=image, stale=stale), dropped=number * dropped))
            number += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield sink.address
    finally:
        stop.set()
        thread.join(10)
        sink.close()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "streamer", "watch", *arguments]


def watch(*arguments: str) -> list[str]:
    """Return what a watch printed that ended well."""
    return subprocess.check_output(command(*arguments), text=True, timeout=60).splitlines()


def test_it_says_each_second_what_came_and_in_the_end_what_came_in_all(tmp_path: Path) -> None:
    with stream(tmp_path, every=3, dropped=1) as url:
        *lines, summary = watch(url, "--seconds", "2.5")
    assert len(lines) == 3
    found = re.fullmatch(
        r" +2 s: ([\d.]+) fps, age (\d+) ms, (\d+) stale, (\d+) dropped, (\d+) lost, (\d+) rejected", lines[1]
    )
    assert found, lines
    fps, age, stale, dropped, lost, rejected = map(float, found.groups())
    assert fps > 5
    assert age < 500
    assert stale == rejected == 0
    assert dropped == lost > 0, "of each two missing frames one was left out on purpose"
    assert summary.startswith(f"{url}: ")


def test_a_film_is_written(tmp_path: Path) -> None:
    with stream(tmp_path) as url:
        watch(url, "--frames", "12", "--out", str(tmp_path / "a.mp4"))
    with av.open(tmp_path / "a.mp4") as film:
        assert len(list(film.decode(video=0))) == 12


def test_a_picture_shows_what_came(tmp_path: Path) -> None:
    with stream(tmp_path) as url:
        [*_, summary] = watch(url, "--out", str(tmp_path / "a.png"))
    assert " 1 frames " in summary
    image = cv2.imread(str(tmp_path / "a.png"))
    assert image is not None
    assert any((image[:, :, ::-1] == picture(48, 64, seed=seed)).all() for seed in range(8))


def test_a_stream_of_a_media_server_can_be_watched(tmp_path: Path) -> None:
    with RtspServer(size=(64, 48)) as server:
        [*_, summary] = watch(server.url("test"), "--frames", "5")
    assert " 5 frames " in summary
    assert "age" not in summary, "nobody knows it"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_summary(tmp_path: Path, number: signal.Signals) -> None:
    with (
        stream(tmp_path) as url,
        subprocess.Popen(command(url, "--out", str(tmp_path / "a.mp4")), stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout
        while " 0.0 fps" in process.stdout.readline():
            pass
        process.send_signal(number)
        told, _ = process.communicate(timeout=20)
        assert process.returncode == 0
    assert "frames in" in told.splitlines()[-1]
    with av.open(tmp_path / "a.mp4") as film:
        assert next(film.decode(video=0))


def test_a_stream_that_is_lost_ends_it_with_69(tmp_path: Path) -> None:
    with RtspServer() as server:
        url = server.url("test", login=("bob", "hunter2"))
        server.kill()
        done = subprocess.run(command(url), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 69
    assert "the stream failed" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("out", ["no folder/a.mp4", "no folder/a.png"])
def test_a_file_that_cannot_be_written_ends_it_with_69(tmp_path: Path, out: str) -> None:
    with stream(tmp_path) as url:
        done = subprocess.run(
            command(url, "--out", str(tmp_path / out)), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 69
    assert "the file failed" in done.stderr


@pytest.mark.parametrize("arguments", [["gopher://x"], ["tcp://10.0.0.7:5555"], ["test:", "--out", "a.avi"]])
def test_what_it_cannot_do_ends_it_with_78(arguments: list[str]) -> None:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "expected" in done.stderr


def test_it_needs_no_torch() -> None:
    code = "import sys, streamer.watch; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_a_tally_counts_within_an_epoch() -> None:
    tally = Tally(clock=lambda: 0.0, wall=time.time)
    for sequence, dropped, epoch in [(0, 0, 1), (1, 0, 1), (5, 2, 1), (900, 7, 2), (900, 7, 2)]:
        tally.count(replace(frame(sequence, epoch=epoch), dropped=dropped))
    tally.count(Rejected("parts", "one part"))
    for numbers in (tally.recent(), tally.whole):
        assert (numbers.frames, numbers.dropped, numbers.lost, numbers.rejected) == (5, 2, 1, 1)
    assert tally.recent().frames == 0


def test_a_stream_is_shown_in_the_browser_as_it_comes(tmp_path: Path) -> None:
    with stream(tmp_path) as url:
        command = [sys.executable, "-m", "streamer", "watch", url, "--page", "127.0.0.1:0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
            assert process.stderr is not None
            try:
                entries = (json.loads(line) for line in process.stderr)
                address = next(entry["address"] for entry in entries if entry["event"] == "http_started")
                shown = first_picture(f"http://{address}/frame.jpg?side=out")
                page = httpx.get(f"http://{address}/view", timeout=PAGE_PATIENCE_S).text
                process.send_signal(signal.SIGTERM)
                rest = process.stderr.read()
                assert process.wait(PAGE_PATIENCE_S) == 0, rest
            finally:
                process.kill()
    assert "<canvas" in page
    sent = [picture(48, 64, seed=seed) for seed in range(8)]
    assert min(float(abs(shown.astype(float) - each).mean()) for each in sent) < 60  # a JPEG of noise; others: 85


def first_picture(url: str) -> NDArray[np.uint8]:
    """Return the picture behind ``url``, RGB, as soon as there is one."""
    deadline = time.monotonic() + PAGE_PATIENCE_S
    while (answer := httpx.get(url, timeout=PAGE_PATIENCE_S)).status_code == 503:
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)
    return np.asarray(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)
