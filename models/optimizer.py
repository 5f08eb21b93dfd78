"""What goes down an energy, iteration by iteration: `models.adam` or `models.lbfgs`. What they have in common."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor

from models.objective import Boosts, Terms


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What a descent hands on to the next one."""

    mean: Tensor
    """Adam's (Kingma and Ba 2015): the mean of the gradient, 1 x 3 x H x W."""
    square: Tensor
    """And its mean square, likewise."""
    count: int
    """Iterations behind it."""
    history: Tensor | None = None
    """That of L-BFGS, 1 x `models.lbfgs.CARRIED_MAPS` x H x W; None of Adam."""
    boosts: Boosts | None = None
    """What gave each term its share of the energy; None: nothing is known of that."""

    @classmethod
    def zeros_like(cls, image: Tensor, *, boosts: Boosts | None = None) -> "Moments":
        """Return the memory of a descent that has not begun."""
        return cls(torch.zeros_like(image), torch.zeros_like(image), 0, boosts=boosts)

    def to(self, device: torch.device | str) -> "Moments":
        """Return the same on another device."""
        history = None if self.history is None else self.history.to(device)
        return replace(self, mean=self.mean.to(device), square=self.square.to(device), history=history)

    def kept_where(self, mask: Tensor) -> "Moments":
        """Return the memory of the places in `mask`, 1 x 1 x H x W, bool; the others begin anew."""
        history = None if self.history is None else self.history * mask
        return replace(self, mean=self.mean * mask, square=self.square * mask, history=history)


class Differentiable(Protocol):
    """What can be descended: an `Energy`."""

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        """Return the terms at `image` and the gradient of their sum."""
        ...


class State(Protocol):
    """Where a descent is: tensors that each iteration changes in place, all on one device."""

    @property
    def image(self) -> Tensor:
        """The picture."""
        ...

    @property
    def report(self) -> Tensor:
        """The four terms at the last picture evaluated, and a sum that is finite if all numbers so far were."""
        ...

    def iterate(self, energy: Differentiable, step_size: Tensor) -> None:
        """Do one iteration, with one gradient; the picture never leaves [0, 1], and nothing is read back."""
        ...

    def moments(self, count: int) -> Moments:
        """Return the memory to carry to the next frame. The host counts, too, so that nothing is read back for it."""
        ...

    def tensors(self) -> tuple[Tensor, ...]:
        """Return all that an iteration changes."""
        ...

    def copy(self) -> Self:
        """Return the same in memory of its own."""
        ...


Begin = Callable[[Tensor, Moments | None], State]
"""Returns the state before the first iteration, of a picture and what was handed on, in memory of its own."""


def tell(report: Tensor, terms: Terms, gradient: Tensor) -> None:
    """Write into a state's report how an evaluation went."""
    report[:4] = torch.stack((terms.content, terms.style, terms.variation, terms.temporal))
    report[4] += terms.total + gradient.sum()
