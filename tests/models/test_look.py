"""Looks, and the way from one to another."""

from functools import partial
from pathlib import Path

import pytest
import torch

from models.color import color_statistics
from models.histogram import Histogram, Transfer
from models.look import Look, Mixture, Original
from models.objective import STYLE_LAYERS
from models.vgg import VGG
from tests.tiny import random_image, tiny_network


@pytest.fixture
def network(tmp_path: Path) -> VGG:
    return tiny_network(tmp_path / "tiny.safetensors")


@pytest.fixture
def looks(network: VGG) -> tuple[Look, Look]:
    """Return the looks of two random paintings."""
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


def test_a_mixture_is_the_weighted_mean_of_its_paintings(network: VGG) -> None:
    originals = [Original.of(random_image(seed=seed), partial(Look.of, network)) for seed in (1, 2, 3)]
    mixture = Mixture.of(list(zip(originals, (2.0, 1.0, 1.0), strict=True)))
    for layer, gram in mixture.look.style.grams.items():
        grams = [original.look.style.grams[layer] for original in originals]
        torch.testing.assert_close(gram, (2 * grams[0] + grams[1] + grams[2]) / 4)
    means = [original.histogram.mean for original in originals]
    assert mixture.histogram.mean == pytest.approx((2 * means[0] + means[1] + means[2]) / 4)
    assert Mixture.of([(originals[1], 3.0)]).look is originals[1].look


def test_a_painting_in_another_light_is_as_light_as_that(network: VGG) -> None:
    original = Original.of(random_image(seed=1), partial(Look.of, network))
    dark = Histogram.of(random_image(seed=2) * 0.3)
    relit = original.in_light(dark)
    assert relit.palette.mean.numpy() == pytest.approx(dark.mean, abs=0.01)
    mixed = Mixture.of([(original, 1.0), (original, 1.0)]).in_light(dark)
    torch.testing.assert_close(mixed.style.grams["conv3_1"], relit.style.grams["conv3_1"])


def test_a_graded_look_fills_with_the_frame_in_its_colors(network: VGG) -> None:
    look, frame = Look.of(network, random_image(seed=1)), random_image(seed=2)
    grade = Transfer.between(Histogram.of(frame), Histogram.of(random_image(seed=3)))
    assert torch.equal(look.graded(grade).fill(frame), look.fill(grade(frame)))
