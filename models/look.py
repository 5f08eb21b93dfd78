"""What a stylizer takes from a painting: how its strokes go, and which colors it has."""

from dataclasses import dataclass, replace

from torch import Tensor

from models.color import ColorStatistics, color_statistics, palette_fill
from models.objective import Style
from models.vgg import VGG


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """The look of one painting, or of something between two."""

    style: Style
    palette: ColorStatistics

    @classmethod
    def of(cls, network: VGG, painting: Tensor) -> "Look":
        """Return the look of `painting`, 1 x 3 x H x W, RGB in [0, 1]."""
        return cls(Style.of(network, painting), color_statistics(painting))

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

    def fill(self, frame: Tensor) -> Tensor:
        """Return what to start from where nothing painted can be moved, a function of the frame; in [0, 1]."""
        return palette_fill(frame, self.palette)
