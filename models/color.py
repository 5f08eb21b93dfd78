"""The colors of a painting, given to a frame: where a descent starts when nothing painted can be moved there.

Measured: starting cuts and revealed places from half frame, half frame in the painting's colors, instead of the frame
alone, lowers the energy of the first frames by a quarter to a half, for free. Three quarters are better still: over two
clips and three paintings, with two iterations a frame, the energy gap after ten frames fell from 5.9 to 5.3 %.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

RECOLORED = 0.75
_SMALLEST_SPREAD = 0.01
"""Below this standard deviation, about two and a half 8-bit levels, what varies in a frame is noise, not color."""


@dataclass(frozen=True, slots=True, eq=False)
class ColorStatistics:
    """Mean and covariance of a picture's RGB values, on the CPU in double precision."""

    mean: Tensor
    """3."""
    covariance: Tensor
    """3 x 3, over all pixels (divided by their number)."""


def color_statistics(image: Tensor) -> ColorStatistics:
    """Return mean and covariance of the colors of `image`, 1 x 3 x H x W."""
    colors = image.detach().squeeze(0).flatten(1).float()
    mean = colors.mean(1, keepdim=True)
    centered = colors - mean
    covariance = centered @ centered.T / colors.shape[1]
    return ColorStatistics(mean[:, 0].double().cpu(), covariance.double().cpu())


def recolor(image: Tensor, target: ColorStatistics) -> Tensor:
    """Return `image`, 1 x 3 x H x W, with the target's mean and covariance.

    Of all linear maps that do so, this is the one that moves colors least (Monge; Pitie and Kokaram 2007):
    A = S^-1/2 (S^1/2 T S^1/2)^1/2 S^-1/2 for covariances S of the image and T of the target. Directions of color in
    which the image varies by less than two and a half 8-bit levels are treated as if they varied by that much, so that
    gray and constant frames stay what they are, only tinted. The result is not clamped.
    """
    own = color_statistics(image)
    root, inverse_root = _roots(own.covariance, floor=_SMALLEST_SPREAD)
    middle, _ = _roots(root @ target.covariance @ root, floor=0.0)
    transport = inverse_root @ middle @ inverse_root
    offset = target.mean - transport @ own.mean
    transport, offset = transport.to(image), offset.to(image)
    return (transport @ image.flatten(2)).view_as(image) + offset[:, None, None]


def palette_fill(content: Tensor, target: ColorStatistics) -> Tensor:
    """Return a quarter of the frame, three quarters of it in the target's colors: 1 x 3 x H x W in [0, 1]."""
    return torch.lerp(content, recolor(content, target).clamp(0.0, 1.0), RECOLORED)


def _roots(covariance: Tensor, *, floor: float) -> tuple[Tensor, Tensor]:
    """Return the square root of a covariance whose standard deviations are at least `floor`, and the root's inverse."""
    variances, directions = torch.linalg.eigh(covariance)
    spreads = variances.clamp(min=floor**2).sqrt()
    root = directions * spreads @ directions.T
    return root, directions / spreads.clamp(min=torch.finfo(spreads.dtype).tiny) @ directions.T
