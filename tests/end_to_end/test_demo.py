"""``deepmovie demo``, whole: three real processes, on a scene a few pixels large and a network a few maps wide."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from time import monotonic

import av
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

from protocols import scene
from tests.tiny import tiny_weights

SIZE = (96, 54)
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
from pathlib import Path
from streamer.paint import Paint
from streamer.demo import Plan, demo
paint = Paint(weights=sys.argv[2], device="cpu")
sys.exit(demo(Path(sys.argv[1]), browser=False, plan=Plan(
    size=({size[0]}, {size[1]}), fps=8, frames=int(sys.argv[3]), paint=paint)))
"""
Running = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Running]:
    """Return a function that starts a demo; what still runs at the end is killed."""
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    environment = {
        **os.environ,
        "COLUMNS": "150",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    environment["DEEPMOVIE_INPUT__MAX_PIXELS"] = "256"  # the demo must not be led astray
    started: list[subprocess.Popen[str]] = []

    def start(out: Path, *, frames: int = 1000) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PROGRAM.format(size=SIZE), str(out), str(weights), str(frames)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


@contextmanager
def painting(demo: "subprocess.Popen[str]") -> Iterator[dict[str, psutil.Process]]:
    """Give the demo's processes by their command once frames are sent; fail if one of them outlives the block."""
    deadline, pause = monotonic() + 60, Event()
    children: dict[str, psutil.Process] = {}
    while set(children) != {"run", "send"}:
        assert demo.poll() is None
        assert monotonic() < deadline, children
        pause.wait(0.05)
        found = {child: child.cmdline() for child in psutil.Process(demo.pid).children()}
        children = {words[4]: child for child, words in found.items() if len(words) > 4}
    try:
        yield children
        _, alive = psutil.wait_procs(list(children.values()), timeout=10)
        assert not alive
    finally:
        for child in children.values():
            with suppress(psutil.NoSuchProcess):
                child.kill()


def test_it_leaves_a_film_and_a_picture_and_says_how_it_went(start: Running, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    demo = start(out, frames=80)
    with painting(demo):
        said, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, said
    assert sorted(path.name for path in out.iterdir()) == ["demo.mp4", "demo.png"]
    assert not list(tmp_path.glob("state/**/*.safetensors")), "the picture of the user's own daemon is not touched"
    figures = {line[:34].strip(): line[34:].split()[0] for line in said.splitlines() if line[34:].split()}
    received, dropped = int(figures["frames received"]), int(figures["frames dropped"])
    assert 72 < received + dropped <= 80, "a live scene leaves frames out when it is late, the last ones too"
    assert figures["frames lost"] == "0"
    assert figures["cuts"] == "1"
    with av.open(str(out / "demo.mp4")) as film:
        pictures = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in film.decode(video=0)]
    assert len(pictures) == received
    assert_the_left_half_is_the_scene(pictures[0], 0)
    assert_the_left_half_is_the_scene(pictures[-1], received + dropped - 1)
    with Image.open(out / "demo.png") as sheet:
        assert sheet.width > 4 * 320
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 1000


def assert_the_left_half_is_the_scene(picture: NDArray[np.uint8], index: int) -> None:
    """Check that it is this frame of the scene, and none beside it."""
    shown = np.asarray(Image.fromarray(picture[:, : picture.shape[1] // 2]).resize(SIZE, Image.Resampling.BOX))
    errors = {other: difference(shown, other) for other in (index, index + 4, index - 4, index + 40)}
    assert min(errors, key=errors.__getitem__) == index, errors


def difference(shown: NDArray[np.uint8], index: int) -> float:
    return float(np.abs(shown.astype(float) - scene.render(index, width=SIZE[0], height=SIZE[1])).mean())


def test_a_daemon_that_dies_is_named_and_nothing_stays_behind(start: Running, tmp_path: Path) -> None:
    demo = start(tmp_path)
    with painting(demo) as children:
        children["run"].kill()
        said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "the daemon was killed by SIGKILL; its last words:" in said
    assert '"event": "started"' in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes(start: Running, tmp_path: Path, number: signal.Signals) -> None:
    demo = start(tmp_path)
    with painting(demo):
        demo.send_signal(number)
        said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "stopped before its end" in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_be_written_is_named_before_any_work(start: Running, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    demo = start(tmp_path / "file")
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "file must be a folder to write to" in " ".join(said.split())
    assert "starting the daemon" not in said
