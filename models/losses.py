"""The terms of the paper's energy, one pure function per equation.

Where the paper sums over pixels we take means, so that a weight means the same at every resolution.
"""

from typing import Literal

import torch
from torch import Tensor

Penalty = Literal["squared", "robust"]
"""What the flow loss makes of a difference."""

ROBUST_FROM = 0.05
"""Charbonnier's epsilon: what differs by less counts about as its square, what differs by far more as its size. It is
three times the temporal error of a picture painted well; what differs more is seldom the same surface."""


def gram_matrix(features: Tensor) -> Tensor:
    """Return which maps are active together (eq. 1): G_jj' = 1/I sum_i F_ij F_ij'.

    Args:
        features: B x J x H x W with I = H W pixels.

    Returns:
        B x J x J, in float32 or wider.
    """
    maps = widen(features).flatten(2)
    return maps @ maps.transpose(1, 2) / maps.shape[2]


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of one layer's maps (eq. 4): 1/(I J) sum_ij (F_ij - F^c_ij)^2."""
    return (widen(features) - widen(target)).square().mean()


def style_loss(gram: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared difference of one layer's Gram matrices (eq. 5): 1/J^2 sum_jj' (G_jj' - G^s_jj')^2."""
    return (gram - target).square().mean()


def total_variation(image: Tensor) -> Tensor:
    """Return how much neighboring pixels differ (eq. 6), squared: mean to the right plus mean downwards.

    Args:
        image: B x C x H x W.
    """
    right = image[..., :, 1:] - image[..., :, :-1]
    down = image[..., 1:, :] - image[..., :-1, :]
    return right.square().mean() + down.square().mean()


def temporal_loss(image: Tensor, warped: Tensor, visible: Tensor, *, penalty: Penalty = "squared") -> Tensor:
    """Return how far the picture left its neighbors moved along the flow (eq. 7): a sum over them of means over pixels.

    Hidden pixels count as zero in the mean, so that they get no gradient and a mostly hidden picture no extra weight.

    Args:
        image: 1 x 3 x H x W.
        warped: the painted neighbors (the last picture, and the next) in present coordinates, N x 3 x H x W.
        visible: N x 1 x H x W, bool or [0, 1].
        penalty: the l of eq. 7.
    """
    difference = image - warped
    each = difference.square() if penalty == "squared" else charbonnier(difference)
    return (each * visible).mean() * len(warped)


def charbonnier(difference: Tensor, epsilon: float = ROBUST_FROM) -> Tensor:
    """Return 2 e (sqrt(d^2 + e^2) - e), by elements: Charbonnier's penalty, which is d^2 where d is small.

    Without the factor a weight would mean another pull than that of the squares. Written as a quotient, since the
    difference of the two would lose the digits of a small d.
    """
    square = difference.square()
    return 2 * epsilon * square / ((square + epsilon**2).sqrt() + epsilon)


def widen(features: Tensor) -> Tensor:
    """Return `features` in at least float32: sums over thousands of pixels do not fit bfloat16."""
    return features.to(torch.promote_types(features.dtype, torch.float32))
