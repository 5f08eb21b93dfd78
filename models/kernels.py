"""The layers of a network both ways: up with the maps, down with the gradient. Packed once, whatever is painted."""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from models.vgg import VGG
from models.weights import CONVOLUTIONS

Convolution = Callable[[Tensor], Tensor]
Pooled = tuple[Tensor, Tensor] | tuple[None, None]
"""What a pooling gave and where each was the largest; of a pooling of means nothing is needed on the way down."""


class Kernels:
    """A network's convolutions and poolings, up to a layer."""

    def __init__(self, network: VGG, highest: str) -> None:
        self.names = CONVOLUTIONS[: CONVOLUTIONS.index(highest) + 1]
        self.pooling = network.pooling
        self.up = {name: _forward(network, name) for name in self.names}
        self.down = {name: _backward(network, name) for name in self.names}

    def pool(self, maps: Tensor) -> Tensor:
        """Return what a pooling makes of `maps`."""
        return F.max_pool2d(maps, 2) if self.pooling == "max" else F.avg_pool2d(maps, 2)

    def pool_to_return(self, maps: Tensor) -> tuple[Tensor, Pooled]:
        """Return what a pooling makes of `maps`, and what `spread` will need."""
        if self.pooling == "average":
            return F.avg_pool2d(maps, 2), (None, None)
        pooled = F.max_pool2d_with_indices(maps, [2, 2])
        return pooled[0], pooled

    def spread(self, gradient: Tensor, maps: Tensor, pooled: Pooled) -> Tensor:
        """Return the gradient below the pooling of `maps`; if it is of the largest, below the ReLU under it, too."""
        largest, places = pooled
        if largest is None or places is None:
            means: Tensor = torch.ops.aten.avg_pool2d_backward(
                gradient,
                maps,
                kernel_size=[2, 2],
                stride=[2, 2],
                padding=[0, 0],
                ceil_mode=False,
                count_include_pad=True,
                divisor_override=None,
            )
            return means
        masked = torch.ops.aten.threshold_backward(gradient, largest, 0)
        spread: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
            masked,
            maps,
            kernel_size=[2, 2],
            stride=[2, 2],
            padding=[0, 0],
            dilation=[1, 1],
            ceil_mode=False,
            indices=places,
        )
        return spread


def _forward(network: VGG, name: str) -> Convolution:
    """Return convolution and ReLU of a layer as one function."""
    return _convolution(network.weights[name], network.biases[name], relu=True)


def _backward(network: VGG, name: str) -> Convolution:
    """Return the transposed convolution of a layer: from the gradient above it to the gradient below it."""
    flipped = network.weights[name].flip(2, 3).transpose(0, 1)
    return _convolution(flipped.contiguous(memory_format=torch.channels_last), None, relu=False)


def _convolution(weight: Tensor, bias: Tensor | None, *, relu: bool) -> Convolution:
    if weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.bfloat16):
        activation = "relu" if relu else "none"
        fused, packed = torch.ops.mkldnn._convolution_pointwise, _packed(weight)
        return lambda maps: fused(maps, packed, bias, [1, 1], [1, 1], [1, 1], 1, activation, [], "")
    if relu:
        return lambda maps: F.conv2d(maps, weight, bias, padding=1).relu_()
    return lambda maps: F.conv2d(maps, weight, bias, padding=1)


def _packed(weight: Tensor) -> Tensor:
    """Return a kernel in the order in which oneDNN reads it, so that it is not put in that order at every call.

    Layers of a few maps are faster as they are. The last size is a guess at the maps' size: it decides which order is
    best, not which sizes are possible.
    """
    if min(weight.shape[:2]) < 16:
        return weight
    ones, size = [1, 1], [1, weight.shape[1], 64, 64]
    packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, ones, ones, ones, 1, size)
    return packed
