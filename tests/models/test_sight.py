"""A frame can be looked at before the last one is painted, and the picture does not depend on when that was."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.cuts import CutDetector
from models.descent import Budget
from models.flow import DIS
from models.sight import Observer
from models.stylizer import Stylized, Stylizer
from protocols import scene
from tests.tiny import tiny_objective

BUDGET = Budget(2)
CUT = min(scene.CUTS - {0})
"""A frame of the built-in scene that begins a new shot."""


def film(*indices: int) -> list[Tensor]:
    pictures = [torch.from_numpy(scene.render(index, width=64, height=48).copy()) for index in indices]
    return [picture.permute(2, 0, 1)[None].float() / 255 for picture in pictures]


FRAMES = film(*range(CUT - 4, CUT + 4))


@pytest.fixture
def objective(tmp_path: Path) -> AdjointObjective:
    return AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))


def make(objective: AdjointObjective) -> Stylizer:
    return Stylizer(objective, flow=DIS(), cuts=CutDetector(), fill=lambda frame: frame)


def assert_same(ours: Stylized, expected: Stylized) -> None:
    assert torch.equal(ours.image, expected.image)
    assert ours.restarted == expected.restarted


def test_looking_ahead_in_another_thread_changes_no_picture(objective: AdjointObjective) -> None:
    plain, ahead = make(objective), make(objective)
    expected = [plain.step(frame, BUDGET) for frame in FRAMES]
    with ThreadPoolExecutor(1) as thread:
        sights = [thread.submit(ahead.observe, frame) for frame in FRAMES]
        painted = [ahead.paint(sight.result(), BUDGET) for sight in sights]
    for ours, theirs in zip(painted, expected, strict=True):
        assert_same(ours, theirs)
    assert [each.restarted for each in painted] == [True, False, False, False, True, False, False, False]


def test_a_frame_that_was_only_looked_at_leaves_no_trace(objective: AdjointObjective) -> None:
    plain, skipping = make(objective), make(objective)
    plain.step(FRAMES[0], BUDGET)
    skipping.step(FRAMES[0], BUDGET)
    skipping.observe(FRAMES[1])
    assert_same(skipping.step(FRAMES[2], BUDGET), plain.step(FRAMES[2], BUDGET))


def test_a_cut_at_a_frame_that_was_not_painted_still_begins_a_new_picture(objective: AdjointObjective) -> None:
    stylizer = make(objective)
    for frame in FRAMES[:4]:
        stylizer.step(frame, BUDGET)
    stylizer.observe(FRAMES[4])
    assert stylizer.step(FRAMES[5], BUDGET).restarted


def test_what_was_seen_before_a_reset_is_not_painted_upon(objective: AdjointObjective) -> None:
    stylizer = make(objective)
    stylizer.step(FRAMES[0], BUDGET)
    seen = stylizer.observe(FRAMES[1])
    stylizer.reset()
    assert stylizer.paint(seen, BUDGET).restarted
    assert stylizer.step(FRAMES[2], BUDGET).restarted
    assert not stylizer.step(FRAMES[3], BUDGET).restarted


def test_both_flows_are_found_between_frames_of_one_scene() -> None:
    observer = Observer(DIS(), CutDetector())
    first, second = observer.observe(FRAMES[0]), observer.observe(FRAMES[1])
    assert first.motion is None
    assert second.motion is not None
    assert second.motion.since == first.number
    assert torch.equal(second.motion.there, DIS()(FRAMES[1], FRAMES[0]))
    assert torch.equal(second.motion.back, DIS()(FRAMES[0], FRAMES[1]))
    assert observer.observe(FRAMES[2][..., :-1, :]).motion is None


def test_a_frame_painted_again_goes_on_from_its_painting_though_the_next_one_was_looked_at(
    objective: AdjointObjective,
) -> None:
    stylizer = make(objective)
    stylizer.step(FRAMES[0], BUDGET)
    seen = stylizer.observe(FRAMES[1])
    stylizer.paint(seen, BUDGET)
    following = stylizer.observe(FRAMES[2])
    again = stylizer.paint(seen.again(), BUDGET)
    assert not again.restarted
    assert again.flow is not None
    assert float(again.flow.abs().max()) == 0
    after = stylizer.paint(following, BUDGET)
    assert not after.restarted
    assert after.flow is not None
    moves = after.flow != 0  # what stands still is set to zero
    assert moves.any()
    assert torch.equal(after.flow[moves], DIS()(FRAMES[2], FRAMES[1])[moves])
