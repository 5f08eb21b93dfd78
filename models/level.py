"""A picture made lighter or darker as a whole."""

import math

import torch
from torch import Tensor

from models.histogram import LEVELS, Histogram

_STEPS = 20
_STEEPEST = 16.0


def with_level(image: Tensor, mean: Tensor) -> Tensor:
    """Return `image` with the means of red, green and blue that `mean` says, as far as a curve can.

    Each channel goes through 1 - (1 - x)^g: like another exposure it multiplies what is dark, by g, but it leaves white
    white, cuts nothing off, and keeps the order of all levels. Where no g from 1/16 to 16 leads there, as in a channel
    that is all black, the nearest is taken.

    Args:
        image: 1 x 3 x H x W in [0, 1].
        mean: 3, in [0, 1].
    """
    return 1 - torch.pow((1 - image).clamp(0, 1), _exponents(image, mean).to(image).view(1, 3, 1, 1))


def _exponents(image: Tensor, mean: Tensor) -> Tensor:
    """Return g for each channel: by bisection of its logarithm, as the mean grows with g."""
    counts = torch.from_numpy(Histogram.of(image).counts)
    shares = counts / counts.sum(1, keepdim=True)
    levels = torch.linspace(0, 1, LEVELS, dtype=torch.float64)
    wanted = mean.double().cpu()
    high = torch.full((3,), math.log(_STEEPEST), dtype=torch.float64)
    low = -high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        is_light = (shares * (1 - (1 - levels) ** middle.exp()[:, None])).sum(1) > wanted
        low, high = torch.where(is_light, low, middle), torch.where(is_light, middle, high)
    return torch.exp((low + high) / 2)
