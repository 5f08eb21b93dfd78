"""What the settings say that is painted on where nothing painted can be moved."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.look import Look
from streamer.config import ConfigError
from streamer.networks import load_onnx, read_name
from streamer.section import shown
from streamer.stand_in import Fallible

Fill = Callable[[Tensor, Look], Tensor]
"""Returns what a frame, 1 x 3 x H x W in [0, 1], begins as in a look: the same shape, in [0, 1]."""


class NetworkFill:
    """What a feed-forward network makes of the frame or, while it fails, the frame in the painting's colors.

    The network has a style of its own, whatever the look is: the descent leads from the one to the other.
    """

    def __init__(self, network: Fallible) -> None:
        self.network = network

    def __call__(self, frame: Tensor, look: Look) -> Tensor:
        """Return the first painting of a frame."""
        return self.network(frame, stand_in=look.fill)


def make_fill(text: str, *, device: torch.device, asked: bool = False) -> Fill:
    """Return what a frame begins as.

    Args:
        text: ``paint.fill``.
        device: where a network runs.
        asked: the settings name this very device, so that another one will not do.

    Raises:
        ConfigError: a network cannot be used.
    """
    if text == "palette":
        return lambda frame, look: look.fill(frame)
    if text == "frame":
        return lambda frame, _: frame
    name = read_name("fill", text)
    if name is None or name.kind != "onnx":
        raise ConfigError(f"paint.fill: expected palette, frame or onnx:FILE, got {shown(text)}")
    return NetworkFill(load_onnx("fill", name, device=device, asked=asked))
