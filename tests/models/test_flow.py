"""The optical flow finds known motion, also when the light changes."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from models.flow import DIS
from protocols import scene
from tests.clips import photographs

WIDTH, HEIGHT = 256, 144


def tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255


def moved_photograph(dx: float, dy: float) -> tuple[Tensor, Tensor]:
    """Return a photograph, and what a camera sees of it when all of it moved by (dx, dy) pixels."""
    photograph = cv2.resize(photographs()["coffee"], (320, 208), interpolation=cv2.INTER_AREA)
    views = [
        cv2.warpAffine(
            photograph, np.array([[1, 0, x - 32.0], [0, 1, y - 32.0]]), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC
        )
        for x, y in ((0.0, 0.0), (dx, dy))
    ]
    return tensor(views[0]), tensor(views[1])


def error(flow: Tensor, dx: float, dy: float) -> float:
    """Return the mean end-point error away from the edges, pixels."""
    difference = flow[..., 16:-16, 16:-16] - torch.tensor([dx, dy]).view(1, 2, 1, 1)
    return float(difference.norm(dim=1).mean())


@pytest.mark.parametrize("gain", [1.0, 1.6, 1 / 1.6])
@pytest.mark.parametrize(("dx", "dy"), [(3.0, 0.0), (-2.5, 4.0), (7.0, -5.0)])
def test_a_known_translation_is_found_whatever_the_light_does(dx: float, dy: float, gain: float) -> None:
    origin, target = moved_photograph(dx, dy)
    flow = DIS()(origin, (target * gain).clamp(0, 1))
    assert flow.shape == (1, 2, HEIGHT, WIDTH)
    assert error(flow, dx, dy) < 0.3


def test_without_a_mend_for_the_light_a_flash_would_break_the_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    origin, target = moved_photograph(7.0, -5.0)
    monkeypatch.setattr("models.flow._relit", lambda gray, like: gray)
    assert error(DIS()(origin, (target * 1.6).clamp(0, 1)), 7.0, -5.0) > 0.3


def test_two_threads_can_ask_at_once() -> None:
    """As the scout and the painter do."""
    pairs = [moved_photograph(3, 0), tuple(frame[..., :96, :160] for frame in moved_photograph(-2.5, 4))]
    flow = DIS()
    alone = [flow(origin, target) for origin, target in pairs]
    with ThreadPoolExecutor(2) as pool:
        together = pool.map(lambda number: flow(*pairs[number % 2]), range(40))
        assert all(torch.equal(found, alone[number % 2]) for number, found in enumerate(together))


def test_a_frame_has_no_flow_to_itself() -> None:
    origin, _ = moved_photograph(0, 0)
    assert float(DIS()(origin, origin).abs().max()) < 0.05


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_frame_without_anything_in_it_gives_a_finite_flow(value: float) -> None:
    flat = torch.full((1, 3, HEIGHT, WIDTH), value)
    picture, _ = moved_photograph(0, 0)
    assert torch.isfinite(DIS()(flat, picture)).all()
    assert torch.isfinite(DIS()(picture, flat)).all()


@pytest.mark.parametrize("index", [5, 35, 75, 105])
def test_on_the_built_in_scene_the_error_is_a_fraction_of_a_pixel(index: int) -> None:
    frames = [tensor(scene.render(i, width=WIDTH, height=HEIGHT)) for i in (index, index + 1)]
    known = scene.flow(index, index + 1, width=WIDTH, height=HEIGHT)
    visible = scene.visible(index, index + 1, width=WIDTH, height=HEIGHT)
    found = DIS()(*frames)[0].permute(1, 2, 0).numpy()
    assert np.linalg.norm(found - known, axis=2)[visible].mean() < 0.35
