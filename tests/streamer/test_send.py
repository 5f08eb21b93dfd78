"""``deepmovie send``, over real sockets."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import zmq


def send(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "streamer", "send", *arguments], stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


def receive(socket: "zmq.Socket[bytes]", count: int, *, within_s: float = 20.0) -> list[dict[str, Any]]:
    """Return the headers of the next ``count`` messages."""
    headers: list[dict[str, Any]] = []
    deadline = time.monotonic() + within_s
    while len(headers) < count:
        assert socket.poll(max(0, int(1000 * (deadline - time.monotonic())))), f"{len(headers)} of {count} frames"
        header, _picture = socket.recv_multipart()
        headers.append(json.loads(header))
    return headers


@pytest.fixture
def camera_url(tmp_path: Path) -> str:
    return f"ipc://{tmp_path / 'camera'}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_frames_arrive_until_a_signal_ends_it_with_0(camera_url: str, number: signal.Signals) -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.bind(camera_url)
        with send("test:", f"push+connect:{camera_url}", "--name", "porch") as sender:
            headers = receive(socket, 5)
            sender.send_signal(number)
            _, error = sender.communicate(timeout=10)
            assert sender.returncode == 0, error
    assert {header["msg"] for header in headers} == {"porch"}
    assert "Traceback" not in error
    assert "fps" in error


def test_a_slower_rate_leaves_frames_out_and_says_so(camera_url: str) -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.bind(camera_url)
        with send("test:", f"push+connect:{camera_url}", "--fps", "5", "--frames", "4") as sender:
            headers = receive(socket, 4)
            sender.communicate(timeout=10)
            assert sender.returncode == 0
    gaps = [after["seq"] - before["seq"] - 1 for before, after in pairwise(headers)]
    dropped = [after["dropped"] - before["dropped"] for before, after in pairwise(headers)]
    assert gaps == dropped
    assert sum(gaps) > 0


def test_a_file_is_sent_whole_in_time_and_ends_with_0(camera_url: str, tmp_path: Path) -> None:
    frames, fps = 12, 20.0
    path = tmp_path / "clip.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=60)
        stream.width, stream.height = 64, 48
        for level in range(frames):
            picture = np.full((48, 64, 3), 20 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.bind(camera_url)
        with send(str(path), f"push+connect:{camera_url}", "--fps", str(fps)) as sender:
            headers = receive(socket, frames)
            _, error = sender.communicate(timeout=10)
            assert sender.returncode == 0, error
    assert [header["seq"] - headers[0]["seq"] for header in headers] == list(range(frames))
    times = [header["captured_at"] for header in headers]
    assert times[-1] - times[0] > 0.9 * (frames - 1) / fps


def test_a_source_that_cannot_be_opened_ends_with_69(camera_url: str, tmp_path: Path) -> None:
    with send(str(tmp_path / "missing.mp4"), f"pub+bind:{camera_url}") as sender:
        _, error = sender.communicate(timeout=30)
    assert sender.returncode == 69
    assert "the source failed" in error
    assert "Traceback" not in error


def test_a_port_in_use_ends_with_69() -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with send("test:", f"pub+bind:tcp://127.0.0.1:{port}") as sender:
            _, error = sender.communicate(timeout=30)
    assert sender.returncode == 69
    assert "the sink failed" in error
