"""What a stylizer takes from paintings: how their strokes go, and which colors they have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import Tensor

from models.color import ColorStatistics, color_statistics, palette_fill
from models.histogram import Histogram, Transfer
from models.objective import STYLE_LAYERS, Style
from models.vgg import VGG

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The look of one painting, or of something between several."""

    style: Style
    palette: ColorStatistics

    @classmethod
    def of(cls, network: VGG, painting: Tensor, layers: Sequence[str] = STYLE_LAYERS, *, pieces: int = 1) -> "Look":
        """Return the look of `painting`, 1 x 3 x H x W, RGB in [0, 1], as these layers see it.

        A large one may be looked at in rows of so many pieces, one by one: a Gram matrix is a mean over pixels.
        """
        parts = [part for row in painting.tensor_split(pieces, 2) for part in row.tensor_split(pieces, 3)]
        styles = [Style.of(network, part, layers) for part in parts]
        return cls(_mean(Style.toward, styles, [part.numel() for part in parts]), color_statistics(painting))

    def toward(self, other: "Look", share: float) -> "Look":
        """Return the look that is so far on the straight way to `other`: 0 is this very one, 1 the other.

        Means of Gram matrices, and of covariances, are again what some picture could have.
        """
        if share in (0, 1):
            return other if share else self
        mine, its = self.palette, other.palette
        palette = replace(
            mine,
            mean=mine.mean.lerp(its.mean, share),
            covariance=mine.covariance.lerp(its.covariance, share),
        )
        return Look(self.style.toward(other.style, share), palette)

    def graded(self, grade: Transfer) -> "Look":
        """Return the look for frames that are painted in other colors than their own."""
        return replace(self, style=replace(self.style, grade=grade))

    def fill(self, frame: Tensor) -> Tensor:
        """Return what to start from where nothing painted can be moved, a function of the frame; in [0, 1]."""
        return palette_fill(self.style.seen(frame), self.palette)


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """A painting that was looked at, and can be looked at once more in another light."""

    picture: Tensor
    """1 x 3 x H x W, RGB in [0, 1]."""
    look: Look
    histogram: Histogram
    look_at: Callable[[Tensor], Look]

    @classmethod
    def of(cls, picture: Tensor, look_at: Callable[[Tensor], Look]) -> "Original":
        """Return the painting `picture`, looked at."""
        return cls(picture, look_at(picture), Histogram.of(picture), look_at)

    def in_light(self, light: Histogram) -> Look:
        """Return its look after its levels were made those of `light`. It costs as much as the first look."""
        return self.look_at(Transfer.between(self.histogram, light)(self.picture))


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Paintings, and how much of each."""

    parts: tuple[tuple[Original, float], ...]
    """With weights above 0."""
    look: Look
    histogram: Histogram

    @classmethod
    def of(cls, parts: Sequence[tuple[Original, float]]) -> "Mixture":
        """Return the mixture of paintings by their weights; what these sum up to does not matter."""
        weights = [weight for _, weight in parts]
        looks = [original.look for original, _ in parts]
        histograms = [original.histogram for original, _ in parts]
        return cls(tuple(parts), _mean(Look.toward, looks, weights), _mean(Histogram.toward, histograms, weights))

    def in_light(self, light: Histogram) -> Look:
        """Return the look after every painting's levels were made those of `light`."""
        return self.mean([original.in_light(light) for original, _ in self.parts])

    def mean(self, looks: Sequence[Look]) -> Look:
        """Return the mean of other looks of its paintings, one each, in their order."""
        return _mean(Look.toward, looks, [weight for _, weight in self.parts])


def _mean(toward: Callable[[_T, _T, float], _T], things: Sequence[_T], weights: Sequence[float]) -> _T:
    """Return the weighted mean: of two things, what is so far on the straight way from the one to the other."""
    mean, total = things[0], weights[0]
    for thing, weight in zip(things[1:], weights[1:], strict=True):
        total += weight
        mean = toward(mean, thing, weight / total)
    return mean
