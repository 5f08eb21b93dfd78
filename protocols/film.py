"""A film as a row of pictures with exact times: what is known of it, and the pictures from any time on."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from protocols.film_colors import Colors

FILM_SUFFIXES = (".mp4", ".mov", ".mkv")
"""What a film that is written may be."""
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""What a picture that is written may be."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a film says of all its pictures."""

    time_base: Fraction
    """What a tick of `Shot.ticks` lasts, in s."""
    rate: Fraction
    """Pictures per second, about."""
    height: int
    width: int
    """Of the first picture, upright."""
    colors: Colors
    pixel_aspect: Fraction
    """How wide a pixel is for its height, upright."""

    @property
    def usual_ticks(self) -> int:
        """How long a picture usually lasts."""
        return max(1, round(1 / (self.rate * self.time_base)))


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture."""

    image: NDArray[np.uint8]
    """H x W x 3, RGB, upright."""
    ticks: int | None
    """When it is shown; None: the film does not say."""


class Reel(Protocol):
    """A film, a folder of pictures or a picture, to be read as often as is needed."""

    path: Path

    def facts(self) -> Facts:
        """Return what holds for all pictures.

        Raises:
            SourceError: it cannot be read, or holds no picture.
        """
        ...

    def shots(self, since: int | None = None) -> Iterator[Shot | None]:
        """Yield the pictures in order; None in the place of one that cannot be decoded.

        Args:
            since: the ticks of the first picture that is wanted; those before it need not be decoded. None: all.

        Raises:
            SourceError: reading failed.
        """
        ...
