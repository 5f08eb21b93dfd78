"""What stands still comes to rest, and wakes up when something happens there."""

import torch
from torch import Tensor

from models.rest import COOLING, Rest
from tests.tiny import random_image


def after(rest: Rest, frame: Tensor, flow: Tensor) -> tuple[Rest, Tensor, Tensor]:
    settled, still = rest.settle(flow, frame)
    return rest.cooled(still, frame), settled, still


def no_flow() -> Tensor:
    return torch.zeros(1, 2, 48, 64)


def test_the_steps_of_a_still_picture_shrink_from_frame_to_frame() -> None:
    frame = random_image()
    rest = Rest.broken_by(frame)
    for _ in range(3):
        rest, _, _ = after(rest, frame, no_flow())
    torch.testing.assert_close(rest.heat, torch.full((1, 1, 48, 64), COOLING**3))


def test_a_tiny_flow_without_a_change_of_the_frame_is_an_error_of_the_flow_and_is_taken_out() -> None:
    frame = random_image()
    _, settled, still = after(Rest.broken_by(frame), frame, no_flow() + 0.1)
    assert still.all()
    assert (settled == 0).all()


def test_the_noise_of_a_camera_does_not_break_the_rest() -> None:
    frame = random_image()
    noise = 0.015 * torch.randn(frame.shape, generator=torch.Generator().manual_seed(0))
    _, _, still = after(Rest.broken_by(frame), frame + noise, no_flow())
    assert float(still.float().mean()) > 0.99


def test_what_moves_is_hot_at_once_and_keeps_its_flow() -> None:
    frame, flow = random_image(), no_flow()
    rest = Rest.broken_by(frame)
    for _ in range(5):
        rest, _, _ = after(rest, frame, flow)
    flow[..., 10:20, 10:20] = 2.0
    rest, settled, _ = after(rest, frame, flow)
    assert (rest.heat[..., 10:20, 10:20] == 1).all()
    assert (settled[..., 10:20, 10:20] == 2).all()
    assert float(rest.heat[..., 30:, 30:].max()) < 1


def test_light_that_changes_too_slowly_to_see_breaks_the_rest_in_the_end() -> None:
    frame = random_image() * 0.5
    rest = Rest.broken_by(frame)
    broken_at = []
    for step in range(1, 30):
        rest, _, still = after(rest, frame + 0.0021 * step, no_flow())
        if not still.any():
            broken_at.append(step)
    assert broken_at[:2] == [10, 20]
