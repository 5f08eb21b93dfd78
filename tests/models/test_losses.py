"""Each term of the energy equals what the paper's formula gives by hand."""

import math

import pytest
import torch

from models.losses import (
    ROBUST_FROM,
    Penalty,
    charbonnier,
    content_loss,
    gram_matrix,
    style_loss,
    temporal_loss,
    total_variation,
)
from models.pixel_terms import temporal_gradient
from tests.tiny import random_image


def test_the_gram_matrix_of_two_maps_is_computed_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    # 1/2 [[1+4, 3-2], [3-2, 9+1]]
    expected = torch.tensor([[[2.5, 0.5], [0.5, 5.0]]])
    assert torch.equal(gram_matrix(maps), expected)


def test_the_gram_matrix_does_not_depend_on_where_things_are() -> None:
    maps = torch.rand(1, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(gram_matrix(maps), gram_matrix(maps.flip(-1)))


def test_the_content_loss_is_the_mean_squared_difference() -> None:
    assert float(content_loss(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0]))) == 2.5


def test_the_style_loss_is_the_mean_over_pairs_of_maps() -> None:
    gram = torch.tensor([[[2.5, 0.5], [0.5, 5.0]]])
    target = torch.tensor([[[1.5, 0.5], [0.5, 3.0]]])
    assert float(style_loss(gram, target)) == (1 + 4) / 4


def test_the_total_variation_of_a_constant_is_zero_and_of_a_step_is_known() -> None:
    assert float(total_variation(torch.full((1, 3, 4, 5), 0.3))) == 0
    step = torch.zeros(1, 1, 2, 3)
    step[..., 2] = 1.0
    # to the right: 2 of 4 differences are 1; downwards: none of 3
    assert float(total_variation(step)) == 0.5


def test_hidden_pixels_have_no_share_in_the_temporal_loss_and_get_no_gradient() -> None:
    image = torch.ones(1, 3, 2, 2, requires_grad=True)
    visible = torch.tensor([[[[True, False], [True, True]]]])
    loss = temporal_loss(image, torch.full((1, 3, 2, 2), 0.5), visible)
    (gradient,) = torch.autograd.grad(loss, image)
    torch.testing.assert_close(loss, torch.tensor(0.25 * 3 / 4))
    assert (gradient[..., 0, 1] == 0).all()
    torch.testing.assert_close(gradient[..., 0, 0], torch.full((1, 3), 2 * 0.5 / 12))


def test_charbonniers_penalty_is_its_formula_and_a_square_where_the_difference_is_small() -> None:
    difference = torch.tensor([-0.8, -0.1, 0.02, 0.5], dtype=torch.float64)
    expected = [2 * ROBUST_FROM * (math.hypot(each, ROBUST_FROM) - ROBUST_FROM) for each in difference.tolist()]
    assert charbonnier(difference).tolist() == pytest.approx(expected)
    small = torch.tensor([1e-3, 1e-5])
    torch.testing.assert_close(charbonnier(small), small.square(), rtol=1e-3, atol=0)


@pytest.mark.parametrize("penalty", ["squared", "robust"])
def test_neighbors_count_as_a_sum_and_one_alone_as_ever(penalty: Penalty) -> None:
    image, past, future = (random_image(9, 11, seed=seed) for seed in (1, 2, 3))
    seen = [torch.rand(1, 1, 9, 11, generator=torch.Generator().manual_seed(seed)) > 0.3 for seed in (4, 5)]
    both = temporal_loss(image, torch.cat([past, future]), torch.cat(seen), penalty=penalty)
    alone = [temporal_loss(image, *each, penalty=penalty) for each in zip((past, future), seen, strict=True)]
    torch.testing.assert_close(both, alone[0] + alone[1])
    assert torch.equal(temporal_loss(image, past, seen[0]), ((image - past).square() * seen[0]).mean())


@pytest.mark.parametrize("penalty", ["squared", "robust"])
def test_the_temporal_gradient_matches_finite_differences_and_is_zero_where_nothing_is_visible(
    penalty: Penalty,
) -> None:
    image = random_image(6, 7, seed=1).double()
    warped = torch.cat([random_image(6, 7, seed=seed).double() for seed in (2, 3)])
    visible = torch.rand(2, 1, 6, 7, generator=torch.Generator().manual_seed(0)) > 0.3
    visible[..., 2, 3] = False
    gradient = temporal_gradient(image, warped, visible, penalty=penalty)
    found = torch.zeros_like(image)
    for place in range(image.numel()):
        step = torch.zeros_like(image)
        step.view(-1)[place] = 1e-6
        ahead, behind = (temporal_loss(image + by, warped, visible, penalty=penalty) for by in (step, -step))
        found.view(-1)[place] = (ahead - behind) / 2e-6
    torch.testing.assert_close(gradient, found, rtol=1e-6, atol=1e-9)
    assert (gradient[..., 2, 3] == 0).all()
    assert (gradient != 0).any()


def test_the_robust_pull_of_a_large_difference_grows_no_more() -> None:
    image, far, farther = (torch.full((1, 3, 2, 2), value) for value in (0.0, 0.5, 1.0))
    visible = torch.ones(1, 1, 2, 2)
    pulls = [temporal_gradient(image, warped, visible, penalty="robust").abs().max() for warped in (far, farther)]
    assert float(pulls[1] / pulls[0]) < 1.01
