"""How large a painting is when it is looked at, and with it its strokes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.look import Look
from models.vgg import VGG
from streamer.originals import built_in_px, look_at
from streamer.paint import Paint
from tests.tiny import tiny_network

SIZE = 64


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> VGG:
    return tiny_network(tmp_path_factory.mktemp("network") / "tiny.safetensors")


def dots(px: int, *, side: int = 96) -> np.ndarray:
    """Return a painting of square dots, so many pixels wide."""
    noise = np.random.default_rng(0).integers(0, 256, (side // px, side // px, 3), np.uint8)
    return np.kron(noise, np.ones((px, px, 1), np.uint8))


def grams(network: VGG, painting: np.ndarray, scale: float = 1.0) -> torch.Tensor:
    look = look_at(network, painting, Paint(style_scale=scale), size=2 * SIZE).look
    return torch.cat([gram.flatten() / gram.norm() for gram in look.style.grams.values()])


def test_at_twice_the_scale_strokes_look_like_strokes_twice_as_large(network: VGG) -> None:
    fine, coarse = grams(network, dots(4, side=192)), grams(network, dots(8, side=192))
    enlarged, reduced = grams(network, dots(4, side=192), 2.0), grams(network, dots(8, side=192), 0.5)
    assert (enlarged - coarse).norm() < 0.7 * (enlarged - fine).norm()
    assert (reduced - fine).norm() < 0.7 * (reduced - coarse).norm()


@pytest.mark.parametrize(("scale", "width"), [(0.25, 24), (0.5, 48), (1.0, 96), (2.0, 192), (4.0, 384)])
def test_the_painting_is_as_large_as_the_scale_says(network: VGG, scale: float, width: int) -> None:
    large = cv2.resize(dots(8), (400, 300))
    assert look_at(network, np.asarray(large), Paint(style_scale=scale), size=SIZE).picture.shape[3] == width


def test_a_painting_smaller_than_the_frame_is_enlarged_too(network: VGG) -> None:
    assert look_at(network, dots(8, side=64), Paint(style_scale=2.0), size=SIZE).picture.shape[2:] == (128, 128)


def test_an_enlarged_painting_is_looked_at_in_pieces_of_the_usual_size(network: VGG) -> None:
    picture = look_at(network, dots(4, side=192), Paint(style_scale=2.0), size=2 * SIZE).picture
    whole, pieces = Look.of(network, picture), Look.of(network, picture, pieces=2)
    for name, gram in whole.style.grams.items():
        assert float((pieces.style.grams[name] - gram).norm() / gram.norm()) < 0.3
    assert torch.equal(pieces.palette.covariance, whole.palette.covariance)


@pytest.mark.parametrize("scale", [0.25, 1.5, 2.5, 4.0])
def test_a_strip_is_looked_at_in_pieces_that_the_network_can_take(network: VGG, scale: float) -> None:
    strip = np.random.default_rng(0).integers(0, 256, (64, 5000, 3), np.uint8)
    look = look_at(network, strip, Paint(style_scale=scale), size=SIZE).look
    assert all(bool(gram.isfinite().all()) for gram in look.style.grams.values())


def test_built_in_paintings_are_painted_larger_as_long_as_that_takes_seconds() -> None:
    found = [
        built_in_px(Paint(style_scale=scale), size=size) for scale, size in ((1, 256), (2, 256), (4, 640), (1, 2048))
    ]
    assert found == [384, 768, 1536, 3072]


def test_at_the_usual_scale_nothing_is_resized_twice(network: VGG, tmp_path: Path) -> None:
    path = tmp_path / "own.png"
    assert cv2.imwrite(str(path), dots(4))
    assert torch.equal(
        look_at(network, dots(4), Paint(), size=SIZE).picture,
        torch.tensor(dots(4)).permute(2, 0, 1)[None].float() / 255,
    )
