"""The warp keeps what does not move, moves exactly what moves by whole pixels, and knows what was hidden."""

import pytest
import torch
from torch import Tensor

from models.warp import visible_mask, warp


def constant_flow(dx: float, dy: float, height: int = 24, width: int = 32) -> Tensor:
    return torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, height, width).contiguous()


def noise(channels: int = 3, height: int = 24, width: int = 32) -> Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("sharp", [False, True])
def test_a_zero_flow_is_the_identity_also_after_a_thousand_applications(*, sharp: bool) -> None:
    image = noise()
    warped = image
    for _ in range(1000):
        warped = warp(warped, constant_flow(0, 0), sharp=sharp)
    assert torch.equal(warped, image)


@pytest.mark.parametrize("sharp", [False, True])
@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-5, 4)])
def test_a_whole_pixel_flow_moves_exactly(dx: int, dy: int, *, sharp: bool) -> None:
    image = noise()
    warped = warp(image, constant_flow(dx, dy), sharp=sharp)
    inner = slice(6, 18)
    assert torch.equal(warped[..., inner, inner], image[..., 6 + dy : 18 + dy, 6 + dx : 18 + dx])


def test_half_a_pixel_is_the_mean_of_two_neighbors() -> None:
    image = noise()
    warped = warp(image, constant_flow(0.5, 0))
    torch.testing.assert_close(warped[..., :-1], (image[..., :-1] + image[..., 1:]) / 2)


def test_sharp_interpolation_is_exact_for_a_parabola() -> None:
    x = torch.arange(32.0).expand(1, 1, 24, 32)
    image = (x - 12) ** 2 / 100
    warped = warp(image, constant_flow(0.3, 0), sharp=True)
    torch.testing.assert_close(warped[..., 2:-3], ((x + 0.3 - 12) ** 2 / 100)[..., 2:-3])


def test_strokes_that_are_moved_often_stay_sharper_with_cubic_interpolation() -> None:
    x = torch.arange(64.0).expand(1, 1, 24, 64)
    strokes = 0.5 + 0.5 * torch.sin(x * 2 * torch.pi / 8)
    soft = crisp = strokes
    for dx in (0.5, -0.5) * 5:
        soft, crisp = warp(soft, constant_flow(dx, 0, 24, 64)), warp(crisp, constant_flow(dx, 0, 24, 64), sharp=True)
    soft_error, crisp_error = ((picture - strokes)[..., 16:48].square().mean() for picture in (soft, crisp))
    assert float(crisp_error) < 0.1 * float(soft_error)


def test_what_lies_outside_is_the_nearest_edge() -> None:
    image = noise()
    warped = warp(image, constant_flow(100, 0))
    assert torch.equal(warped, image[..., -1:].expand_as(image))


def test_a_picture_of_one_pixel_can_be_warped() -> None:
    image = torch.tensor([[[[0.25]]]])
    assert torch.equal(warp(image, constant_flow(2, -3, 1, 1)), image)


def test_flows_that_agree_are_visible_where_they_stay_inside() -> None:
    visible = visible_mask(constant_flow(4, 0), constant_flow(-4, 0))
    assert visible[..., :-4].all()
    assert not visible[..., -4:].any()


def test_flows_that_disagree_are_hidden() -> None:
    back = constant_flow(-4, 0)
    back[..., 10:14, 10:20] = 3.0
    visible = visible_mask(constant_flow(4, 0), back)
    assert not visible[..., 10:14, 6:16].any()
    assert visible[..., 0:8, 0:20].all()


def test_the_tolerance_grows_with_the_length_of_the_flow() -> None:
    error = 1.5
    short = visible_mask(constant_flow(1, 0), constant_flow(-1 + error, 0))
    long = visible_mask(constant_flow(12, 0), constant_flow(-12 + error, 0))
    assert not short.any()
    assert long[..., :18].all()
