"""A real Ray cluster renders: the same film to the bit, whichever of its processes dies."""

import errno
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from protocols.errors import SinkError, SourceError
from streamer.config import ConfigError
from streamer.exits import Exit, FatalError
from streamer.render.attachments import files_named, with_files
from streamer.render.failure import Failure
from streamer.render.looking import look_through
from streamer.render.opening import reel_of
from streamer.render.premises import taken_up
from streamer.render.remote import pack, perform
from streamer.render.scenes import SceneWork
from tests.streamer.render.material import bikes, hashes, rendered, silent, wish, write

PATIENCE_S = 90.0
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None and os.environ.get("CI") != "true", reason="ray is not installed"
)
needs_a_minute = pytest.mark.skipif(
    not os.environ.get("DEEPMOVIE_FULL"), reason="takes most of a minute; DEEPMOVIE_FULL=1 runs it"
)


def render_on_ray(source: Path, out: Path, *more: str) -> "subprocess.Popen[str]":
    """Begin to render on a cluster of this machine, as `material.wish` asks, with more iterations."""
    options = ["--weights", str(out.parent / "tiny.safetensors"), "--style", "storm", "--device", "cpu", "--size", "64"]
    options += ["--iterations", "20", "--first-iterations", "2", "--threads", "1", "--chunk", "5", *more]
    command = [sys.executable, "-m", "streamer", "render", str(source), str(out), *options, "--ray"]
    home = out.parent / "home"  # Ray leaves a token there
    home.mkdir(exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DEEPMOVIE_")}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment | {"HOME": str(home)})


def at_work(process: psutil.Process) -> bool:
    """Return whether a process of the cluster paints now: Ray names it after its task."""
    try:
        return "ray::perform" in " ".join(process.cmdline())
    except psutil.Error:
        return False  # it ended meanwhile


def kill_a_painter(render: "subprocess.Popen[str]") -> None:
    """Kill a process of the cluster that is certainly in the middle of a task: it was stopped there before."""

    def killed() -> bool:
        assert render.poll() is None, render.communicate()
        for process in filter(at_work, psutil.Process(render.pid).children(recursive=True)):
            process.suspend()
            if at_work(process):
                process.kill()
                return True
            process.resume()
        return False

    wait_for(killed)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def chunks(out: Path, stage: str) -> int:
    """Return how many chunks are kept."""
    return len(list(out.with_name(f"{out.name}.work").glob(f"{stage}-*.json")))


@needs_ray
@pytest.mark.timeout(240)
def test_a_cluster_paints_the_same_film_though_a_process_is_killed_in_the_middle(tmp_path: Path) -> None:
    """Two scenes, the sound, and a picture of the newest frame, which travels along."""
    source = write(tmp_path / "source.mp4", bikes()[20:42], sound=True)
    alone = hashes(source, tmp_path / "alone.mp4", iterations=20)
    out = tmp_path / "out.mp4"
    options = ["--hashes", str(tmp_path / "lines"), "--preview", str(tmp_path / "now.png")]
    with render_on_ray(source, out, *options) as render:
        wait_for(lambda: chunks(out, "painted") >= 1 or render.poll() is not None)
        kill_a_painter(render)
        _, told = render.communicate(timeout=PATIENCE_S)
    assert render.returncode == 0, told
    assert (tmp_path / "lines").read_text().splitlines() == alone
    assert out.read_bytes() == (tmp_path / "alone.mp4").read_bytes()
    assert (tmp_path / "now.png").read_bytes().startswith(b"\x89PNG")


@needs_ray
@needs_a_minute
@pytest.mark.timeout(300)
def test_stopped_it_leaves_no_process_and_goes_on_without_the_cluster(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[10:34])
    whole = hashes(source, tmp_path / "whole.mp4", iterations=20, passes=2)
    out = tmp_path / "out.mp4"
    with render_on_ray(source, out, "--passes", "2") as render:
        wait_for(lambda: chunks(out, "pass1") >= 2 or render.poll() is not None)
        started = psutil.Process(render.pid).children(recursive=True)
        render.send_signal(signal.SIGTERM)
        _, told = render.communicate(timeout=PATIENCE_S)
    assert render.returncode == 75, told
    assert "stopped; what is painted is kept" in told
    _, alive = psutil.wait_procs(started, timeout=PATIENCE_S)
    assert alive == []
    assert hashes(source, out, iterations=20, passes=2) == whole


def test_a_machine_with_another_library_says_so(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:3])
    with taken_up(wish(source, tmp_path / "out.mp4")) as (workshop, job):
        film = look_through(job, reel_of(job.source, rate=job.rate), workshop, silent())
        task = SceneWork(film, workshop, film.scenes()[0]).next()
        assert task is not None
        other = pack(replace(job, versions={**job.versions, "torch": "1.0"}), film.survey, None)
        answer = perform(other, task, [])
    assert isinstance(answer, Failure)
    assert isinstance(answer.error(), ConfigError)
    assert str(answer.error()).count("problem in the configuration") == 1
    assert "cannot paint this film the same way: it has torch" in str(answer.error())


def after_the_way(error: Any) -> Exception:
    """Return an error as it arrives from another process."""
    return Failure(*json.loads(json.dumps(astuple(Failure.of(error))))).error()


@pytest.mark.parametrize(
    "error",
    [
        SourceError("no film", reason="eof"),
        ConfigError("no sense", "none at all"),
        FatalError("no memory", code=Exit.RESOURCES),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_ended_the_work_of_another_process_arrives(error: Any) -> None:
    arrived = after_the_way(error)
    assert type(arrived) is type(error)
    assert all(word in str(arrived) for word in getattr(error, "problems", [str(error)]))
    assert getattr(arrived, "code", None) == getattr(error, "code", None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left", "a.mp4"), "a.mp4: No space left"),
        (OSError(errno.ENOSPC, "No space left"), "the work folder: No space left"),  # as a write to an open file
        (OSError("odd"), "the work folder: odd"),
    ],
)
def test_a_disk_that_failed_another_process_is_told_of(error: OSError, words: str) -> None:
    arrived = after_the_way(error)
    assert isinstance(arrived, SinkError)
    assert str(arrived) == words


def test_without_ray_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    source = write(tmp_path / "source.mp4", bikes()[:2])
    with pytest.raises(ConfigError, match=r"pip install 'deepmovie\[ray\]'"):
        rendered(wish(source, tmp_path / "out.mp4", ray=""))


def test_files_that_the_settings_name_are_found_and_may_lie_elsewhere(tmp_path: Path) -> None:
    picture, network = tmp_path / "a=b.jpg", tmp_path / "flow.onnx"
    picture.write_bytes(b"a picture")
    network.write_bytes(b"a network")
    settings = {"mix": (f"{picture}=0.5", "storm=1"), "flow": f"onnx:{network}#range=0..255", "blend": str(picture)}
    paint = wish(tmp_path, tmp_path / "out.mp4", settings=settings).paint
    weights = str(tmp_path / "tiny.safetensors")
    assert files_named(paint) == {name: Path(name) for name in (str(picture), str(network), weights)}
    places = {str(picture): Path("/p"), str(network): Path("/n"), weights: Path("/w")}
    moved = with_files(paint, places)
    assert moved.mix == ("/p=0.5", "storm=1")
    assert (moved.flow, moved.blend, moved.weights) == ("onnx:/n#range=0..255", "/p", "/w")
