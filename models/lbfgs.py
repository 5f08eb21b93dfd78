"""L-BFGS (Liu and Nocedal 1989) in the box of pictures, with its newest pairs moved along the optical flow.

One iteration is one gradient, so that a budget means the same as for Adam. There is no search along a line, which would
ask for several: the step is Newton's as far as a trust region reaches. From a picture that is lower the way goes on and
may go further; from one that is not it goes back to the lowest, and less far. With two gradients a frame it is a little
behind Adam, with four as far, from eight on ahead, and its pictures are steadier; with 64 it is a tenth lower.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from models.optimizer import Differentiable, Moments, tell

HISTORY = 8
"""Pairs of a step and how it changed the gradient: what is known of the curvature."""
CARRIED = 3
"""Newest pairs that go along to the next frame. With 4 gradients a frame of 96 pixels, over two clips, the energy is
2.90 and 2.16 (Adam's: 2.88 and 2.16); begun anew it was 3.46 and 2.98. All eight cost more to move: 2.88 and 2.13."""
CARRIED_MAPS = 2 * 3 * CARRIED
FIRST = 2.0
"""How long the first step is, where no curvature is known: its root mean square in step sizes."""
LONGER, SHORTER, LONGEST = 1.5, 0.4, 8.0
"""What becomes of the reach after a step down or up; and the farthest, in step sizes."""
CURVED = 1e-4
"""The least cosine between a step and the change it made for the pair to count: where it is negative the energy curves
the other way, and bfloat16 leaves noise."""
NO_STEP = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Lbfgs:
    """A `models.optimizer.State`."""

    image: Tensor
    """What is to be looked at next."""
    lowest: Tensor
    """The lowest energy seen, a scalar."""
    best: Tensor
    """The picture that has it."""
    slope: Tensor
    """The gradient there."""
    reach: Tensor
    """How long a step may be, as a root mean square in step sizes; a scalar."""
    steps: Tensor
    """The oldest first, `HISTORY` x 3 x H x W; of pairs that are not there yet, zeros."""
    changes: Tensor
    """How each step changed the gradient."""
    report: Tensor

    @classmethod
    def at(cls, image: Tensor, moments: Moments | None) -> "Lbfgs":
        """Return the state before the first iteration; it shares no memory with `image` and `moments`."""
        steps, changes = image.new_zeros(2, HISTORY, *image.shape[1:]).unbind()
        if moments is not None and moments.history is not None:
            steps[-CARRIED:], changes[-CARRIED:] = moments.history.view(2, CARRIED, *image.shape[1:])
        return cls(
            image=image.clone(),
            lowest=image.new_full((), torch.inf),
            best=image.clone(),
            slope=torch.zeros_like(image),
            reach=image.new_full((), FIRST / LONGER),
            steps=steps,
            changes=changes,
            report=image.new_zeros(5),
        )

    def iterate(self, energy: Differentiable, step_size: Tensor) -> None:
        """Do one iteration in place: look at the picture, learn from it, and step from the best one."""
        terms, gradient = energy.value_and_grad(self.image)
        self._learn(terms.total, gradient)
        self.image.copy_(self.best - self._step(step_size)).clamp_(0, 1)
        tell(self.report, terms, gradient)

    def moments(self, count: int) -> Moments:
        """Return the memory to carry to the next frame. Adam's part of it is empty."""
        nothing = torch.zeros_like(self.image)
        history = torch.stack((self.steps[-CARRIED:], self.changes[-CARRIED:])).view(
            1, CARRIED_MAPS, *nothing.shape[2:]
        )
        return Moments(nothing, nothing, count, history)

    def tensors(self) -> tuple[Tensor, ...]:
        """Return all that an iteration changes."""
        return tuple(getattr(self, each.name) for each in fields(self))

    def copy(self) -> "Lbfgs":
        """Return the same in memory of its own."""
        return Lbfgs(*(tensor.clone() for tensor in self.tensors()))

    def _learn(self, total: Tensor, gradient: Tensor) -> None:
        """Keep the pair from the best picture to this one, and this one if it is better.

        The first picture of a descent is better than none; its pair is a step of zero, which does not count.
        """
        self.steps.copy_(torch.cat((self.steps[1:], self.image - self.best)))
        self.changes.copy_(torch.cat((self.changes[1:], gradient - self.slope)))
        is_lower = total < self.lowest
        self.best.copy_(torch.where(is_lower, self.image, self.best))
        self.slope.copy_(torch.where(is_lower, gradient, self.slope))
        self.lowest.copy_(torch.minimum(total, self.lowest))
        self.reach.mul_(torch.where(is_lower, LONGER, SHORTER)).clamp_(max=LONGEST)

    def _step(self, step_size: Tensor) -> Tensor:
        """Return what to subtract from the best picture.

        Where a pixel is at its limit and would go beyond, it stays (projection). A place with a smaller step size goes
        so much less far, so that a picture comes to rest.
        """
        is_held = ((self.best <= 0) & (self.slope > 0)) | ((self.best >= 1) & (self.slope < 0))
        slope = self.slope * ~is_held
        newton, is_known = self._newton(slope)
        newton = newton * ~is_held
        step = torch.where(dot(newton, slope) > 0, newton, slope) * (step_size / step_size.max())
        reach = self.reach * step_size.mean() / step.square().mean().sqrt().clamp(min=NO_STEP)
        return step * torch.where(is_known, reach.clamp(max=1), reach)

    def _newton(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inverse Hessian, as far as the pairs tell it, times `slope`; and whether any pair tells.

        This is the recursion in two loops (Nocedal 1980). A pair that does not count is passed over by its factor 0.
        """
        products, lengths, widths = (
            (one * other).flatten(1).sum(1)
            for one, other in ((self.steps, self.changes), (self.steps, self.steps), (self.changes, self.changes))
        )
        counts = products > CURVED * (lengths * widths).sqrt()
        inverses = torch.where(counts, 1 / products, 0)
        found, shares = slope, []
        for step, change, inverse in reversed(list(zip(self.steps, self.changes, inverses, strict=True))):
            shares.append(inverse * dot(step, found))
            found = found - shares[-1] * change
        found = found * _scale(counts, products / widths)
        for step, change, inverse, share in zip(self.steps, self.changes, inverses, reversed(shares), strict=True):
            found = found + (share - inverse * dot(change, found)) * step
        return found, counts.any()


def _scale(counts: Tensor, scales: Tensor) -> Tensor:
    """Return the scale of the newest pair that counts: the length of a step to that of the gradient it brings."""
    newest = torch.ones_like(scales[0])
    for each, scale in zip(counts, scales, strict=True):
        newest = torch.where(each, scale, newest)
    return newest


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the sum of products, a scalar."""
    return (one * other).sum()
