"""A window of frames: what follows a frame is used, as far as the budget goes; what does not belong to it is not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.consistency import temporal_error
from models.descent import STEP_SIZE, Budget
from models.flow import DIS
from models.hindsight import Draft, Hindsight, places, share
from models.initialization import PaperStylizer
from models.stylizer import Stylizer
from tests.models.test_stylizer import NeverCut, fill
from tests.tiny import random_image, tiny_objective

FILM = [random_image(seed=1).roll(2 * t, -1) for t in range(6)]


@pytest.fixture
def objective(tmp_path: Path) -> AdjointObjective:
    return AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))


@pytest.fixture
def stylizer(objective: AdjointObjective) -> Stylizer:
    return Stylizer(objective, flow=DIS(), cuts=NeverCut(), fill=fill)


def drafts(hindsight: Hindsight, stylizer: Stylizer | PaperStylizer, frames: Sequence[Tensor]) -> list[Draft]:
    """Return frames as they are when they were just painted."""
    found = []
    for content in frames:
        sight = stylizer.observe(content)
        found.append(hindsight.draft(sight, stylizer.paint(sight, Budget(2))))
    return found


def changed(before: Sequence[Draft], after: Sequence[Draft]) -> list[bool]:
    return [not torch.equal(a.stylized.image, b.stylized.image) for a, b in zip(before, after, strict=True)]


def ticking(step_s: float = 1.0) -> Callable[[], float]:
    """Return a clock that goes on whenever it is looked at."""
    times = count(0.0, step_s)
    return lambda: next(times)


@pytest.mark.parametrize(
    ("lag", "iterations", "expected"),
    [
        (1, 1, {1: 1}),
        (1, 5, {1: 5}),
        (2, 1, {2: 1}),
        (2, 2, {1: 1, 2: 1}),
        (2, 5, {1: 2, 2: 3}),
        (4, 2, {2: 1, 4: 1}),
        (8, 3, {3: 1, 5: 1, 8: 1}),
        (8, 20, dict.fromkeys(range(1, 8), 2) | {8: 6}),
    ],
)
def test_what_is_left_for_hindsight_lies_evenly_over_the_window_and_always_on_what_leaves(
    lag: int, iterations: int, expected: dict[int, int]
) -> None:
    assert places(lag, iterations) == expected
    assert sum(expected.values()) == iterations


@pytest.mark.parametrize(
    ("iterations", "lag", "first", "again"), [(8, 2, 6, 2), (8, 0, 8, 0), (4, 8, 3, 1), (3, 1, 2, 1), (1, 1, 1, 1)]
)
def test_first_painting_and_hindsight_share_the_iterations(iterations: int, lag: int, first: int, again: int) -> None:
    shares = share(Budget(iterations), lag)
    assert shares == (Budget(first), Budget(again))


def test_they_share_the_time_as_they_share_the_iterations() -> None:
    first, again = share(Budget(8, deadline=20.0), 2, clock=lambda: 12.0)
    assert (first, again) == (Budget(6, deadline=18.0), Budget(2, deadline=20.0))


def test_each_frame_before_the_newest_is_painted_on_and_says_how_often(stylizer: Stylizer) -> None:
    hindsight = Hindsight(stylizer, lag=2, flow=DIS())
    before = drafts(hindsight, stylizer, FILM[:3])
    after = hindsight.sweep(before, left=None, budget=Budget(5))
    assert changed(before, after) == [True, True, False]
    assert [draft.stylized.iterations for draft in after] == [2 + 3, 2 + 2, 2]
    assert all(0 <= float(draft.stylized.image.min()) <= float(draft.stylized.image.max()) <= 1 for draft in after)
    assert [draft.moments.count for draft in after if draft.moments] == [2 + 3, 4 + 2, 6], "as far as their descent was"


def test_what_follows_draws_a_frame_nearer(stylizer: Stylizer) -> None:
    """On frames at rest the errors are plain differences."""
    hindsight = Hindsight(stylizer, lag=1, flow=DIS())
    noisy = [FILM[0] for _ in range(3)]
    before = drafts(hindsight, stylizer, noisy)
    shaken = replace(before[1].stylized, image=before[1].stylized.image.flip(1))
    before[1] = replace(before[1], stylized=shaken)
    after = hindsight.sweep(before[1:], left=before[0], budget=Budget(6))[0]

    def error(draft: Draft) -> float:
        everywhere = torch.ones_like(draft.sight.content[:, :1], dtype=torch.bool)
        found = temporal_error(draft.stylized.image, before[2].stylized.image, everywhere)
        assert found is not None
        return found

    assert error(after) < 0.7 * error(before[1])


def test_another_scene_plays_no_part(stylizer: Stylizer) -> None:
    hindsight = Hindsight(stylizer, lag=3, flow=DIS())
    first = drafts(hindsight, stylizer, FILM[:2])
    stylizer.reset()
    second = drafts(hindsight, stylizer, FILM[2:4])
    after = hindsight.sweep([*first, *second], left=None, budget=Budget(9))
    assert changed([*first, *second], after) == [False, False, True, False]
    alone = hindsight.sweep(second, left=None, budget=Budget(9))
    assert torch.equal(alone[0].stylized.image, after[2].stylized.image), "neither as a neighbor"
    other_left = hindsight.sweep(second, left=first[-1], budget=Budget(9))
    assert torch.equal(alone[0].stylized.image, other_left[0].stylized.image)


def test_what_has_left_pulls_but_is_not_changed(stylizer: Stylizer) -> None:
    hindsight = Hindsight(stylizer, lag=1, flow=DIS())
    left, *waiting = drafts(hindsight, stylizer, FILM[:3])
    bright = replace(left, stylized=replace(left.stylized, image=torch.ones_like(left.stylized.image)))
    plain, pulled = (hindsight.sweep(waiting, left=each, budget=Budget(4))[0] for each in (left, bright))
    assert float(pulled.stylized.image.mean()) > float(plain.stylized.image.mean()) + 0.005


def test_late_frames_are_let_go_but_the_one_that_leaves_gets_its_iteration(stylizer: Stylizer) -> None:
    hindsight = Hindsight(stylizer, lag=2, flow=DIS(), clock=ticking())
    before = drafts(hindsight, stylizer, FILM[:3])
    after = hindsight.sweep(before, left=None, budget=Budget(20, deadline=-1.0))
    assert changed(before, after) == [True, False, False]
    assert after[0].stylized.iterations == before[0].stylized.iterations + 1


def test_the_clock_ends_each_turn(stylizer: Stylizer) -> None:
    hindsight = Hindsight(stylizer, lag=2, flow=DIS(), clock=ticking())
    before = drafts(hindsight, stylizer, FILM[:3])
    after = hindsight.sweep(before, left=None, budget=Budget(2000, deadline=40.0))
    spent = [b.stylized.iterations - a.stylized.iterations for a, b in zip(before, after, strict=True)]
    assert 5 < spent[1] < 22
    assert 5 < spent[0] < 22


def test_a_frame_is_painted_on_towards_what_it_was_painted_towards(
    stylizer: Stylizer, objective: AdjointObjective, tmp_path: Path
) -> None:
    hindsight = Hindsight(stylizer, lag=1, flow=DIS())
    before = drafts(hindsight, stylizer, FILM[:2])
    expected = hindsight.sweep(before, left=None, budget=Budget(2))[0]
    other = AdjointObjective(tiny_objective(tmp_path / "other.safetensors"))
    other.objective.style.grams.update({name: 9 * gram for name, gram in other.objective.style.grams.items()})
    stylizer.restyle(other, fill)
    assert torch.equal(hindsight.sweep(before, left=None, budget=Budget(2))[0].stylized.image, expected.stylized.image)
    assert before[0].objective is objective
    sight = stylizer.observe(FILM[2])
    assert hindsight.draft(sight, stylizer.paint(sight, Budget(1))).objective is other


def test_what_came_to_rest_is_changed_by_small_steps(stylizer: Stylizer) -> None:
    hindsight = Hindsight(stylizer, lag=1, flow=DIS())
    resting = drafts(hindsight, stylizer, [FILM[0]] * 30)
    assert float(resting[0].step_size.max()) == pytest.approx(STEP_SIZE)
    assert float(resting[-1].step_size.max()) < 0.7 * STEP_SIZE


def test_a_frame_that_leaves_is_measured_against_the_one_before_it_as_that_one_left(stylizer: Stylizer) -> None:
    hindsight = Hindsight(stylizer, lag=1, flow=DIS())
    first, second = drafts(hindsight, stylizer, [FILM[0]] * 2)
    assert hindsight.settled(first, left=None).temporal_error is None
    assert hindsight.settled(second, left=first).temporal_error == pytest.approx(second.stylized.temporal_error)
    dark = replace(first, stylized=replace(first.stylized, image=torch.zeros_like(first.stylized.image)))
    darker = hindsight.settled(second, left=dark).temporal_error
    assert darker == pytest.approx(float(second.stylized.image.square().mean().sqrt()), rel=0.02)
    stylizer.reset()
    other = drafts(hindsight, stylizer, FILM[3:4])[0]
    assert hindsight.settled(other, left=second).temporal_error is None


def test_flows_that_the_stylizer_found_are_not_looked_for_again(stylizer: Stylizer) -> None:
    def asked(origin: Tensor, target: Tensor) -> Tensor:
        raise AssertionError("it was looked for")

    hindsight = Hindsight(stylizer, lag=1, flow=asked)
    waiting = drafts(hindsight, stylizer, FILM[:3])
    hindsight.sweep(waiting[1:], left=waiting[0], budget=Budget(1))
    with pytest.raises(AssertionError, match="it was looked for"):
        hindsight.sweep([waiting[0], waiting[2]], left=None, budget=Budget(1))


def test_the_papers_ways_are_painted_on_with_small_steps(objective: AdjointObjective) -> None:
    paper = PaperStylizer(objective, init="flow", flow=DIS(), cuts=NeverCut())
    hindsight = Hindsight(paper, lag=1, flow=DIS())
    before = drafts(hindsight, paper, FILM[:2])
    after = hindsight.sweep(before, left=None, budget=Budget(1))[0]
    assert 0 < float((after.stylized.image - before[0].stylized.image).abs().max()) < STEP_SIZE, (
        "Nesterov: twice the step"
    )
