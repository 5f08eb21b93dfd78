"""Further passes: each frame once more with its neighbors, streamed from the disk, resumable in every pass."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.backtracking import Neighbor, repaint
from models.descent import Budget
from streamer.render.atelier import Atelier, Brush, threads
from streamer.render.looking import look_through
from streamer.render.opening import reel_of
from streamer.render.passes import from_fine, to_fine
from streamer.render.premises import taken_up
from tests.streamer.render.material import begun, bikes, hashes, rendered, silent, wish, write


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes: one of seven frames, and one of four."""
    return write(tmp_path_factory.mktemp("source") / "source.mp4", bikes()[23:34])


def test_what_is_kept_between_passes_is_nearly_what_was_painted() -> None:
    image = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    again = from_fine(to_fine(image), torch.device("cpu"))
    assert float((again - image).abs().max()) < 1e-5
    assert np.array_equal(to_fine(again), to_fine(image))


def test_each_pass_changes_every_frame(source: Path, tmp_path: Path) -> None:
    seen = [hashes(source, tmp_path / f"{passes}.mp4", passes=passes) for passes in (1, 2, 3)]
    for one, other in (0, 1), (1, 2), (0, 2):
        assert all(before != after for before, after in zip(seen[one], seen[other], strict=True))


@pytest.mark.parametrize(
    ("passes", "settings"),
    [
        (3, {}),
        (1, {"temporal_weight": 9.0}),
        (1, {"optimizer": "lbfgs"}),
        (1, {"init": "flow"}),
        (1, {"init": "previous"}),
        (2, {"color": "matched"}),
    ],
)
def test_where_chunks_begin_does_not_matter(
    source: Path, tmp_path: Path, passes: int, settings: dict[str, Any]
) -> None:
    """What a chunk leaves for the next is all there is; in later passes neighbors come from the right one."""
    whole, cut = (
        hashes(source, tmp_path / f"{chunk}.mp4", passes=passes, chunk=chunk, iterations=2, settings=settings)
        for chunk in (100, 2)
    )
    assert whole == cut


def test_the_second_pass_is_that_of_the_paper_backwards_with_both_neighbors(source: Path, tmp_path: Path) -> None:
    """Against a plain loop over one scene in memory."""
    asked = wish(source, tmp_path / "out.mp4", passes=2)
    with taken_up(asked) as (workshop, job), threads(1):
        film = look_through(job, reel_of(job.source, rate=job.rate), workshop, silent())
        atelier = Atelier(job, film.survey)
        scene = film.scenes()[0]
        frames = [np.ascontiguousarray(shot.image) for shot in film.reel.shots() if shot is not None][: scene.end]
        brush = Brush(atelier)
        paintings = [from_fine(to_fine(brush.paint(frame)[0]), atelier.device) for frame in frames]
        contents = [atelier.tensor(frame) for frame in frames]
        for place in reversed(range(len(frames))):
            beside = [other for other in (place - 1, place + 1) if 0 <= other < len(frames)]
            painted = repaint(
                atelier.engine.objective,
                content=contents[place],
                image=paintings[place],
                neighbors=[Neighbor(contents[other], paintings[other]) for other in beside],
                flow=atelier.engine.flow,
                budget=Budget(1),
            )
            paintings[place] = from_fine(to_fine(painted.image), atelier.device)
        expected = [atelier.seen(c, p, atelier.aim(c)) for c, p in zip(contents, paintings, strict=True)]
    lines = hashes(source, tmp_path / "out.mp4", passes=2)
    assert [line.split()[2] for line in lines[: scene.end]] == [sha256(each.tobytes()).hexdigest() for each in expected]


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 5, 6])
def test_it_goes_on_in_the_middle_of_any_pass(source: Path, tmp_path: Path, tasks: int, whole: bytes) -> None:
    """Two chunks a pass: after so many tasks it is killed."""
    begun(wish(source, tmp_path / "out.mp4", passes=2), tasks=tasks)
    code, told = rendered(wish(source, tmp_path / "out.mp4", passes=2))
    assert code == 0, told
    assert (tmp_path / "out.mp4").read_bytes() == whole


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("whole") / "out.mp4"
    assert rendered(wish(source, out, passes=2))[0] == 0
    return out.read_bytes()


def test_of_the_passes_only_what_is_needed_is_kept(source: Path, tmp_path: Path) -> None:
    kept = []
    for tasks in 4, 3:  # two chunks in two passes; then both are developed
        begun(wish(source, tmp_path / "out.mp4", passes=2), tasks=tasks)
        names = {path.name for path in (tmp_path / "out.mp4.work").iterdir()}
        kept.append({name.partition("-")[0] for name in names if "-" in name})
    assert kept == [{"contents", "pass2"}, {"painted"}]
