"""The light of the frame on the painting's strokes."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from models.chroma import luma
from models.light import with_light_of
from protocols import scene
from streamer.pixels import to_tensor
from tests.clips import film
from tests.tiny import random_image

FLASH = min(scene.FLASHES)


def frames() -> dict[str, Tensor]:
    """Return a frame of a film, and one of the scene in its flash."""
    shots = {"bikes": film("bikes")[40], "flash": scene.render(FLASH, width=256, height=144)}
    return {name: to_tensor(pixels, size=256, device="cpu") for name, pixels in shots.items()}


def strokes(height: int, width: int) -> Tensor:
    """Return a painting of strokes alone: detail around an even gray, far from black and white."""
    coarse = torch.rand(1, 3, height // 2, width // 2, generator=torch.Generator().manual_seed(1))
    fine = F.interpolate(coarse, (height, width), mode="bilinear")
    return 0.5 + 0.15 * (fine - F.avg_pool2d(fine, 9, 1, 4, count_include_pad=False))


def wide(image: Tensor) -> Tensor:
    """Return the light of wide areas."""
    return F.avg_pool2d(luma(image), 17, stride=4)


def fine(image: Tensor) -> Tensor:
    """Return what differs from pixel to pixel."""
    return image - F.avg_pool2d(image, 5, 1, 2, count_include_pad=False)


def correlation(one: Tensor, other: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])


@pytest.mark.parametrize("name", ["bikes", "flash"])
def test_the_light_of_wide_areas_becomes_the_frames(name: str) -> None:
    content = frames()[name]
    painting = strokes(144, 256)
    lit = [with_light_of(content, painting, share) for share in (0.0, 0.5, 1.0)]
    errors = [float((wide(each) - wide(content)).abs().mean()) for each in lit]
    assert errors[0] > 0.1
    assert errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.2 * errors[0]
    assert correlation(wide(lit[0]), wide(content)) < 0.3
    assert correlation(wide(lit[2]), wide(content)) > 0.97


@pytest.mark.parametrize("name", ["bikes", "flash"])
def test_the_strokes_stay_as_they_are(name: str) -> None:
    content, painting = frames()[name] * 0.4 + 0.3, strokes(144, 256)
    lit = with_light_of(content, painting, 1.0)
    assert 0 < float(lit.min()) <= float(lit.max()) < 1, "nothing is cut off"
    assert correlation(fine(lit), fine(painting)) > 0.98
    assert float(fine(lit).std() / fine(painting).std()) == pytest.approx(1, abs=0.03)


def test_no_color_changes_but_its_light() -> None:
    painting = strokes(72, 128)
    lit = with_light_of(torch.full((1, 3, 72, 128), 0.6), painting, 1.0)
    torch.testing.assert_close(lit - luma(lit), painting - luma(painting), atol=1e-5, rtol=0)


def test_an_edge_of_the_frame_has_no_halo() -> None:
    content = torch.full((1, 3, 96, 160), 0.1)
    content[..., 80:] = 0.9
    lit = luma(with_light_of(content, torch.full((1, 3, 96, 160), 0.5), 1.0))
    assert float(lit[..., :74].max()) < 0.14
    assert float(lit[..., 86:].min()) > 0.86


def test_a_share_of_zero_is_the_painting_itself() -> None:
    painting = random_image(seed=2)
    assert torch.equal(with_light_of(random_image(seed=1), painting, 0.0), painting)


@pytest.mark.parametrize("size", [(16, 16), (16, 400), (90, 17)])
def test_pictures_of_every_form_can_be_lit(size: tuple[int, int]) -> None:
    lit = with_light_of(torch.full((1, 3, *size), 0.7), torch.full((1, 3, *size), 0.2), 1.0)
    assert float((lit - 0.7).abs().max()) < 0.01
