"""A painting as it is looked at: how large, and by which layers."""

import math
from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.look import Look, Original
from models.vgg import VGG
from streamer.energy import style_layers
from streamer.paint import Paint
from streamer.pixels import MIN_SIDE_PX, to_tensor, working_size

STYLE_TO_FRAME = 1.5
"""How much longer the painting's long side is than the frame's: its strokes are then as large as on its own canvas."""
BUILT_IN_PX = 1536
"""Built-in paintings are not painted any larger for the sake of larger strokes: that would take a minute and more."""


def painting_px(size: int) -> int:
    """Return how long a painting's long side is, at most, for frames of ``size``."""
    return round(STYLE_TO_FRAME * size)


def built_in_px(paint: Paint, *, size: int) -> int:
    """Return how wide built-in paintings are painted: large strokes are not enlarged small ones, if that can be had."""
    usual = painting_px(size)
    return max(usual, min(round(usual * paint.style_scale), BUILT_IN_PX))


def look_at(network: VGG, painting: NDArray[np.uint8], paint: Paint, *, size: int) -> Original:
    """Return a painting, H x W x 3, as it is taken for frames of ``size``.

    ``paint.style_scale`` enlarges it, and its strokes. It is looked at in pieces then, each about as large as the whole
    painting usually is, since the maps of a picture four times as long would take sixteen times the memory. A strip is
    cut into fewer: none may be too small for the network.
    """
    picture = _scaled(painting, paint.style_scale, px=painting_px(size), device=network.device)
    pieces = min(math.ceil(paint.style_scale), min(picture.shape[2:]) // MIN_SIDE_PX)
    return Original.of(picture, partial(_look, network, layers=style_layers(paint), pieces=pieces))


def _look(network: VGG, picture: Tensor, *, layers: tuple[str, ...], pieces: int) -> Look:
    return Look.of(network, picture, layers, pieces=pieces)


def _scaled(painting: NDArray[np.uint8], scale: float, *, px: int, device: torch.device) -> Tensor:
    if scale == 1:
        return to_tensor(painting, size=px, device=device)
    height, width = (max(MIN_SIDE_PX, round(scale * side)) for side in working_size(*painting.shape[:2], size=px))
    way = cv2.INTER_AREA if height < painting.shape[0] else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(painting, (width, height), interpolation=way), dtype=np.uint8)
    return to_tensor(scaled, size=max(height, width), device=device)
