"""L-BFGS is its formula, leads down as the Hessian bends, stays in the box, and is carried from frame to frame."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adam import Adam
from models.adjoint import AdjointObjective
from models.cuts import CutDetector
from models.descent import Budget, Descent, Eager, descend
from models.flow import DIS
from models.lbfgs import CARRIED, CARRIED_MAPS, HISTORY, Lbfgs
from models.memory import Memory
from models.objective import Terms
from models.optimizer import Begin
from models.replay import Replayed
from models.stylizer import Stylizer
from tests.tiny import random_image, tiny_objective

START = torch.full((1, 3, 4, 4), 0.2)
REFUGE = torch.full((1, 3, 4, 4), 0.5)
TURN, _ = torch.linalg.qr(torch.randn(48, 48, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
HESSIAN = TURN @ torch.diag(torch.logspace(0, 3, 48, dtype=torch.float64)) @ TURN.T


def bent(step: Tensor) -> Tensor:
    """Return the Hessian times `step`, N x 3 x 4 x 4."""
    found: Tensor = step.reshape(-1, 48) @ HESSIAN.to(step.dtype)
    return found.view_as(step)


class Valley:
    """E = (x - target)' H (x - target) / 2: a thousand times as steep one way as another, and not along the pixels."""

    def __init__(self, target: float = 0.7, *, bad_calls: frozenset[int] = frozenset()) -> None:
        self.target = target
        self.bad_calls = bad_calls
        self.asked: list[Tensor] = []

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        is_bad = len(self.asked) in self.bad_calls
        self.asked.append(image.clone())
        gradient = bent(image - self.target)
        value, zero = (gradient * (image - self.target)).sum() / 2, torch.zeros(())
        return Terms(value, zero, zero, zero), gradient * (math.nan if is_bad else 1)

    def at(self, descent: Descent) -> float:
        return float(self.value_and_grad(descent.image)[0].total)


def go(energy: Valley, iterations: int, begin: Begin = Lbfgs.at) -> Descent:
    return descend(energy, START, budget=Budget(iterations), refuge=REFUGE, loop=Eager(begin))


def test_it_reaches_the_bottom_of_a_narrow_valley_before_adam() -> None:
    ours, adams = (Valley().at(go(Valley(), 40, begin)) for begin in (Lbfgs.at, Adam.at))
    assert ours < adams / 100


def test_one_iteration_is_one_gradient_and_takes_a_step() -> None:
    valley = Valley()
    result = go(valley, 1)
    assert len(valley.asked) == result.iterations == 1
    assert not torch.equal(result.image, START)


def test_its_step_is_that_of_the_inverse_hessian_which_its_pairs_build_up() -> None:
    """The oracle: H <- (1 - r s y') H (1 - r y s') + r s s', from H = (s'y / y'y) 1 of the newest pair, in full."""
    generator = torch.Generator().manual_seed(0)
    state = Lbfgs.at(START.double(), None)
    state.steps.copy_(torch.randn(state.steps.shape, generator=generator))
    state.changes.copy_(bent(state.steps))
    slope = torch.randn(START.shape, generator=generator, dtype=torch.float64)
    pairs = [
        (step.reshape(-1, 1), change.reshape(-1, 1)) for step, change in zip(state.steps, state.changes, strict=True)
    ]
    step, change = pairs[-1]
    one = torch.eye(START.numel(), dtype=torch.float64)
    inverse = one * (step.T @ change) / (change.T @ change)
    for step, change in pairs:
        factor = 1 / (step.T @ change)
        inverse = (one - factor * step @ change.T) @ inverse @ (one - factor * change @ step.T) + factor * step @ step.T
    found, is_known = state._newton(slope)
    assert is_known
    torch.testing.assert_close(found.reshape(-1, 1), inverse @ slope.reshape(-1, 1))


def test_a_pair_that_curves_the_other_way_is_passed_over() -> None:
    state, slope = Lbfgs.at(START, None), torch.ones_like(START)
    state.steps[-1], state.changes[-1] = 1.0, -1.0
    found, is_known = state._newton(slope)
    assert not is_known
    assert torch.equal(found, slope)


def test_from_a_picture_that_is_higher_the_way_goes_back_and_less_far() -> None:
    state, step_size = Lbfgs.at(START, None), torch.tensor(0.03)
    state.iterate(Valley(), step_size)
    low, reach = state.best.clone(), float(state.reach)
    assert torch.equal(low, START)
    state.image.fill_(0.0)
    state.iterate(Valley(), step_size)
    assert torch.equal(state.best, low)
    assert float(state.reach) < reach
    assert float((state.image - low).square().mean().sqrt()) <= 1.01 * float(state.reach * step_size)


def test_a_pixel_that_is_held_at_its_limit_has_no_say_in_where_the_others_go() -> None:
    steps = []
    for pull in (1.0, 50.0):
        state = Lbfgs.at(START, go(Valley(), 8).moments)
        state.best[..., 0, :] = 0
        state.slope.copy_(bent(START - 0.7))
        state.slope[..., 0, :] = pull
        steps.append(state._step(torch.tensor(0.03)))
    assert torch.equal(*steps)
    assert (steps[0][..., 0, :] == 0).all()
    assert (steps[0][..., 1:, :] != 0).all()


@pytest.mark.parametrize("target", [-3.0, 4.0])
def test_the_picture_never_leaves_zero_to_one_and_ends_where_every_way_down_leads_out(target: float) -> None:
    valley = Valley(target)
    result = go(valley, 300)
    assert all(float(image.min()) >= 0 and float(image.max()) <= 1 for image in [*valley.asked, result.image])
    before, after = (valley.value_and_grad(image)[1] for image in (START, result.image))
    inwards = torch.where((result.image == 0) & (after > 0) | (result.image == 1) & (after < 0), 0, after)
    assert float(inwards.norm()) < 0.01 * float(before.norm())


def test_where_the_step_size_is_smaller_the_picture_changes_less() -> None:
    heat = torch.full_like(START[:, :1], 0.03)
    heat[..., :2, :] = 3e-5
    result = descend(Valley(), START, budget=Budget(3), refuge=REFUGE, step_size=heat, loop=Eager(Lbfgs.at))
    change = (result.image - START).abs()
    assert float(change[..., :2, :].max()) < 1e-3 < float(change[..., 2:, :].max())


@pytest.mark.parametrize("bad", [{0}, {3}, {3, 4, 5}, set(range(0, 40, 2)), set(range(100))])
def test_nothing_that_is_not_finite_is_ever_returned(bad: set[int]) -> None:
    result = go(Valley(bad_calls=frozenset(bad)), 8)
    assert torch.isfinite(result.image).all()
    assert result.moments.history is not None
    assert torch.isfinite(result.moments.history).all()
    assert result.failures >= 8
    assert (result.terms is None) == (len(bad) == 100)


def test_its_newest_pairs_are_handed_on_and_known_to_the_next_descent() -> None:
    first = go(Valley(), 8)
    assert first.moments.history is not None
    assert first.moments.history.shape == (1, CARRIED_MAPS, 4, 4)
    second, anew = (
        descend(Valley(), first.image, budget=Budget(3), refuge=REFUGE, moments=moments, loop=Eager(Lbfgs.at))
        for moments in (first.moments, None)
    )
    assert Valley().at(second) < Valley().at(anew)
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    mask[..., 0, 0] = False
    kept = first.moments.kept_where(mask).history
    assert kept is not None
    assert (kept[..., 0, 0] == 0).all()
    assert torch.equal(kept[..., 1, 1], first.moments.history[..., 1, 1])
    assert CARRIED < HISTORY


@pytest.fixture
def objective(tmp_path: Path) -> AdjointObjective:
    return AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))


def view(number: int) -> Tensor:
    """Return a frame of a scene over which the camera moves slowly."""
    return random_image(60, 80, seed=1)[..., number : number + 48, 2 * number : 2 * number + 64].contiguous()


def painter(objective: AdjointObjective, loop: Eager | Replayed) -> Stylizer:
    return Stylizer(objective, flow=DIS(), cuts=CutDetector(), fill=lambda content: content, loop=loop)


def test_a_recording_of_it_paints_what_its_iterations_one_by_one_paint(objective: AdjointObjective) -> None:
    recorded = Replayed(lambda body: body, begin=Lbfgs.at)
    ours, expected = painter(objective, recorded), painter(objective, Eager(Lbfgs.at))
    for number in range(4):
        assert torch.equal(ours.step(view(number), Budget(3)).image, expected.step(view(number), Budget(3)).image)
    assert recorded.recordings == 1


def test_another_process_goes_on_from_its_memory_bit_for_bit(objective: AdjointObjective) -> None:
    first, second = painter(objective, Eager(Lbfgs.at)), painter(objective, Eager(Lbfgs.at))
    for number in range(3):
        first.step(view(number), Budget(3))
    assert first.memory is not None
    second.resume(Memory.of(first.memory.tensors()))
    assert torch.equal(first.step(view(3), Budget(3)).image, second.step(view(3), Budget(3)).image)


@pytest.mark.parametrize(("then", "now"), [(Adam.at, Lbfgs.at), (Lbfgs.at, Adam.at)])
def test_a_memory_of_the_other_optimizer_is_gone_on_from(objective: AdjointObjective, then: Begin, now: Begin) -> None:
    first, second = painter(objective, Eager(then)), painter(objective, Eager(now))
    first.step(view(0), Budget(3))
    assert first.memory is not None
    second.resume(Memory.of(first.memory.tensors()))
    for number in (1, 2):
        result = second.step(view(number), Budget(3))
        assert not result.restarted
        assert result.failures == 0


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda history: history[:, 1:], r"history must be float32 of \(1, 18, 48, 64\)"),
        (lambda history: history * torch.nan, "history must be finite"),
    ],
)
def test_pairs_that_cannot_be_are_refused(
    objective: AdjointObjective, wrong: Callable[[Tensor], Tensor], complaint: str
) -> None:
    stylizer = painter(objective, Eager(Lbfgs.at))
    stylizer.step(view(0), Budget(2))
    assert stylizer.memory is not None
    tensors = stylizer.memory.tensors()
    with pytest.raises(ValueError, match=complaint):
        Memory.of({**tensors, "history": wrong(tensors["history"])})
