"""Where is painted, and where the frame stays: a picture of somebody's."""

from pathlib import Path

import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from models.chroma import luma
from streamer.config import ConfigError
from streamer.paint import Paint
from streamer.picture import PictureError, read_picture
from streamer.pixels import to_tensor

_MOST_PX = 2048
_SOFT_EDGE = 1 / 128
"""How wide a hard edge becomes to each side, as a share of the long side."""


class Mask:
    """A picture, stretched over frames of any size: white is painted, black stays the frame, gray mixes.

    It is put on a picture that was painted everywhere, at the very end: strokes go on under it, so that nothing that
    moves out from under it starts from nothing, and memory, energy and iterations are what they are without it.

    Args:
        image: 1 x 3 x H x W in [0, 1].
    """

    def __init__(self, image: Tensor) -> None:
        self._mask = luma(image)
        self._scaled = self._mask

    def like(self, content: Tensor) -> Tensor:
        """Return it for a frame, 1 x 3 x H x W: 1 x 1 x H x W in [0, 1], on the frame's device."""
        last = self._scaled
        if last.shape[2:] != content.shape[2:] or last.device != content.device:
            self._scaled = _stretched(self._mask, content.shape[-2], content.shape[-1]).to(content)
        return self._scaled


def make_mask(paint: Paint) -> Mask | None:
    """Return the mask that the settings name, if they do.

    Raises:
        ConfigError: it cannot be used.
    """
    if paint.mask is None:
        return None
    try:
        picture = read_picture(Path(paint.mask).expanduser())
    except PictureError as error:
        raise ConfigError(f"paint.mask: {error}") from None
    return Mask(to_tensor(picture, size=_MOST_PX, device="cpu"))


def _stretched(mask: Tensor, height: int, width: int) -> Tensor:
    """Return the mask at this size, with soft edges."""
    scaled = F.interpolate(mask, (height, width), mode="bilinear", antialias=True)
    reach = max(1, round(_SOFT_EDGE * max(height, width)))
    padded = F.pad(scaled, (reach, reach, reach, reach), mode="replicate")
    return F.avg_pool2d(padded, 2 * reach + 1, stride=1).clamp(0, 1)
