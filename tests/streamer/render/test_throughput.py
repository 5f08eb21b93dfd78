"""What a second process gains, with the real network; takes four minutes of a quiet machine with two cores:

DEEPMOVIE_FULL=1 .venv/bin/pytest tests/streamer/render/test_throughput.py -rP
"""

import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median

import av
import numpy as np
import pytest

from tests import clips
from tests.end_to_end.daemon import usual_environment
from tests.end_to_end.figures import figure
from tests.streamer.render.material import write

FULL = os.environ.get("DEEPMOVIE_FULL") == "1"
FRAMES, ROUNDS = 60, 2
"""Of the clip `bikes`, two scenes of thirty; and how often each number of processes renders them."""
LONGEST_S = 600.0


def seconds(source: Path, out: Path, *, jobs: int) -> float:
    """Return how long the command takes to render, from its start to its end."""
    command = [sys.executable, "-m", "streamer", "render", str(source), str(out), "--style", "storm", "--device", "cpu"]
    command += ["--size", "192", "--iterations", "6", "--threads", "1", "--chunk", "10", "--jobs", str(jobs)]
    command += ["--hashes", f"{out}.hashes"]
    began = time.monotonic()
    ended = subprocess.run(
        command, stderr=subprocess.PIPE, text=True, timeout=LONGEST_S, check=False, env=usual_environment()
    )
    assert ended.returncode == 0, ended.stderr
    return time.monotonic() - began


@pytest.mark.skipif(not FULL, reason="takes four minutes of a quiet machine; DEEPMOVIE_FULL=1 runs it")
@pytest.mark.timeout(4 * ROUNDS * LONGEST_S)
def test_two_processes_paint_the_same_film_sooner(tmp_path: Path) -> None:
    with av.open(str(clips.path("bikes"))) as container:
        film = islice(container.decode(video=0), FRAMES)
        frames = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in film]
    source = write(tmp_path / "source.mp4", frames)
    alone, together, films = list[float](), list[float](), set[str]()
    for number in range(ROUNDS):
        for jobs, took in (1, alone), (2, together):
            out = tmp_path / f"{number}-{jobs}.mp4"
            took.append(seconds(source, out, jobs=jobs))
            films.add(Path(f"{out}.hashes").read_text())
    one, two = median(alone), median(together)
    figure("jobs", frames=FRAMES, cores=os.cpu_count(), one_job_s=one, two_jobs_s=two, ratio=one / two)
    assert len(films) == 1
    assert two < one / 1.5
