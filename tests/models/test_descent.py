"""The descent goes down, stays in the picture, keeps its budget and survives numbers that are not finite."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.descent import Budget, Moments, descend
from models.objective import Terms

TARGET = torch.full((1, 3, 4, 4), 0.7)
START = torch.full((1, 3, 4, 4), 0.2)
REFUGE = torch.full((1, 3, 4, 4), 0.5)


class Bowl:
    """E = |x - target|^2, with faults at chosen calls: of a descent, and again of its careful repetition."""

    def __init__(
        self, target: Tensor = TARGET, *, bad_calls: frozenset[int] = frozenset(), of: int = 10**9, tick: float = 0.0
    ) -> None:
        self.target = target
        self.bad_calls = bad_calls
        self.of = of
        self.tick = tick
        self.now = 0.0
        self.asked: list[Tensor] = []

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        self.now += self.tick
        self.asked.append(image.clone())
        difference = image - self.target
        value, gradient = difference.square().sum(), 2 * difference
        if (len(self.asked) - 1) % self.of in self.bad_calls:
            gradient = gradient.clone()
            gradient[0, 0, 0, 0] = math.nan
        zero = torch.zeros(())
        return Terms(value, zero, zero, zero), gradient

    def clock(self) -> float:
        return self.now


def test_the_descent_reaches_the_bottom() -> None:
    result = descend(Bowl(), START, budget=Budget(200), refuge=REFUGE)
    torch.testing.assert_close(result.image, TARGET, rtol=0, atol=0.02)
    assert result.iterations == 200


def nadam(start: float, target: float, *, steps: int, size: float) -> float:
    """Descend (x - target)^2 by Dozat's formulas, one number after the other."""
    position, mean, square = start, 0.0, 0.0
    for step in range(1, steps + 1):
        gradient = 2 * (position - target)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.95 * square + 0.05 * gradient**2
        ahead = (0.9 * mean + 0.1 * gradient) / (1 - 0.9**step)
        position -= size * ahead / (math.sqrt(square / (1 - 0.95**step)) + 1e-8)
    return position


def test_the_first_steps_are_those_of_nadam() -> None:
    ours = descend(Bowl(), START, budget=Budget(5), refuge=REFUGE, step_size=0.03).image
    expected = torch.full_like(START, nadam(0.2, 0.7, steps=5, size=0.03))
    torch.testing.assert_close(ours, expected)


def test_two_descents_with_the_memory_handed_on_are_one() -> None:
    whole = descend(Bowl(), START, budget=Budget(6), refuge=REFUGE)
    half = descend(Bowl(), START, budget=Budget(3), refuge=REFUGE)
    rest = descend(Bowl(), half.image, budget=Budget(3), refuge=REFUGE, moments=half.moments)
    assert torch.equal(rest.image, whole.image)
    assert rest.moments.count == 6


@pytest.mark.parametrize("target", [-3.0, 4.0])
def test_the_picture_never_leaves_zero_to_one(target: float) -> None:
    bowl = Bowl(torch.full_like(START, target))
    result = descend(bowl, START, budget=Budget(100), refuge=REFUGE)
    assert all(float(image.min()) >= 0 and float(image.max()) <= 1 for image in [*bowl.asked, result.image])


def test_no_iteration_is_begun_that_would_end_after_the_deadline() -> None:
    bowl = Bowl(tick=0.1)
    result = descend(bowl, START, budget=Budget(100, deadline=0.55), refuge=REFUGE, clock=bowl.clock)
    assert result.iterations == 5
    assert bowl.now <= 0.55


def test_one_iteration_is_done_even_when_the_deadline_has_passed() -> None:
    bowl = Bowl(tick=0.1)
    assert descend(bowl, START, budget=Budget(9, deadline=-1.0), refuge=REFUGE, clock=bowl.clock).iterations == 1


def test_an_iterate_with_a_gradient_that_is_not_finite_is_thrown_away_and_the_step_halved() -> None:
    bowl = Bowl(bad_calls=frozenset({1}), of=3)
    result = descend(bowl, START, budget=Budget(3), refuge=REFUGE, step_size=0.04)
    careful = bowl.asked[3:]
    first_step = careful[1] - START
    assert torch.equal(careful[2], START)
    torch.testing.assert_close(result.image - START, first_step / 2)
    assert result.failures == 3 + 1
    assert result.iterations == 6


def test_three_bad_iterations_in_a_row_start_again_from_the_refuge() -> None:
    bowl = Bowl(bad_calls=frozenset({2, 3, 4}), of=6)
    result = descend(bowl, START, budget=Budget(6), refuge=REFUGE)
    assert torch.equal(bowl.asked[6 + 5], REFUGE)
    assert result.moments.count == 1


@pytest.mark.parametrize("bad", [lambda _: True, lambda call: call % 2 == 0, lambda call: call > 3])
def test_nothing_that_is_not_finite_is_ever_returned(bad: Callable[[int], bool]) -> None:
    bowl = Bowl(bad_calls=frozenset(call for call in range(20) if bad(call)), of=20)
    result = descend(bowl, START, budget=Budget(20), refuge=REFUGE)
    for tensor in (result.image, result.moments.mean, result.moments.square):
        assert torch.isfinite(tensor).all()
    assert (result.terms is None) == bad(0) & bad(1)


def test_moments_are_forgotten_where_they_are_not_kept() -> None:
    moments = Moments(torch.ones(1, 3, 2, 2), torch.full((1, 3, 2, 2), 2.0), count=7)
    kept = moments.kept_where(torch.tensor([[[[True, False], [True, True]]]]))
    assert kept.count == 7
    assert (kept.mean[..., 0, 0] == 1).all()
    assert (kept.square[..., 0, 0] == 2).all()
    assert (kept.mean[..., 0, 1] == 0).all()
    assert (kept.square[..., 0, 1] == 0).all()
