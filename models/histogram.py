"""How often each level of red, green and blue occurs, in one picture or in a film; and how one such becomes another.

A histogram is added up frame by frame, so that a whole film can be matched to a painting and never be in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 256
"""8-bit levels: what frames and paintings come in."""
_CHANNELS = 3
_TOP = LEVELS - 1


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """The levels of one picture or of many."""

    counts: NDArray[np.float64]
    """3 x 256: pixels of each level, or their weights."""

    @classmethod
    def of(cls, image: Tensor) -> Self:
        """Return the histogram of `image`, 1 x 3 x H x W in [0, 1]; what lies between two levels counts as the nearer.

        Its pixels may be on any device.
        """
        levels = (image.detach()[0].flatten(1) * _TOP).round().clamp(0, _TOP).long()
        levels = levels + LEVELS * torch.arange(_CHANNELS, device=levels.device)[:, None]
        counts = torch.bincount(levels.flatten(), minlength=_CHANNELS * LEVELS)
        return cls(counts.double().cpu().numpy().reshape(_CHANNELS, LEVELS))

    @classmethod
    def even(cls) -> Self:
        """Return the one in which every level occurs equally often."""
        return cls(np.ones((_CHANNELS, LEVELS)))

    @classmethod
    def of_numbers(cls, numbers: Sequence[Sequence[float]]) -> Self:
        """Return the histogram that `numbers` once made these of.

        Raises:
            ValueError: they are not 3 rows of 256 finite numbers from 0, each row with something above 0.
        """
        try:
            counts = np.array(numbers, dtype=np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"a histogram must be 3 rows of {LEVELS} numbers: {error}") from None
        if counts.shape != (_CHANNELS, LEVELS):
            raise ValueError(f"a histogram must be 3 x {LEVELS}, got {counts.shape}")
        if not np.isfinite(counts).all() or counts.min() < 0 or not counts.sum(1).min() > 0:
            raise ValueError("a histogram must have finite counts from 0, and some in each channel")
        return cls(counts)

    def numbers(self) -> list[list[float]]:
        """Return plain numbers, for JSON; whole ones as long as only pixels were counted."""
        whole: list[list[float]] = self.counts.tolist()
        return [[int(count) if count.is_integer() else count for count in row] for row in whole]

    def __add__(self, other: "Histogram") -> "Histogram":
        """Return the histogram of both, pixel for pixel."""
        return Histogram(self.counts + other.counts)

    def toward(self, other: "Histogram", share: float) -> "Histogram":
        """Return the mixture in which `other` has this share, whatever the number of pixels of both."""
        return Histogram((1 - share) * self._shares() + share * other._shares())

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean red, green and blue, each in [0, 1]."""
        mean: NDArray[np.float64] = self._shares() @ (np.arange(LEVELS) / _TOP)
        return mean

    def through(self, transfer: "Transfer") -> "Histogram":
        """Return the histogram after a transfer. What falls between two levels is shared out, so the mean is exact."""
        places = np.clip(transfer.table * _TOP, 0, _TOP)
        lower = np.minimum(places.astype(np.intp), _TOP - 1)
        upper_share = places - lower
        counts = np.zeros_like(self.counts)
        for channel in range(_CHANNELS):
            low, share, count = lower[channel], upper_share[channel], self.counts[channel]
            counts[channel] += np.bincount(low, count * (1 - share), LEVELS)
            counts[channel] += np.bincount(low + 1, count * share, LEVELS)
        return Histogram(counts)

    def distance(self, other: "Histogram") -> float:
        """Return how far the levels lie apart, in the mean over the pixels, of the channel in which that is the most.

        It is the earth mover's distance, in units of the whole range: 0 the same, 1 all black against all white.
        """
        apart = np.abs(self._cumulative() - other._cumulative())[:, :-1].sum(1) / _TOP
        return float(apart.max())

    def _shares(self) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = self.counts / self.counts.sum(1, keepdims=True)
        return shares

    def _cumulative(self) -> NDArray[np.float64]:
        below: NDArray[np.float64] = np.cumsum(self.counts, 1) / self.counts.sum(1, keepdims=True)
        return below


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """A function of each channel's levels that never falls."""

    table: NDArray[np.float64]
    """3 x 256: what becomes of each level, in [0, 1]."""

    @classmethod
    def between(cls, source: Histogram, target: Histogram) -> Self:
        """Return what gives a picture with the histogram `source` the histogram `target`, as far as a function can.

        Each level goes to where the target has as many pixels below it: the cumulative distributions are matched, as
        by scikit-image's `match_histograms`. Pixels of one level stay together.
        """
        table = np.empty((_CHANNELS, LEVELS))
        below, its_below = source._cumulative(), target._cumulative()
        for channel in range(_CHANNELS):
            found = np.flatnonzero(target.counts[channel])
            table[channel] = np.interp(below[channel], its_below[channel, found], found)
        return cls(table / _TOP)

    def __call__(self, image: Tensor) -> Tensor:
        """Return `image`, 1 x 3 x H x W in [0, 1], through the function; between two levels it is a straight line."""
        table = torch.from_numpy(self.table).to(image)
        places = (image[0].flatten(1) * _TOP).clamp(0, _TOP)
        lower = places.detach().long().clamp(max=_TOP - 1)
        low, high = table.gather(1, lower), table.gather(1, lower + 1)
        return torch.lerp(low, high, places - lower).view_as(image)
