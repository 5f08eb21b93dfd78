"""Pictures are brought to a network's size and back: nothing is lost, and a flow stays in the frame's own pixels."""

import pytest
import torch

from models.fitting import Fitting, up_to_multiple
from tests.tiny import random_image


def test_a_picture_that_fits_is_left_alone() -> None:
    picture = random_image(48, 64)
    fitting = Fitting((48, 64), (48, 64), (48, 64))
    assert fitting.into(picture) is picture
    assert torch.equal(fitting.back(picture), picture)


def test_padding_repeats_the_edge_and_is_taken_off_again() -> None:
    picture = random_image(5, 7)
    fitting = Fitting((5, 7), (5, 7), (8, 16))
    padded = fitting.into(picture)
    assert padded.shape == (1, 3, 8, 16)
    assert torch.equal(padded[..., :5, :7], picture)
    assert torch.equal(padded[..., 4:, :7], picture[..., 4:, :].expand(-1, -1, 4, -1))
    assert torch.equal(fitting.back(padded), picture)


def test_a_flow_is_told_in_the_pixels_of_the_frame() -> None:
    """A network that sees a frame twice as high and half as wide finds things moved as much more, and less."""
    fitting = Fitting((50, 80), (100, 40), (104, 40))
    flow = torch.tensor([3.0, 8.0]).view(1, 2, 1, 1).expand(1, 2, 104, 40)
    back = fitting.flow_back(flow)
    assert back.shape == (1, 2, 50, 80)
    torch.testing.assert_close(back, torch.tensor([6.0, 4.0]).view(1, 2, 1, 1).expand_as(back))


def ramp(height: int, width: int) -> torch.Tensor:
    """Return a picture that tells of each pixel's center at which share of the picture it lies."""
    x, y = ((torch.arange(side) + 0.5) / side for side in (width, height))
    return (x + y[:, None]).expand(1, 3, height, width)


def test_what_is_scaled_lies_where_it_was_and_comes_back_there() -> None:
    """A flow could not be scaled by the ratio of the sizes, if the corners' centers were laid upon each other."""
    fitting = Fitting((48, 64), (120, 96), (128, 96))
    seen = fitting.into(ramp(48, 64))
    assert float((seen[..., :120, :] - ramp(120, 96))[..., 4:-4, 4:-4].abs().max()) < 1e-5
    off = (fitting.back(seen) - ramp(48, 64))[..., 2:-2, 2:-2].abs().max()
    assert float(off) < 1e-3, "a tenth of what one corner laid upon the other would do; processors round the weights"


@pytest.mark.parametrize(("length", "multiple", "least"), [(48, 8, 48), (49, 8, 56), (1, 64, 64), (7, 1, 7)])
def test_a_length_is_rounded_up(length: int, multiple: int, least: int) -> None:
    assert up_to_multiple(length, multiple) == least
