"""Looks, and the way from one to another."""

from pathlib import Path

import pytest
import torch

from models.color import color_statistics
from models.look import Look
from models.objective import STYLE_LAYERS
from tests.tiny import random_image, tiny_network


@pytest.fixture
def looks(tmp_path: Path) -> tuple[Look, Look]:
    """Return the looks of two random paintings."""
    network = tiny_network(tmp_path / "tiny.safetensors")
    first, second = (Look.of(network, random_image(seed=seed)) for seed in (1, 2))
    return first, second


def test_half_way_everything_is_the_mean_of_both(looks: tuple[Look, Look]) -> None:
    first, second = looks
    middle = first.toward(second, 0.5)
    for layer in STYLE_LAYERS:
        mean = (first.style.grams[layer] + second.style.grams[layer]) / 2
        torch.testing.assert_close(middle.style.grams[layer], mean)
    torch.testing.assert_close(middle.palette.mean, (first.palette.mean + second.palette.mean) / 2)
    torch.testing.assert_close(middle.palette.covariance, (first.palette.covariance + second.palette.covariance) / 2)


def test_at_its_ends_the_way_is_exactly_where_it_leads(looks: tuple[Look, Look]) -> None:
    first, second = looks
    assert first.toward(second, 0) is first
    assert first.toward(second, 1) is second


def test_the_fill_comes_nearer_to_the_other_palette(looks: tuple[Look, Look]) -> None:
    first, second = looks
    frame = random_image(seed=3)

    def distance(share: float) -> float:
        filled = color_statistics(first.toward(second, share).fill(frame)).mean
        return float((filled - color_statistics(second.fill(frame)).mean).norm())

    distances = [distance(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] == 0
