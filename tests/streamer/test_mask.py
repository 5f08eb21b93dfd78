"""A picture that says where to paint."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamer.config import ConfigError
from streamer.mask import Mask, make_mask
from streamer.paint import Paint


def half(height: int = 96, width: int = 128) -> torch.Tensor:
    """Return a mask that is white on its right."""
    image = torch.zeros(1, 3, height, width)
    image[..., width // 2 :] = 1
    return image


@pytest.mark.parametrize("size", [(48, 64), (144, 256), (96, 128), (256, 144)])
def test_it_is_stretched_over_frames_of_any_size(size: tuple[int, int]) -> None:
    mask = Mask(half()).like(torch.zeros(1, 3, *size))
    assert mask.shape == (1, 1, *size)
    width = size[1]
    assert (mask[..., : width // 2 - width // 20] == 0).all()
    assert (mask[..., width // 2 + width // 20 :] == 1).all()


def test_hard_edges_become_soft_ones() -> None:
    row = Mask(half()).like(torch.zeros(1, 3, 144, 256))[0, 0, 70]
    assert 3 <= int(((row > 0) & (row < 1)).sum()) <= 12
    assert (row.diff() >= 0).all()


def test_it_is_scaled_once_for_each_size() -> None:
    mask = Mask(half())
    first = mask.like(torch.zeros(1, 3, 48, 64))
    assert mask.like(torch.ones(1, 3, 48, 64)) is first
    assert mask.like(torch.zeros(1, 3, 24, 32)).shape == (1, 1, 24, 32)


def test_the_settings_name_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    assert cv2.imwrite(str(path), np.full((70, 90), 128, np.uint8))
    mask = make_mask(Paint(mask=str(path)))
    assert mask is not None
    assert float(mask.like(torch.zeros(1, 3, 48, 64)).mean()) == pytest.approx(128 / 255)
    assert make_mask(Paint()) is None


def test_one_that_cannot_be_used_stops_the_start_and_names_its_setting(tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no picture")
    with pytest.raises(ConfigError, match=r"paint\.mask: .*words\.png must be a PNG or JPEG file"):
        make_mask(Paint(mask=str(tmp_path / "words.png")))
    with pytest.raises(ConfigError, match=r"paint\.mask: no picture at .*nowhere\.png"):
        make_mask(Paint(mask=str(tmp_path / "nowhere.png")))
