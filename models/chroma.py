"""The painting's light in the frame's colors."""

import torch
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue add to the light (BT.601)."""


def with_chroma_of(content: Tensor, painting: Tensor) -> Tensor:
    """Return `painting` with the colors of `content`, both 1 x 3 x H x W in [0, 1].

    Each pixel keeps the painting's luma and gets the differences of red, green and blue from luma that it has in the
    frame (Gatys et al. 2016, "Preserving color in neural artistic style transfer", luminance only). Where that leaves
    [0, 1] the color is made paler rather than cut off, so that the luma is exact and no hue turns.
    """
    wanted = luma(painting)
    chroma = content - luma(content)
    room = torch.where(chroma > 0, 1 - wanted, wanted)
    fits = (room / chroma.abs().clamp(min=1e-6)).clamp(max=1).amin(1, keepdim=True)
    return wanted + fits * chroma


def luma(image: Tensor) -> Tensor:
    """Return the light of `image`, 1 x 3 x H x W, as 1 x 1 x H x W."""
    weights = torch.tensor(_LUMA, device=image.device, dtype=image.dtype).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)
