"""Each term of the energy equals what the paper's formula gives by hand."""

import torch

from models.losses import content_loss, gram_matrix, style_loss, temporal_loss, total_variation


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
