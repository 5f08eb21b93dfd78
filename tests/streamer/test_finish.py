"""What people see of a painted frame."""

import torch

from models.chroma import luma
from streamer.finish import finish
from tests.tiny import random_image

CONTENT, PAINTED = random_image(seed=1), random_image(seed=2)


def test_by_default_it_is_the_painting_itself() -> None:
    assert finish(PAINTED, CONTENT) is PAINTED


def test_the_frames_colors_come_with_the_light_that_was_asked_for() -> None:
    lit = finish(PAINTED, CONTENT, light=1.0)
    seen = finish(PAINTED, CONTENT, color="content", light=1.0)
    torch.testing.assert_close(luma(seen), luma(lit), atol=1e-5, rtol=0)
    assert float((lit - PAINTED).abs().max()) > 0.1
    assert float((seen - lit).abs().max()) > 0.1


def test_a_level_makes_the_picture_as_light_as_its_frame_is_in_the_film() -> None:
    seen = finish(PAINTED, CONTENT, color="matched", level=torch.tensor([0.2, 0.2, 0.2]))
    assert float((seen.mean((0, 2, 3)) - 0.2).abs().max()) < 0.005
    assert torch.equal(seen.argsort(-1), PAINTED.argsort(-1)), "and changes no order"


def test_under_black_the_frame_stays_and_gray_mixes() -> None:
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., 32:], mask[..., 48:] = 0.5, 1.0
    seen = finish(PAINTED, CONTENT, mask=mask)
    assert torch.equal(seen[..., :32], CONTENT[..., :32])
    torch.testing.assert_close(seen[..., 32:48], (CONTENT[..., 32:48] + PAINTED[..., 32:48]) / 2)
    assert torch.equal(seen[..., 48:], PAINTED[..., 48:])
