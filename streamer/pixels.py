"""Pictures as bytes and as tensors, at the size they are painted in."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

MIN_SIDE_PX = 16


def working_size(height: int, width: int, *, size: int) -> tuple[int, int]:
    """Return height and width at a long side of ``size`` at most: shape kept, never larger, no side below 16."""
    scale = min(1.0, size / max(height, width))
    return max(MIN_SIDE_PX, round(height * scale)), max(MIN_SIDE_PX, round(width * scale))


def to_tensor(pixels: NDArray[np.uint8], *, size: int, device: torch.device | str) -> Tensor:
    """Return a frame's picture, H x W x 3, as 1 x 3 x H' x W' in [0, 1] at working size on ``device``."""
    height, width = working_size(*pixels.shape[:2], size=size)
    if (height, width) != pixels.shape[:2]:
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    image = torch.tensor(pixels, device=device).permute(2, 0, 1)[None]
    return image.to(torch.float32, memory_format=torch.contiguous_format) / 255


def to_pixels(image: Tensor) -> NDArray[np.uint8]:
    """Return an image, 1 x 3 x H x W in [0, 1], as H x W x 3, rounded."""
    rounded = (image[0] * 255).round().clamp(0, 255).to(torch.uint8)
    pixels: NDArray[np.uint8] = rounded.permute(1, 2, 0).contiguous().cpu().numpy()
    return pixels
