"""Histograms of pictures and films, and how one is given the other's: scikit-image is the second opinion."""

import json

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.exposure import match_histograms
from torch import Tensor

from models.histogram import LEVELS, Histogram, Transfer
from tests.clips import film, photographs

LEVEL = 1 / 255


def image(pixels: NDArray[np.uint8]) -> Tensor:
    """Return the picture as a tensor."""
    return torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255


def pictures() -> dict[str, NDArray[np.uint8]]:
    """Return photographs, and pictures of few colors."""
    two = np.full((40, 60, 3), (10, 20, 30), np.uint8)
    two[:, 45:] = (200, 150, 250)
    return {**photographs(), "gray": np.full((32, 48, 3), 90, np.uint8), "two colors": two}


@pytest.mark.parametrize("target", [*pictures()])
@pytest.mark.parametrize("source", [*pictures()])
def test_a_transfer_is_scikit_images(source: str, target: str) -> None:
    given, wanted = pictures()[source], pictures()[target]
    matched = Transfer.between(Histogram.of(image(given)), Histogram.of(image(wanted)))(image(given))
    oracle = match_histograms(given.astype(float), wanted.astype(float), channel_axis=-1)
    assert float((matched - image(oracle)).abs().max()) < 1e-5
    eight_bit = match_histograms(given, wanted, channel_axis=-1)
    assert float((matched - image(eight_bit)).abs().max()) <= LEVEL + 1e-6


def test_a_transfer_never_falls_and_stays_in_range() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        source, target = (Histogram(rng.integers(0, 4, (3, LEVELS)).astype(np.float64)) for _ in range(2))
        table = Transfer.between(source, target).table
        assert (np.diff(table) >= 0).all()
        assert table.min() >= 0
        assert table.max() <= 1


def test_between_two_levels_a_transfer_is_a_straight_line() -> None:
    table = np.tile(np.linspace(0, 1, LEVELS) ** 2, (3, 1))
    values = torch.tensor([0.0, 10.25, 100.0, 254.5, 255.0]) / 255
    found = Transfer(table)(values.expand(1, 3, 1, 5))[0, 1, 0]
    wanted = np.interp(values.numpy(), np.linspace(0, 1, LEVELS), table[0])
    assert found.numpy() == pytest.approx(wanted, abs=1e-6)


def test_a_film_is_added_up_frame_by_frame() -> None:
    frames = film("bikes")[::40]
    total = Histogram.of(image(frames[0]))
    for frame in frames[1:]:
        total = total + Histogram.of(image(frame))
    assert np.array_equal(total.counts, Histogram.of(image(np.concatenate(frames))).counts)


def test_it_goes_through_json() -> None:
    total = Histogram.of(image(photographs()["coffee"])).toward(Histogram.even(), 0.3) + Histogram.even()
    again = Histogram.of_numbers(json.loads(json.dumps(total.numbers())))
    assert np.array_equal(again.counts, total.counts)
    assert json.dumps(Histogram.of(image(film("bikes")[0])).numbers()).count(".") == 0, "pixels are whole numbers"


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [[1.0] * LEVELS] * 2,
        [[1.0] * 255] * 3,
        [[0.0] * LEVELS] * 3,
        [[-1.0] * LEVELS] * 3,
        [[float("nan")] * LEVELS] * 3,
        [[1.0] * LEVELS, [1.0], [1.0]],
        [["x"] * LEVELS] * 3,
        [[10**400] * LEVELS] * 3,
    ],
)
def test_numbers_that_are_no_histogram_are_refused(numbers: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="a histogram must"):
        Histogram.of_numbers(numbers)


def test_the_histogram_after_a_transfer_is_that_of_the_picture_after_it() -> None:
    coffee, rocket = (Histogram.of(image(photographs()[name])) for name in ("coffee", "rocket"))
    transfer = Transfer.between(coffee, rocket)
    matched = transfer(image(photographs()["coffee"]))
    assert coffee.through(transfer).mean == pytest.approx(matched.mean((0, 2, 3)).numpy(), abs=1e-5)
    assert coffee.through(transfer).distance(Histogram.of(matched)) < 0.5 * LEVEL


def test_the_distance_is_how_far_levels_are_moved() -> None:
    black, white, gray = (Histogram.of(torch.full((1, 3, 4, 4), level)) for level in (0.0, 1.0, 0.2))
    assert black.distance(white) == pytest.approx(1)
    assert gray.distance(black) == pytest.approx(0.2)
    assert gray.distance(gray + gray) == 0
    assert black.toward(white, 0.25).distance(black) == pytest.approx(0.25)


def test_a_mixture_has_the_mean_of_both_whatever_their_sizes() -> None:
    small, large = Histogram.of(torch.full((1, 3, 2, 2), 0.2)), Histogram.of(torch.full((1, 3, 90, 90), 0.6))
    assert small.toward(large, 0.25).mean == pytest.approx([0.3] * 3)
