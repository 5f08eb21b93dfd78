"""The light of a frame on its painting: in wide areas, so that the strokes stay as they are."""

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from models.chroma import luma

_COARSE = 4
"""Light is looked at so many times smaller: it changes slowly from place to place."""
_REACH = 1 / 16
"""How far an area reaches, as a share of the long side."""
_TEXTURE = 0.1
"""Steps of light in the frame that are well above this are edges of things, where the light may step, too."""


def with_light_of(content: Tensor, painting: Tensor, share: float) -> Tensor:
    """Return `painting` as light, in wide areas, as `content` is; both are 1 x 3 x H x W in [0, 1].

    What the light lacks is added to red, green and blue alike, so what differs within an area stays: strokes and
    colors. An area ends where the frame has an edge, else there would be halos (the guided filter of He et al. 2013,
    on the difference of both lumas and along the frame's, all a few times smaller: no detail of the frame comes along).

    Args:
        content: the frame.
        painting: what it became.
        share: 0 leaves the painting's light, 1 gives it all of the frame's.
    """
    guide = luma(content)
    return (painting + share * _guided(guide, guide - luma(painting))).clamp(0, 1)


def _guided(guide: Tensor, values: Tensor) -> Tensor:
    """Return `values` smoothed within the areas of `guide`, both 1 x 1 x H x W: locally a line of the coarse guide."""
    height, width = guide.shape[-2:]
    low = max(1, height // _COARSE), max(1, width // _COARSE)
    small_guide, small_values = F.adaptive_avg_pool2d(guide, low), F.adaptive_avg_pool2d(values, low)
    reach = max(1, round(_REACH * max(low)))
    products = [small_guide, small_values, small_guide * small_values, small_guide.square()]
    mean_guide, mean_values, mean_product, mean_square = torch.split(_areas(torch.cat(products, 1), reach), 1, 1)
    slope = (mean_product - mean_guide * mean_values) / (mean_square - mean_guide.square() + _TEXTURE**2)
    level = mean_values - slope * mean_guide
    slope, level = torch.split(_areas(torch.cat([slope, level], 1), reach), 1, 1)
    return F.interpolate(slope * small_guide + level, (height, width), mode="bilinear")


def _areas(maps: Tensor, reach: int) -> Tensor:
    """Return the means over squares; at the border over what of them is there."""
    reach = min(reach, *((side - 1) // 2 for side in maps.shape[-2:]))
    if reach < 1:
        return maps
    return F.avg_pool2d(maps, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)
