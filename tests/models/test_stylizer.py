"""The recurrence: what is remembered moves with the picture, what is new starts afresh, the future plays no part."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.color import color_statistics, palette_fill
from models.cuts import CutDetector
from models.descent import STEP_SIZE, Budget
from models.flow import DIS
from models.stylizer import Stylizer
from models.warp import warp
from tests.tiny import random_image, tiny_objective

BUDGET = Budget(2)
COLORS = color_statistics(random_image(seed=9))


class NeverCut:
    """A cut detector that sees none, and counts how often it was reset."""

    def __init__(self) -> None:
        self.resets = 0

    def __call__(self, image: Tensor) -> bool:
        return False

    def reset(self) -> None:
        self.resets += 1


def shift(dx: float, dy: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a flow estimator for a scene that moves by (dx, dy) each frame, whichever way one looks."""
    sign = [-1.0]

    def estimate(origin: Tensor, target: Tensor) -> Tensor:
        flow = torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, *origin.shape[-2:]) * sign[0]
        sign[0] = -sign[0]
        return flow

    return estimate


def fill(content: Tensor) -> Tensor:
    return palette_fill(content, COLORS)


@pytest.fixture
def objective(tmp_path: Path) -> AdjointObjective:
    return AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))


def make(objective: AdjointObjective, **parts: object) -> Stylizer:
    chosen = {"flow": DIS(), "cuts": NeverCut(), "fill": fill} | parts
    return Stylizer(objective, **chosen)  # type: ignore[arg-type]


def test_the_first_frame_starts_from_the_fill(objective: AdjointObjective) -> None:
    frame = random_image()
    result = make(objective).step(frame, Budget(1))
    assert result.restarted
    assert result.temporal_error is None
    assert float((result.image - fill(frame)).abs().max()) < 2 * STEP_SIZE
    assert result.iterations == 1


def test_the_last_painting_is_moved_along_the_flow(objective: AdjointObjective) -> None:
    stylizer = make(objective, flow=shift(3, 0))
    first = stylizer.step(random_image(seed=1), BUDGET)
    second = stylizer.step(random_image(seed=1).roll(3, -1), Budget(1))
    assert not second.restarted
    assert second.flow is not None
    moved = warp(first.image, second.flow)
    assert float((second.image - moved)[..., 3:].abs().max()) < 0.1
    assert second.temporal_error is not None
    assert 0 < second.temporal_error < 0.05


def test_too_little_memory_is_the_same_error_on_the_cpu_as_on_a_gpu(objective: AdjointObjective) -> None:
    def greedy(_content: Tensor) -> Tensor:
        return torch.empty(1 << 50)

    stylizer = make(objective)
    stylizer.step(random_image(seed=1), BUDGET)
    stylizer.restyle(objective, greedy)
    with pytest.raises(torch.OutOfMemoryError, match="can't allocate memory"):
        stylizer.step(random_image(seed=2), BUDGET)
    stylizer.restyle(objective, fill)
    assert not stylizer.step(random_image(seed=1), BUDGET).restarted


def test_an_error_that_is_not_of_memory_stays_what_it_is(objective: AdjointObjective) -> None:
    def broken(content: Tensor) -> Tensor:
        return content @ torch.ones(3, 5)

    with pytest.raises(RuntimeError, match="multiplied") as caught:
        make(objective, fill=broken).step(random_image(), BUDGET)
    assert not isinstance(caught.value, torch.OutOfMemoryError)


def test_revealed_places_start_from_the_fill(objective: AdjointObjective) -> None:
    stylizer = make(objective, flow=shift(8, 0))
    stylizer.step(random_image(seed=1), BUDGET)
    content = random_image(seed=1).roll(8, -1)
    second = stylizer.step(content, Budget(1))
    assert float((second.image - fill(content))[..., :7].abs().max()) < 0.05


def test_where_the_frame_looks_the_same_the_painting_is_kept_though_the_flows_disagree(
    objective: AdjointObjective,
) -> None:
    def astray(origin: Tensor, target: Tensor) -> Tensor:
        return torch.full((1, 2, *origin.shape[-2:]), 3.0)

    sky = torch.full((1, 3, 48, 64), 0.4)
    stylizer = make(objective, flow=astray)
    for _ in range(10):
        last = stylizer.step(sky, BUDGET)
    kept = stylizer.step(sky, Budget(1))
    assert kept.flow is not None
    moved = warp(last.image, kept.flow, sharp=True).clamp(0, 1)
    assert float((kept.image - moved).abs().max()) < 0.1
    assert float((kept.image - fill(sky)).abs().max()) > 0.15


def test_a_cut_starts_afresh_in_the_same_frame(objective: AdjointObjective) -> None:
    stylizer = make(objective, cuts=CutDetector())
    dark, bright = random_image(seed=1) * 0.3, random_image(seed=2).flip(-1)
    restarts = [stylizer.step(frame, BUDGET).restarted for frame in (dark, dark, dark, bright, bright)]
    assert restarts == [True, False, False, True, False]


def test_a_new_size_starts_afresh(objective: AdjointObjective) -> None:
    stylizer = make(objective)
    stylizer.step(random_image(48, 64), BUDGET)
    result = stylizer.step(random_image(64, 48), BUDGET)
    assert result.restarted
    assert result.image.shape == (1, 3, 64, 48)


def test_reset_forgets_everything(objective: AdjointObjective) -> None:
    cuts = NeverCut()
    stylizer = make(objective, cuts=cuts)
    first = stylizer.step(random_image(), BUDGET)
    stylizer.step(random_image(seed=1), BUDGET)
    stylizer.reset()
    again = stylizer.step(random_image(), BUDGET)
    assert again.restarted
    assert torch.equal(again.image, first.image)
    assert cuts.resets == 1


def test_a_frame_does_not_depend_on_later_ones(objective: AdjointObjective) -> None:
    frames = [random_image(seed=1).roll(2 * t, -1) for t in range(4)]
    alone = make(objective)
    followed = make(objective)
    short = [alone.step(frame, BUDGET).image for frame in frames[:2]]
    long = [followed.step(frame, BUDGET).image for frame in frames]
    assert all(torch.equal(a, b) for a, b in zip(short, long, strict=False))


def test_a_picture_that_stands_still_gets_closer_to_the_style_frame_by_frame(objective: AdjointObjective) -> None:
    stylizer = make(objective)
    energies = []
    for _ in range(20):
        terms = stylizer.step(random_image(), BUDGET).terms
        assert terms is not None
        energies.append(float(terms.total))
    assert energies[-1] < 0.5 * energies[0]


def test_a_picture_that_stands_still_comes_to_rest(objective: AdjointObjective) -> None:
    """After 300 frames no pixel changes by 1/255 a frame, and the mean color stays where it is."""
    stylizer, frame = make(objective), random_image()
    images = [stylizer.step(frame, BUDGET).image for _ in range(340)]
    assert max(float((a - b).abs().max()) for a, b in itertools.pairwise(images[300:])) < 1 / 255
    assert float((images[-1] - images[300]).mean((0, 2, 3)).abs().max()) < 1 / 255


def test_what_rests_is_woken_by_another_aim_unless_each_frame_has_its_own(objective: AdjointObjective) -> None:
    stylizer, wall = make(objective), random_image(seed=8)
    for _ in range(20):
        stylizer.step(wall, BUDGET)
    assert stylizer.memory is not None
    rested = float(stylizer.memory.rest.heat.mean())
    stylizer.restyle(objective, fill, wake=False)
    assert float(stylizer.memory.rest.heat.mean()) == rested < 0.9
    stylizer.restyle(objective, fill)
    assert float(stylizer.memory.rest.heat.mean()) == 1


def test_a_network_that_gives_nan_paints_the_fill_and_the_next_good_frame_recovers(
    objective: AdjointObjective,
) -> None:
    """FAULTS: nothing that is not finite is published or remembered."""
    stylizer = make(objective)
    stylizer.step(random_image(), BUDGET)
    good = dict(objective.kernels.up)
    objective.kernels.up["conv3_1"] = lambda maps: good["conv3_1"](maps) * math.nan
    results = [stylizer.step(random_image(), Budget(4)) for _ in range(3)]
    assert all(torch.isfinite(result.image).all() and result.terms is None for result in results)
    torch.testing.assert_close(results[0].image, fill(random_image()))
    objective.kernels.up.update(good)
    recovered = stylizer.step(random_image(), BUDGET)
    assert recovered.restarted
    assert recovered.terms is not None
    assert torch.isfinite(recovered.image).all()
