"""Adam whose memory can be moved along the optical flow, capped by count and by deadline."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from models.objective import Terms

STEP_SIZE = 0.03
DECAY_MEAN, DECAY_SQUARE = 0.9, 0.95
EPSILON = 1e-8
BAD_STEPS_BEFORE_RESTART = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent on one frame."""

    iterations: int
    deadline: float | None = None
    """On ``time.monotonic()``, seconds: no further iteration is begun that would end later; the first always is."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Adam's memory (Kingma and Ba 2015): the mean and mean square of the gradient, each 1 x 3 x H x W."""

    mean: Tensor
    square: Tensor
    count: int

    @classmethod
    def zeros_like(cls, image: Tensor) -> "Moments":
        """Return the memory of a descent that has not begun."""
        return cls(torch.zeros_like(image), torch.zeros_like(image), 0)

    def updated(self, gradient: Tensor) -> "Moments":
        """Return the memory after one more gradient."""
        return Moments(
            mean=torch.lerp(gradient, self.mean, DECAY_MEAN),
            square=torch.lerp(gradient.square(), self.square, DECAY_SQUARE),
            count=self.count + 1,
        )

    def step(self, size: float | Tensor) -> Tensor:
        """Return Adam's step, unbiased for the first iterations."""
        mean = self.mean / (1 - DECAY_MEAN**self.count)
        square = self.square / (1 - DECAY_SQUARE**self.count)
        return -size * mean / (square.sqrt() + EPSILON)

    def kept_where(self, mask: Tensor) -> "Moments":
        """Return the memory of the places in `mask`, 1 x 1 x H x W, bool; the others begin anew."""
        return replace(self, mean=self.mean * mask, square=self.square * mask)


class Differentiable(Protocol):
    """What can be descended: an `Energy`."""

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        """Return the terms at `image` and the gradient of their sum."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where a descent ended."""

    image: Tensor
    moments: Moments
    iterations: int
    """Gradients computed, those that were thrown away included."""
    terms: Terms | None
    """At the last picture that was evaluated, one step before `image`; None if none was finite."""
    failures: int
    """Iterations whose energy or gradient was not finite."""


def descend(
    energy: Differentiable,
    start: Tensor,
    *,
    budget: Budget,
    refuge: Tensor,
    moments: Moments | None = None,
    step_size: float | Tensor = STEP_SIZE,
    clock: Callable[[], float] = time.monotonic,
) -> Descent:
    """Return the picture after Adam on `energy` from `start`; it never leaves [0, 1].

    An iteration whose energy or gradient is not finite is thrown away with its gradient and the step is halved; after
    three in a row the descent goes on from `refuge` with an empty memory. What is returned is finite.

    Args:
        energy: the function to lower.
        start: 1 x 3 x H x W, in [0, 1].
        budget: at least one iteration is done.
        refuge: a picture known to be good, 1 x 3 x H x W, in [0, 1].
        moments: the memory of the descent so far; None: it begins here.
        step_size: the largest change of a pixel in one iteration, about; one number, or 1 x 1 x H x W.
        clock: the monotonic clock, seconds.
    """
    image = previous = start
    moments = before = moments or Moments.zeros_like(start)
    terms: Terms | None = None
    iterations = failures = bad_in_a_row = 0
    began = clock()
    while iterations < max(budget.iterations, 1):
        latest, gradient = energy.value_and_grad(image)
        iterations += 1
        if _is_finite(latest.total, gradient):
            bad_in_a_row, terms = 0, latest
            previous, before = image, moments
            moments = moments.updated(gradient)
            image = (image + moments.step(step_size)).clamp_(0, 1)
        else:
            bad_in_a_row, failures = bad_in_a_row + 1, failures + 1
            step_size = step_size / 2
            image, moments = previous, before
            if bad_in_a_row == BAD_STEPS_BEFORE_RESTART:
                image = previous = refuge
                moments = before = Moments.zeros_like(refuge)
        now = clock()
        if budget.deadline is not None and now + (now - began) / iterations > budget.deadline:
            break
    return Descent(image, moments, iterations, terms, failures)


def _is_finite(total: Tensor, gradient: Tensor) -> bool:
    return bool(torch.isfinite(total + gradient.sum()))
