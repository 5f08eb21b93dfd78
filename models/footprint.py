"""How much memory painting takes, by arithmetic: the maps of VGG-19, layer by layer, and what was measured around them.

An iteration holds the maps of every layer at once, for the way down, and the frame's at the content layers; of what
each pooling gave it holds the values and where they came from; and around the widest layer, the gradients above and
below it. The layer sizes are exact, for whatever layers. How much more a process takes (the workspace of convolutions,
the optimizer's moments, the flow, the holes between all of these) was fitted to the daemon's peak at 128 to 1024 pixels
on the CPU with the layers of the paper, where it is right within 5 %. A pooling of means takes less than is said here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from models.lbfgs import CARRIED_MAPS, HISTORY
from models.objective import CONTENT_LAYERS, STYLE_LAYERS
from models.weights import BLOCKS, CONVOLUTIONS

MAPS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}
"""Of each layer, by block (Simonyan and Zisserman 2014)."""
INDEX_BYTES = 8
GRADIENTS = 3
"""Of the size of the widest layer: above a convolution, below it, and what is added to it."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What arithmetic does not tell."""

    process_bytes: int
    """Of a process that paints no pixels: Python, torch."""
    start_bytes: int
    """The same at its start, when the weights are read: the least that a process takes at its worst."""
    copies: float
    """Of the weights: as they are, and in the orders in which they are read."""
    slack: float
    """What is taken for the maps, divided by the maps."""
    pixel_bytes: float
    """Of a pixel apart from the network: pictures, moments, flow, warp."""


CPU = Fitted(process_bytes=640 << 20, start_bytes=790 << 20, copies=2.3, slack=1.39, pixel_bytes=718)
CUDA = Fitted(process_bytes=500 << 20, start_bytes=500 << 20, copies=2.3, slack=1.39, pixel_bytes=718)
"""On the GPU. Not fitted yet: the process is a guess at CUDA's context and the workspace of cuDNN."""


LBFGS_PIXEL_BYTES = 4 * (4 * 3 * HISTORY + 3 * CARRIED_MAPS)
"""Its pairs, in float32, while they make room for a new one; and those carried, as they are moved. Adam has none."""

WAITING_PIXEL_BYTES = 4 * (4 * 3 + 3 * 2 + 2)
"""Of a frame that waits for its future: itself, its painting and both moments; three flows; heat and step size."""


@dataclass(frozen=True, slots=True)
class Method:
    """What of the way of painting takes memory."""

    content_layers: tuple[str, ...] = CONTENT_LAYERS
    style_layers: tuple[str, ...] = STYLE_LAYERS
    is_lbfgs: bool = False
    lag: int = 0
    """Frames that wait for their future."""


PAPER = Method()
"""The paper's layers, and Adam."""


def peak_bytes(
    frame: tuple[int, int],
    painting: tuple[int, int],
    *,
    number_bytes: int,
    fitted: Fitted = CPU,
    method: Method = PAPER,
) -> float:
    """Return the most memory a daemon takes.

    Args:
        frame: height and width of the painted picture.
        painting: height and width at which the style is looked at.
        number_bytes: of a number in the network's precision.
        fitted: of the device.
        method: of painting.
    """
    weights = fitted.copies * number_bytes * weight_count()
    waiting = method.lag * (WAITING_PIXEL_BYTES + 4 * CARRIED_MAPS * method.is_lbfgs)
    pixel_bytes = fitted.pixel_bytes + LBFGS_PIXEL_BYTES * method.is_lbfgs + waiting
    maps = fitted.slack * descent_bytes(*frame, number_bytes=number_bytes, method=method)
    descent = maps + frame[0] * frame[1] * pixel_bytes
    style = fitted.slack * style_bytes(*painting, number_bytes=number_bytes, layers=method.style_layers)
    return weights + max(fitted.start_bytes, fitted.process_bytes + max(descent, style))


def weight_count() -> int:
    """Return how many numbers the kernels of all layers have."""
    outputs = [MAPS[block] for block, layers in BLOCKS.items() for _ in range(layers)]
    return sum(9 * below * above for below, above in pairwise([3, *outputs]))


def descent_bytes(height: int, width: int, *, number_bytes: int, method: Method = PAPER) -> float:
    """Return what the maps and gradients of one iteration take."""
    highest = max(map(CONVOLUTIONS.index, (*method.content_layers, *method.style_layers)))
    maps = _numbers(CONVOLUTIONS[: highest + 1]) + _numbers(method.content_layers)
    pooled = sum(_per_pixel(block) / 4 for block in BLOCKS if block < _block(CONVOLUTIONS[highest]))
    held = (maps + pooled + GRADIENTS * _per_pixel(1)) * number_bytes + pooled * INDEX_BYTES
    return height * width * held


def style_bytes(height: int, width: int, *, number_bytes: int, layers: Iterable[str] = STYLE_LAYERS) -> float:
    """Return what the maps take while a style is found: those of its layers, and two of the widest."""
    return height * width * (_numbers(layers) + 2 * _per_pixel(1)) * number_bytes


def _numbers(layers: Iterable[str]) -> float:
    """Return how many numbers these layers have for each pixel of the picture."""
    return sum(_per_pixel(_block(layer)) for layer in layers)


def _block(layer: str) -> int:
    return int(layer[4])


def _per_pixel(block: int) -> float:
    """Return how many numbers one layer of a block has for each pixel of the picture."""
    return float(MAPS[block] / 4 ** (block - 1))
