"""Histogram matching (section 7.1 of the paper): what a frame is painted towards so that dark stays dark.

Two steps. The painting's levels are given to the whole film, seen as one picture; so the film as a whole gets the
painting's colors, and each frame keeps what sets it apart from the others. Then each frame's levels, after that, are
given to the painting; what is painted towards is the look of that.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.histogram import Histogram, Transfer
from models.look import Look, Mixture


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """How one frame is painted."""

    look: Look
    """What to paint towards; it takes the frame as it is."""
    level: Tensor
    """What the picture's mean red, green and blue should be, 3: for ``streamer.finish``."""

    def content(self, frame: Tensor) -> Tensor:
        """Return the frame in the colors in which it is painted, 1 x 3 x H x W."""
        return self.look.style.seen(frame)


class FilmMatcher:
    """Matches the frames of a film that was looked at from its beginning to its end; exactly the paper's two steps.

    It remembers nothing: a frame's match depends on that frame and on the film alone, in whatever order they are asked.

    Args:
        film: the histogram of all frames, added up.
        mixture: the paintings.
    """

    def __init__(self, film: Histogram, mixture: Mixture) -> None:
        self._mixture = mixture
        self._grade = Transfer.between(film, mixture.histogram)

    def match(self, frame: Tensor) -> Match:
        """Return how to paint ``frame``, 1 x 3 x H x W in [0, 1]; this looks at the painting once more."""
        light = Histogram.of(frame).through(self._grade)
        look = self._mixture.in_light(light).graded(self._grade)
        return Match(look, torch.from_numpy(light.mean))
