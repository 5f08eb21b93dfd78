"""Back-tracking: a painted frame follows what its neighbors on both sides show of it, and nothing else of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.backtracking import HOLD, Neighbor, beside, held, order, repaint
from models.descent import Budget
from models.flow import DIS
from models.objective import Balance, Objective
from models.stylizer import Stylized
from tests.tiny import random_image, tiny_objective

NOTHING_ELSE = Balance(content=0, style=0, variation=0, temporal=1)
"""An energy of the flow loss alone: its lowest place is the mean of what pulls."""


class Shift:
    """The flow of a scene that moves by so many pixels from each of its frames to the next."""

    def __init__(self, frames: Sequence[Tensor], dx: float) -> None:
        self._places = {id(each): place for place, each in enumerate(frames)}
        self._dx = dx

    def __call__(self, origin: Tensor, target: Tensor) -> Tensor:
        """Return the flow."""
        steps = self._places[id(target)] - self._places[id(origin)]
        flow = origin.new_zeros(1, 2, *origin.shape[-2:])
        flow[:, 0] = steps * self._dx
        return flow


@pytest.fixture
def objective(tmp_path: Path) -> AdjointObjective:
    return AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))


@pytest.fixture
def pulls(objective: AdjointObjective) -> AdjointObjective:
    plain = objective.objective
    return objective.restyled(plain.restyled(plain.style, NOTHING_ELSE))


def again(
    objective: AdjointObjective | Objective,
    frames: Sequence[Tensor],
    images: Sequence[Tensor],
    place: int,
    *,
    dx: float = 0,
    iterations: int = 60,
) -> Stylized:
    """Return one frame of a scene painted once more."""
    return repaint(
        objective,
        content=frames[place],
        image=images[place],
        neighbors=[Neighbor(frames[each], images[each]) for each in beside(place, len(frames))],
        flow=Shift(frames, dx),
        budget=Budget(iterations),
    )


def test_where_nothing_moves_a_frame_is_pulled_to_the_mean_of_its_neighbors(pulls: AdjointObjective) -> None:
    frames = [random_image().clone() for _ in range(3)]
    images = [torch.full_like(frames[0], level) for level in (0.2, 0.5, 0.4)]
    middle = again(pulls, frames, images, 1)
    assert float((middle.image - 0.3).abs().max()) < 0.03
    assert middle.temporal_error == pytest.approx(0.1, abs=0.01), "both neighbors are a tenth away"
    assert (middle.iterations, middle.restarted, middle.failures) == (60, False, 0)


@pytest.mark.parametrize(("place", "level"), [(0, 0.5), (2, 0.5)])
def test_the_first_and_the_last_frame_have_one_neighbor(pulls: AdjointObjective, place: int, level: float) -> None:
    frames = [random_image().clone() for _ in range(3)]
    images = [torch.full_like(frames[0], each) for each in (0.2, 0.5, 0.4)]
    assert float((again(pulls, frames, images, place).image - level).abs().max()) < 0.03


def test_a_frame_without_neighbors_is_painted_on(objective: AdjointObjective) -> None:
    frame = random_image()
    alone = again(objective, [frame], [frame], 0, iterations=3)
    assert alone.temporal_error is None
    assert alone.flow is None
    assert float((alone.image - frame).abs().mean()) > 0.01


def test_what_a_neighbor_does_not_show_is_not_pulled(pulls: AdjointObjective) -> None:
    """The scene moves to the right by eight pixels a frame: each neighbor lacks a strip at its border."""
    frames = [random_image(seed=1).roll(8 * t, -1) for t in range(3)]
    levels = (0.2, 0.5, 0.4)
    images = [torch.full_like(frames[0], level) for level in levels]
    found = again(pulls, frames, images, 1, dx=8).image
    assert float((found[..., :8] - 0.4).abs().max()) < 0.03, "came into view: only the next frame shows it"
    assert float((found[..., 8:-8] - 0.3).abs().max()) < 0.03
    assert float((found[..., -8:] - 0.2).abs().max()) < 0.03, "goes out of view: only the last frame shows it"
    only_before = again(pulls, frames[:2], images[:2], 1, dx=8).image
    assert torch.equal(only_before[..., :8], images[1][..., :8]), "nobody shows it: not a bit is changed"


def test_a_neighbors_painting_is_moved_along_the_flow_to_it(pulls: AdjointObjective) -> None:
    frames = [random_image(seed=1).roll(3 * t, -1) for t in range(3)]
    strokes = random_image(seed=2)
    images = [strokes.roll(3 * t, -1) for t in range(3)]
    images[1] = torch.full_like(strokes, 0.5)
    found = again(pulls, frames, images, 1, dx=3, iterations=120).image
    assert float((found - strokes.roll(3, -1))[..., 3:-3].abs().max()) < 0.03


def test_a_motion_that_is_known_is_not_looked_for(objective: AdjointObjective) -> None:
    from models.sight import Motion

    frames = [random_image(seed=1).roll(3 * t, -1) for t in range(2)]
    images = [frame.flip(1) for frame in frames]
    flow = DIS()
    there, back = flow(frames[1], frames[0]), flow(frames[0], frames[1])

    def asked(origin: Tensor, target: Tensor) -> Tensor:
        raise AssertionError("it was looked for")

    neighbor = Neighbor(frames[0], images[0])
    options = {"content": frames[1], "image": images[1], "budget": Budget(2)}
    searched = repaint(objective, neighbors=[neighbor], flow=flow, **options)  # type: ignore[arg-type]
    known = replace(neighbor, motion=Motion(0, there, back))
    given = repaint(objective, neighbors=[known], flow=asked, **options)  # type: ignore[arg-type]
    assert torch.equal(searched.image, given.image)


def test_an_objective_without_a_flow_loss_is_given_one(objective: AdjointObjective) -> None:
    assert objective.objective.balance.temporal == 0
    for each in (objective, objective.objective):
        with_loss = held(each)
        plain = with_loss.objective if isinstance(with_loss, AdjointObjective) else with_loss
        assert isinstance(plain, Objective)
        assert plain.balance == replace(objective.objective.balance, temporal=HOLD)
        assert held(with_loss) is with_loss, "one that has it keeps its own"
    frames = [random_image().clone() for _ in range(3)]
    images = [torch.full_like(frames[0], level) for level in (0.3, 0.9, 0.3)]
    for each in (objective, objective.objective):
        found = again(each, frames, images, 1, iterations=1)
        assert found.terms is not None
        assert float(found.terms.temporal) == pytest.approx(HOLD * 2 * 0.6**2, rel=1e-3), "a sum over both neighbors"


def test_every_second_pass_goes_backwards() -> None:
    assert [list(order(3, number)) for number in (1, 2, 3)] == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]


def test_the_neighbors_of_a_frame_are_those_of_its_scene() -> None:
    assert [beside(place, 3) for place in range(3)] == [(1,), (0, 2), (1,)]
    assert beside(0, 1) == ()


def test_passes_bring_what_one_end_knows_to_the_other(pulls: AdjointObjective) -> None:
    """Of five frames at rest the last one is painted otherwise: one pass backwards tells all of them."""
    frames = [random_image().clone() for _ in range(5)]
    images = [torch.full_like(frames[0], level) for level in (0.2, 0.2, 0.2, 0.2, 0.8)]
    for place in list(order(5, 2))[1:]:
        images[place] = again(pulls, frames, images, place).image
    levels = [float(image.mean()) for image in images]
    assert levels[:4] == pytest.approx([0.275, 0.275, 0.35, 0.5], abs=0.01)
