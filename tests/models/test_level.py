"""A picture is made lighter or darker as a whole."""

import pytest
import torch

from models.level import with_level
from tests.tiny import random_image


@pytest.mark.parametrize("mean", [(0.5, 0.4, 0.3), (0.05, 0.06, 0.07), (0.9, 0.85, 0.8)])
def test_the_means_are_those_that_were_asked_for(mean: tuple[float, float, float]) -> None:
    lit = with_level(random_image(seed=3).clamp(0.02, 0.98), torch.tensor(mean))
    assert lit.mean((0, 2, 3)).tolist() == pytest.approx(mean, abs=0.002)


def test_black_stays_black_white_white_and_no_two_levels_change_their_order() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 1, 64)
    lit = with_level(ramp, torch.tensor([0.2, 0.5, 0.8]))
    assert (float(lit[..., 0].max()), float(lit[..., -1].min())) == (0, 1)
    assert (lit.diff() > 0).all()


def test_where_nothing_leads_there_the_picture_stays_finite_and_in_range() -> None:
    for level in (0.0, 0.5, 1.0):
        for wanted in (0.0, 0.3, 1.0):
            lit = with_level(torch.full((1, 3, 4, 4), level), torch.full((3,), wanted))
            assert torch.isfinite(lit).all()
            assert 0 <= float(lit.min()) <= float(lit.max()) <= 1


def test_a_picture_that_has_the_level_is_the_same() -> None:
    image = random_image(seed=4)
    assert float((with_level(image, image.mean((0, 2, 3))) - image).abs().max()) < 0.01
