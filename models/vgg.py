"""VGG-19 as a bank of features, by the paper's layer names."""

from collections.abc import Iterable
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from models.weights import CONVOLUTIONS, Weights

Pooling = Literal["max", "average"]


class VGG:
    """The convolutions of VGG-19, frozen, in one precision on one device.

    Layers are named as in the paper: ``conv4_2`` is the second convolution of the fourth block, after its ReLU. The
    input is RGB in [0, 1]; the normalization that the weights were trained with happens inside.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        pooling: Pooling = "max",
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self.pooling = pooling
        self.mean = weights["mean"].view(1, 3, 1, 1).to(self.device)
        self.weights = {name: self._placed(weights[f"{name}.weight"]) for name in CONVOLUTIONS}
        self.biases = {name: weights[f"{name}.bias"].to(self.device, dtype) for name in CONVOLUTIONS}

    def __call__(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Return the maps of the asked layers; what lies above the highest of them is not computed.

        Args:
            image: B x 3 x H x W, RGB in [0, 1].
            layers: names such as ``conv4_2``.

        Returns:
            By layer, B x J x H' x W' in the network's precision; each block halves H' and W', rounding down.

        Raises:
            ValueError: there is no such layer, or the picture is too small for it.
        """
        wanted = set(layers)
        check_layers(wanted)
        found: dict[str, Tensor] = {}
        maps = (image - self.mean).to(self.dtype, memory_format=torch.channels_last)
        for name in CONVOLUTIONS:
            if len(found) == len(wanted):
                break
            if starts_block(name) and name != CONVOLUTIONS[0]:
                maps = self._pool(maps)
            maps = F.relu(F.conv2d(maps, self.weights[name], self.biases[name], padding=1))
            if name in wanted:
                found[name] = maps
        return found

    def _pool(self, maps: Tensor) -> Tensor:
        if min(maps.shape[-2:]) < 2:
            raise ValueError(f"the picture is too small for these layers: {tuple(maps.shape[-2:])} cannot be halved")
        return F.max_pool2d(maps, 2) if self.pooling == "max" else F.avg_pool2d(maps, 2)

    def _placed(self, weight: Tensor) -> Tensor:
        return weight.to(self.device, self.dtype, memory_format=torch.channels_last)


def starts_block(layer: str) -> bool:
    """Return whether a pooling lies below `layer` (for conv1_1: whether it is the first of its block)."""
    return layer.endswith("_1")


def check_layers(layers: Iterable[str]) -> None:
    """Raise ValueError unless each of `layers` is one of VGG-19's."""
    unknown = sorted(set(layers) - set(CONVOLUTIONS))
    if unknown:
        raise ValueError(f"layers must be among {', '.join(CONVOLUTIONS)}, got {', '.join(unknown)}")
