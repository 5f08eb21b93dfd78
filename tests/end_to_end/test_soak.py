"""Left running: nothing of the real daemon grows, and no frame is lost.

With ``DEEPMOVIE_FULL=1`` over 20,000 frames, the fault table's own run; else over 1,500. `pytest -rP` shows figures.
"""

import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.end_to_end.daemon import Kit, deepmovie
from tests.end_to_end.figures import MIB, figure
from tests.end_to_end.planted import LEAK_B, LOST
from tests.end_to_end.soak import COUNTS, MEMORY, Sample, collector, complaints, second_half, slope_b_per_frame
from tests.end_to_end.weighed import EVERY

FULL = os.environ.get("DEEPMOVIE_FULL") == "1"
FRAMES = 20_000 if FULL else 1_500
PLANTED_FRAMES = 1_000


def soaked(kit: Kit, temporary: Path, *, frames: int, module: str) -> tuple[list[Sample], list[int]]:
    """Return how a daemon fared over so many frames, painted as fast as it can, and what arrived of them."""
    temporary.mkdir()
    environment = kit.environment | {"TMPDIR": str(temporary)}
    with collector() as (found, sink):
        command = kit.command("test:#live=no#size=64x48", sink)
        command[command.index("streamer")] = module
        with deepmovie(command, environment) as daemon:
            daemon.await_entry("started")
            for published in range(EVERY, frames + 1, EVERY):  # each of them within the patience of one
                daemon.await_entry("weighed", lambda facts, published=published: facts["published"] >= published)  # type: ignore[misc]
        names = [field.name for field in fields(Sample)]
        samples = [Sample(**{name: each.facts[name] for name in names}) for each in daemon.entries("weighed")]
    return samples, found.sequences


def told(samples: Sequence[Sample]) -> dict[str, object]:
    """Return the figures of a run."""
    half, end = second_half(samples)[0], samples[-1]
    slopes = {f"{name}_slope_b_per_frame": slope_b_per_frame(samples, name) for name in MEMORY}
    resident = {"half_mib": half.resident_bytes / MIB, "end_mib": end.resident_bytes / MIB}
    return {"frames": end.published, **resident, **slopes, **{name: getattr(end, name) for name in COUNTS}}


@pytest.mark.timeout(1800 if FULL else 240)
def test_nothing_grows_and_no_frame_is_lost_over_thousands_of_frames(kit: Kit, tmp_path: Path) -> None:
    samples, received = soaked(kit, tmp_path / "temporary", frames=FRAMES, module="tests.end_to_end.weighed")
    figure("soak", **told(samples), received=len(received))
    assert complaints(samples, received) == []
    assert received[0] == 0
    assert len(received) >= FRAMES


@pytest.mark.timeout(240)
def test_a_planted_leak_and_a_planted_loss_are_found(kit: Kit, tmp_path: Path) -> None:
    """The negative control: the same daemon, the same check, and 1 KiB with every frame."""
    samples, received = soaked(kit, tmp_path / "temporary", frames=PLANTED_FRAMES, module="tests.end_to_end.planted")
    figure("soak, planted", **told(samples), leak_b=LEAK_B)
    slope = slope_b_per_frame(samples, "allocated")
    assert LOST not in received
    leak = f"allocated memory grows by {slope:.0f} B a frame, more than 100"
    assert complaints(samples, received) == [leak, "1 frames lost on the way"]
    assert LEAK_B < slope < 1.5 * LEAK_B


GOOD = [Sample(100 * n, 500 * MIB, 300 * MIB, descriptors=20, threads=9, files=0) for n in range(1, 51)]
ALL = range(5000)


def growing(name: str, slope: int) -> list[Sample]:
    """Return good samples but for one that grows with every frame."""
    return [replace(each, **{name: getattr(each, name) + slope * each.published}) for each in GOOD]


def at_last(**changes: int) -> list[Sample]:
    """Return good samples of which the last ones are worse."""
    return [*GOOD[:40], *(replace(each, **changes) for each in GOOD[40:])]


def test_a_run_in_which_nothing_grows_is_no_complaint() -> None:
    assert complaints(GOOD, ALL) == []
    assert complaints(growing("resident_bytes", 399), ALL) == [], "400 are allowed over 5,000 frames"
    assert complaints(at_last(resident_bytes=501 * MIB), ALL) == [], "a jump is no slope"
    assert complaints([replace(GOOD[0], threads=5, descriptors=9), *GOOD[1:]], ALL) == [], "that was the warm-up"


@pytest.mark.parametrize(
    ("samples", "received", "complaint"),
    [
        (growing("resident_bytes", 500), ALL, "resident memory grows by 500 B a frame, more than 400"),
        (growing("allocated_bytes", 120), ALL, "allocated memory grows by 120 B a frame, more than 100"),
        (at_last(descriptors=21), ALL, "descriptors grew from 20 to 21"),
        (at_last(threads=10), ALL, "threads grew from 9 to 10"),
        (at_last(files=1), ALL, "files grew from 0 to 1"),
        (GOOD, [1, 2, 4, 5, 8], "3 frames lost on the way"),
        (GOOD, [1, 2, 2, 3], "1 frames out of order"),
        (GOOD[::10], ALL, "3 samples of the second half are too few"),
    ],
)
def test_each_growth_and_each_loss_is_a_complaint(
    samples: list[Sample], received: Sequence[int], complaint: str
) -> None:
    assert complaints(samples, received) == [complaint]
