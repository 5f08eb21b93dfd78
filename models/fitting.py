"""Brings a picture to a size that a network takes, and what the network made of it back."""

from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """First the picture is scaled, then it is padded below and at the right with what its edge shows."""

    frame: Size
    """Of the picture."""
    scaled: Size
    padded: Size
    """What the network sees; nowhere smaller than ``scaled``."""

    def into(self, picture: Tensor) -> Tensor:
        """Return a picture, 1 x C x H x W, as the network sees it."""
        if self.scaled != self.frame:
            picture = _scaled(picture, self.scaled)
        below, right = (padded - scaled for padded, scaled in zip(self.padded, self.scaled, strict=True))
        return F.pad(picture, (0, right, 0, below), mode="replicate") if below or right else picture

    def back(self, answer: Tensor) -> Tensor:
        """Return what the network says, 1 x C x H x W, for the picture as it was."""
        height, width = self.scaled
        answer = answer[..., :height, :width]
        return _scaled(answer, self.frame) if self.scaled != self.frame else answer

    def flow_back(self, flow: Tensor) -> Tensor:
        """Return a flow in the picture's own pixels, which are fewer or more than the network saw."""
        (height, width), (scaled_height, scaled_width) = self.frame, self.scaled
        return self.back(flow) * flow.new_tensor([width / scaled_width, height / scaled_height]).view(1, 2, 1, 1)


def up_to_multiple(length: int, multiple: int) -> int:
    """Return the smallest multiple that is not below ``length``."""
    return -(-length // multiple) * multiple


def _scaled(picture: Tensor, size: Size) -> Tensor:
    return F.interpolate(picture, size, mode="bilinear", antialias=True, align_corners=False)
