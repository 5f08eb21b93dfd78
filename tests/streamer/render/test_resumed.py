"""A render that is killed, stopped or forsaken goes on, and comes out the same to the bit."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.streamer.render.material import bikes, hashes, pictures, times, write
from tests.streamer.render.mortal import Mortals

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    with Mortals() as started:
        yield started


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of the real clip, with sound."""
    return write(tmp_path_factory.mktemp("film") / "source.mp4", bikes()[10:90], sound=True)


@pytest.fixture(scope="module")
def whole(film: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[str]]:
    """The film rendered without an interruption, and its frames' hashes."""
    out = tmp_path_factory.mktemp("whole") / "whole.mp4"
    lines = hashes(film, out, iterations=4)
    return out.read_bytes(), lines


def chunks(out: Path) -> set[str]:
    """Return the chunks that are done."""
    return {path.name for path in out.with_name(f"{out.name}.work").glob("painted-*.json")}


def await_chunks(out: Path, count: int) -> None:
    """Wait until so many chunks are done."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while len(chunks(out)) < count:
        assert time.monotonic() < deadline, f"{len(chunks(out))} of {count} chunks"
        pause.wait(0.01)


def test_killed_again_and_again_it_comes_out_the_same(
    mortals: Mortals, film: Path, whole: tuple[bytes, list[str]], tmp_path: Path
) -> None:
    out, chance = tmp_path / "out.mp4", random.Random(4)
    kills, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        before = len(chunks(out))
        process = mortals.start(film, out, iterations=4)
        if kills < 6:
            await_chunks(out, before + chance.randint(0, 2))
            time.sleep(chance.uniform(0, 0.15))
            os.kill(process, signal.SIGKILL)
        code = mortals.wait()
        if code < 0:
            kills += 1
            assert len(chunks(out)) >= before  # nothing that was done is lost
    assert code == 0
    assert kills >= 4
    assert out.read_bytes() == whole[0]


def test_a_dead_worker_is_replaced_and_forsaken_ones_end_and_nothing_is_lost(
    mortals: Mortals, film: Path, whole: tuple[bytes, list[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    process = psutil.Process(mortals.start(film, out, iterations=4, jobs=2))
    await_chunks(out, 1)
    [first, second] = process.children()
    first.kill()
    await_chunks(out, len(chunks(out)) + 1)
    deadline = time.monotonic() + PATIENCE_S
    while not set(process.children()) - {first, second}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = process.children()
    process.kill()
    assert mortals.wait() == -signal.SIGKILL
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
    assert alive == []
    assert "was killed by SIGKILL; another one goes on" in out.with_name("out.mp4.told").read_text()

    done = chunks(out)
    process = psutil.Process(mortals.start(film, out, iterations=4, jobs=2))
    await_chunks(out, len(done) + 1)
    workers = process.children()
    process.terminate()
    assert mortals.wait() == 75
    assert not any(worker.is_running() for worker in workers)
    assert "stopped; what is painted is kept" in out.with_name("out.mp4.told").read_text()
    assert done < chunks(out)

    assert hashes(film, out, iterations=4) == whole[1]
    assert out.read_bytes() == whole[0]


def test_what_is_painted_so_far_can_be_watched(mortals: Mortals, film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    process = mortals.start(film, out, iterations=4)
    await_chunks(out, 3)
    os.kill(process, signal.SIGINT)
    assert mortals.wait() == 75
    so_far = out.with_name("out.mp4.work") / "so-far.mp4"
    assert str(so_far) in out.with_name("out.mp4.told").read_text()
    assert len(pictures(so_far)) >= 15
    assert times(so_far) == times(film)[: len(times(so_far))]
