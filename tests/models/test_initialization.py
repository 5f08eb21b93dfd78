"""The paper's three ways to begin a frame: where each starts, and that nothing else is carried on."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.descent import STEP_SIZE, Budget, descend
from models.histogram import LEVELS, Transfer
from models.initialization import Initialization, PaperStylizer
from models.memory import Memory
from models.warp import warp
from tests.models.test_stylizer import NeverCut, shift
from tests.tiny import random_image, tiny_objective

BUDGET = Budget(3)


@pytest.fixture
def objective(tmp_path: Path) -> AdjointObjective:
    return AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))


def make(objective: AdjointObjective, init: Initialization, **parts: object) -> PaperStylizer:
    chosen = {"flow": shift(3, 0), "cuts": NeverCut()} | parts
    return PaperStylizer(objective, init=init, **chosen)  # type: ignore[arg-type]


def moved_by_three(last: Tensor) -> Tensor:
    return warp(last, torch.tensor([-3.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, *last.shape[-2:]))


STARTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "independent": lambda content, last: content,
    "previous": lambda content, last: last,
    "flow": lambda content, last: moved_by_three(last),
}
"""Where each way starts, by the paper: a function of the frame and of the last painting."""


@pytest.mark.parametrize("init", get_args(Initialization))
def test_every_frame_is_a_descent_of_its_own_from_the_start_that_the_paper_names(
    objective: AdjointObjective, init: Initialization
) -> None:
    stylizer = make(objective, init)
    frames = [random_image(seed=1).roll(3 * t, -1) for t in range(3)]
    painted = [stylizer.step(frame, BUDGET) for frame in frames]
    assert [each.restarted for each in painted] == [True, False, False]
    for (last, now), content in zip(itertools.pairwise(painted), frames[1:], strict=True):
        start = STARTS[init](content, last.image)
        alone = descend(objective.at(content), start, budget=BUDGET, refuge=content)
        torch.testing.assert_close(now.image, alone.image, rtol=0, atol=1e-5)
        others = [STARTS[other](content, last.image) for other in STARTS if other != init]
        assert all(float((now.image - other).abs().mean()) > 0.03 for other in others)


@pytest.mark.parametrize("init", get_args(Initialization))
def test_another_stylizer_goes_on_from_the_memory_to_the_bit(objective: AdjointObjective, init: Initialization) -> None:
    frames = [random_image(seed=1).roll(3 * t, -1) for t in range(4)]
    whole, begun, resumed = (make(objective, init) for _ in range(3))
    painted = [whole.step(frame, BUDGET).image for frame in frames]
    assert begun.memory is None
    for frame in frames[:2]:
        begun.step(frame, BUDGET)
    assert begun.memory is not None
    resumed.resume(Memory.of(begun.memory.tensors()))
    for frame, expected in zip(frames[2:], painted[2:], strict=True):
        assert torch.equal(resumed.step(frame, BUDGET).image, expected)


@pytest.mark.parametrize("init", get_args(Initialization))
def test_the_first_frame_of_a_scene_starts_from_itself(objective: AdjointObjective, init: Initialization) -> None:
    frame, other = random_image(), random_image(seed=2)
    first = descend(objective.at(frame), frame, budget=BUDGET, refuge=frame).image
    anew = descend(objective.at(other), other, budget=BUDGET, refuge=other).image

    class CutAtOther(NeverCut):
        def __call__(self, image: Tensor) -> bool:
            return image is other

    stylizer = make(objective, init, cuts=CutAtOther())
    cut = [stylizer.step(each, BUDGET) for each in (frame, other)]
    assert torch.equal(cut[0].image, first)
    assert torch.equal(cut[1].image, anew)
    assert cut[1].restarted
    assert cut[1].temporal_error is None
    stylizer.reset()
    assert torch.equal(stylizer.step(frame, BUDGET).image, first)
    assert stylizer.step(random_image(32, 48), BUDGET).restarted, "another size"


def test_how_steady_a_frame_is_is_measured_in_every_way(objective: AdjointObjective) -> None:
    frames = [random_image(seed=1).roll(3 * t, -1) for t in range(2)]
    errors = {}
    for init in get_args(Initialization):
        stylizer = make(objective, init)
        errors[init] = [stylizer.step(frame, Budget(1)).temporal_error for frame in frames][1]
    assert errors["flow"] is not None
    assert errors["previous"] is not None
    assert 0 < errors["flow"] < errors["previous"] / 2


def test_another_style_is_painted_towards_from_the_next_frame_on(objective: AdjointObjective, tmp_path: Path) -> None:
    frame = random_image()
    stylizer = make(objective, "previous", flow=shift(0, 0))
    first = stylizer.step(frame, BUDGET)
    other = AdjointObjective(tiny_objective(tmp_path / "other.safetensors"))
    other.objective.style.grams.update({name: 2 * gram for name, gram in other.objective.style.grams.items()})
    stylizer.restyle(other, lambda content: content)
    expected = descend(other.at(frame), first.image, budget=BUDGET, refuge=frame).image
    torch.testing.assert_close(stylizer.step(frame, BUDGET).image, expected)


def test_a_way_that_the_paper_does_not_know_is_an_error_that_names_those_it_does(objective: AdjointObjective) -> None:
    with pytest.raises(ValueError, match="init must be one of independent, previous, flow, got 'warm'"):
        make(objective, "warm")  # type: ignore[arg-type]


@pytest.mark.parametrize("init", get_args(Initialization))
def test_a_frame_that_is_painted_in_other_colors_begins_in_those(
    objective: AdjointObjective, init: Initialization
) -> None:
    darker = Transfer(np.tile(np.linspace(0, 0.5, LEVELS), (3, 1)))
    plain = objective.objective
    graded = objective.restyled(plain.restyled(replace(plain.style, grade=darker), plain.balance))
    frame = random_image(seed=1)
    assert torch.equal(graded.seen(frame), darker(frame))
    painted = make(graded, init).step(frame, Budget(1)).image
    assert float((painted - frame / 2).abs().max()) < 2 * STEP_SIZE
    content, image = random_image(seed=2), random_image(seed=3)
    oracle = objective.at(darker(content)).value_and_grad(image)[0].total
    assert graded.at(content).value_and_grad(image)[0].total == oracle
    assert torch.allclose(graded.objective.at(content)(image).total, oracle)
