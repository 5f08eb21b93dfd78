"""The temporal error has the values known beforehand."""

import pytest
import torch
from torch import Tensor

from models.consistency import temporal_error, temporal_error_along

EVERYWHERE = torch.ones((1, 1, 12, 20), dtype=torch.bool)


def _picture(*, seed: int = 0) -> Tensor:
    return torch.rand((1, 3, 12, 20), generator=torch.Generator().manual_seed(seed))


def test_a_constant_pair_differs_by_the_difference_of_its_levels() -> None:
    dark, bright = torch.full((1, 3, 12, 20), 0.2), torch.full((1, 3, 12, 20), 0.5)
    assert temporal_error(dark, bright, EVERYWHERE) == pytest.approx(0.3)
    assert temporal_error(bright, dark, EVERYWHERE) == pytest.approx(0.3)


def test_black_turned_white_is_one_and_an_unchanged_picture_zero() -> None:
    black = torch.zeros((1, 3, 12, 20))
    assert temporal_error(black, black + 1, EVERYWHERE) == 1.0
    assert temporal_error(_picture(), _picture(), EVERYWHERE) == 0.0


def test_one_channel_of_three_weighs_a_third() -> None:
    black, red = torch.zeros((1, 3, 12, 20)), torch.zeros((1, 3, 12, 20))
    red[:, 0] = 0.6
    assert temporal_error(red, black, EVERYWHERE) == pytest.approx(0.6 / 3**0.5)


def test_only_visible_pixels_count_and_their_number_does_not_matter() -> None:
    image = torch.zeros((1, 3, 12, 20))
    warped = torch.full((1, 3, 12, 20), 0.25)
    warped[..., 10:] = 0.9
    left = EVERYWHERE.clone()
    left[..., 10:] = False
    assert temporal_error(image, warped, left) == pytest.approx(0.25)


def test_where_nothing_is_visible_there_is_no_error_to_tell() -> None:
    assert temporal_error(_picture(), _picture(seed=1), ~EVERYWHERE) is None


def test_a_pure_translation_has_no_error_along_its_flow_and_some_without_it() -> None:
    previous = _picture()
    current = previous.roll(3, dims=3)  # what was at x is now at x + 3
    flow = torch.zeros((1, 2, 12, 20))
    flow[:, 0] = -3.0
    visible = EVERYWHERE.clone()
    visible[..., :3] = False
    assert temporal_error_along(previous, current, flow, visible) == 0.0
    still = temporal_error_along(previous, current, torch.zeros_like(flow), visible)
    assert still is not None
    assert still > 0.3
