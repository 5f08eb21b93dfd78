"""A frame takes on the colors of a painting."""

import pytest
import torch
from torch import Tensor

from models.color import ColorStatistics, color_statistics, palette_fill, recolor


def _noise(*, seed: int = 0) -> Tensor:
    """A picture whose channels differ in mean and spread and depend on each other."""
    base = torch.randn((1, 3, 40, 60), generator=torch.Generator().manual_seed(seed))
    mix = torch.tensor([[0.10, 0.00, 0.00], [0.05, 0.08, 0.00], [-0.03, 0.02, 0.06]])
    mean = torch.tensor([0.4, 0.5, 0.6])
    return torch.einsum("ij,bjhw->bihw", mix, base) + mean[:, None, None]


def _target() -> ColorStatistics:
    covariance = torch.tensor([[0.010, 0.004, -0.002], [0.004, 0.020, 0.001], [-0.002, 0.001, 0.005]]).double()
    return ColorStatistics(torch.tensor([0.3, 0.4, 0.7]).double(), covariance)


def test_the_statistics_of_four_pixels_are_those_computed_by_hand() -> None:
    red, green, blue = [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.0, 0.5]
    statistics = color_statistics(torch.tensor([red, green, blue]).view(1, 3, 2, 2))
    assert statistics.mean.tolist() == [0.5, 0.5, 0.25]
    assert statistics.covariance.tolist() == [[0.25, 0.0, 0.125], [0.0, 0.25, 0.0], [0.125, 0.0, 0.0625]]


def test_a_recolored_frame_has_the_mean_and_covariance_of_the_painting() -> None:
    recolored = color_statistics(recolor(_noise(), _target()))
    torch.testing.assert_close(recolored.mean, _target().mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(recolored.covariance, _target().covariance, atol=1e-5, rtol=0)


def test_recoloring_with_its_own_statistics_changes_nothing() -> None:
    image = _noise()
    torch.testing.assert_close(recolor(image, color_statistics(image)), image, atol=1e-4, rtol=0)


def test_independent_channels_are_scaled_by_the_ratio_of_their_spreads() -> None:
    corners = torch.tensor([[0.4, 0.6, 0.4, 0.6], [0.3, 0.3, 0.5, 0.5], [0.2, 0.4, 0.4, 0.2]]).view(1, 3, 2, 2)
    own = color_statistics(corners)
    target = ColorStatistics(own.mean, own.covariance * torch.tensor([4.0, 1.0, 0.25]).double())
    expected = torch.tensor([[0.3, 0.7, 0.3, 0.7], [0.3, 0.3, 0.5, 0.5], [0.25, 0.35, 0.35, 0.25]]).view(1, 3, 2, 2)
    torch.testing.assert_close(recolor(corners, target), expected, atol=1e-5, rtol=0)


def test_the_fill_is_three_quarters_of_the_way_from_the_frame_to_its_recolored_version() -> None:
    image = _noise().clamp(0.2, 0.8)
    on_the_way = (image + 3 * recolor(image, _target()).clamp(0.0, 1.0)) / 4
    torch.testing.assert_close(palette_fill(image, _target()), on_the_way)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_frame_takes_the_mean_color_of_the_painting(level: float) -> None:
    filled = palette_fill(torch.full((1, 3, 16, 16), level), _target())
    expected = (level + 3 * _target().mean.float()) / 4
    torch.testing.assert_close(filled, expected[:, None, None].expand_as(filled[0])[None], atol=1e-4, rtol=0)


def test_a_gray_frame_is_tinted_without_amplifying_its_color_noise() -> None:
    gray = torch.linspace(0.1, 0.9, 64 * 64).view(1, 1, 64, 64).expand(1, 3, 64, 64)
    noise = torch.randn((1, 3, 64, 64), generator=torch.Generator().manual_seed(1)) * 0.002
    clean, noisy = palette_fill(gray, _target()), palette_fill(gray + noise, _target())
    assert (clean - noisy).square().mean().sqrt() < 10 * 0.002


@pytest.mark.parametrize("brightness", [-0.3, 0.0, 0.3])
def test_the_fill_never_leaves_the_unit_range(brightness: float) -> None:
    wild = ColorStatistics(_target().mean + brightness, _target().covariance * 20)
    filled = palette_fill(_noise().clamp(0.0, 1.0), wild)
    assert filled.isfinite().all()
    assert filled.min() >= 0.0
    assert filled.max() <= 1.0
