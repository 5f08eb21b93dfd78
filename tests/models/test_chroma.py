"""The painting's light in the frame's colors."""

import cv2
import numpy as np
import torch

from models.chroma import with_chroma_of
from tests.tiny import random_image


def as_ycrcb(image: torch.Tensor) -> np.ndarray:
    """Return what OpenCV says about light and color, H x W x 3."""
    return np.asarray(cv2.cvtColor(image[0].permute(1, 2, 0).numpy(), cv2.COLOR_RGB2YCrCb))


def test_the_light_is_the_paintings_and_the_color_the_frames() -> None:
    content = 0.4 + 0.2 * random_image(seed=1)
    painting = 0.4 + 0.2 * random_image(seed=2)
    mixed = as_ycrcb(with_chroma_of(content, painting))
    np.testing.assert_allclose(mixed[..., 0], as_ycrcb(painting)[..., 0], atol=1e-3)
    np.testing.assert_allclose(mixed[..., 1:], as_ycrcb(content)[..., 1:], atol=1e-3)


def test_a_color_that_has_no_room_gets_paler_and_keeps_the_light_and_its_hue() -> None:
    content = torch.tensor([0.1, 0.5, 0.9]).view(1, 3, 1, 1)
    painting = torch.full((1, 3, 1, 1), 0.95)
    mixed = with_chroma_of(content, painting)
    assert mixed.min() >= 0
    assert float(mixed.max()) <= 1 + 1e-6
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close((mixed * weights).sum(), torch.tensor(0.95))
    red, green, blue = mixed.flatten().tolist()
    assert red < green < blue
    ratio = (0.5 - 0.1) / (0.9 - 0.5)
    assert abs((green - red) / (blue - green) - ratio) < 1e-3


def test_black_white_and_gray_stay_in_range() -> None:
    for content in (torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), random_image(seed=4)):
        for painting in (torch.zeros(1, 3, *content.shape[2:]), torch.ones(1, 3, *content.shape[2:])):
            mixed = with_chroma_of(content, painting)
            assert torch.isfinite(mixed).all()
            torch.testing.assert_close(mixed, painting, atol=1e-5, rtol=0)
