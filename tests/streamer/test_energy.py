"""Each setting of the energy and of its descent is in effect, on a real clip, and stays so while others are changed."""

from functools import cache

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from models.descent import Budget
from models.memory import Memory
from models.stylizer import Stylized
from protocols.frame import Frame
from streamer.checkpoint import BYTES_PER_PIXEL, MAX_HEADER_BYTES, Origin, decode, encode
from streamer.energy import balance_of, weights_of
from streamer.engine import Engine, make_engine
from streamer.paint import Paint
from streamer.pixels import to_tensor
from streamer.web.viewing import Moment
from tests import clips
from tests.endpoints import picture
from tests.tiny import random_image, tiny_weights

CPU = torch.device("cpu")
SIZE = 64
STEADY: dict[str, object] = {"steadiness": 0.7}
OPTIONS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "content_layers": ({"content_layers": ("conv3_2", "conv4_2")}, {}),
    "content_layers, weighed": ({"content_layers": ("conv4_2=0.25",)}, {}),
    "style_layers": ({"style_layers": ("conv1_1", "conv2_1", "conv3_1")}, {}),
    "style_layers, weighed": ({"style_layers": ("conv1_1=4", "conv2_1", "conv3_1", "conv4_1", "conv5_1=0.5")}, {}),
    "content_weight": ({"content_weight": 8.0}, {}),
    "style_weight": ({"style_weight": 2.0}, {}),
    "variation_weight": ({"variation_weight": 50.0}, {}),
    "temporal_weight": ({"temporal_weight": 3000.0}, {}),
    "temporal_weight, over the knob": ({"temporal_weight": 0.0, **STEADY}, STEADY),
    "temporal_loss": ({"temporal_loss": "robust", **STEADY}, STEADY),
    "balance": ({"balance": "shares"}, {}),
    "pooling": ({"pooling": "average"}, {}),
    "optimizer": ({"optimizer": "lbfgs"}, {}),
}
"""By name: settings, and what they are to differ from."""


@cache
def frames() -> tuple[Tensor, ...]:
    """Return frames of a real clip."""
    return tuple(to_tensor(frame, size=SIZE, device="cpu") for frame in clips.film("bikes")[31:34])


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return settings of a tiny network and a painting."""
    folder = tmp_path_factory.mktemp("kit")
    assert cv2.imwrite(str(folder / "own.png"), picture(96, 128))
    return {"weights": str(tiny_weights(folder / "tiny.safetensors")), "style": str(folder / "own.png")}


def engine_of(kit: dict[str, object], **paint: object) -> Engine:
    return make_engine(Paint.model_validate({**kit, **paint}), device=CPU, size=SIZE, precision=torch.float32)


def painted(engine: Engine) -> list[Stylized]:
    stylizer = engine.stylizer()
    return [stylizer.step(frame, Budget(3)) for frame in frames()]


@pytest.mark.parametrize("option", OPTIONS)
def test_each_setting_paints_another_picture_and_none_that_is_broken(kit: dict[str, object], option: str) -> None:
    settings, others = OPTIONS[option]
    ours, without = painted(engine_of(kit, **settings)), painted(engine_of(kit, **others))
    assert float((ours[-1].image - without[-1].image).abs().max()) > 1 / 255
    for each in ours:
        assert each.failures == 0
        assert torch.isfinite(each.image).all()
        assert each.image.min() >= 0
        assert each.image.max() <= 1


def test_the_defaults_are_the_same_when_they_are_said(kit: dict[str, object]) -> None:
    said = {name: getattr(Paint(), name) for name in Paint.model_fields if name not in ("style", "weights")}
    for ours, expected in zip(painted(engine_of(kit, **said)), painted(engine_of(kit)), strict=True):
        assert torch.equal(ours.image, expected.image)


@pytest.mark.parametrize("option", OPTIONS)
def test_each_setting_is_kept_while_what_may_change_does(kit: dict[str, object], option: str) -> None:
    """The frames may be painted with another strength for a while: then all is as if nothing had been."""
    settings, _ = OPTIONS[option]
    engine, hot = engine_of(kit, **settings), {"style_strength": 0.8, "steadiness": 0.3}
    changed = engine.restyled(engine.look, engine.paint.model_copy(update=hot))
    fresh = engine_of(kit, **{**settings, **hot})
    assert changed.objective.kernels is engine.objective.kernels
    content, last, image = (random_image(48, 64, seed=seed) for seed in (1, 2, 3))
    visible = torch.ones(1, 1, 48, 64)
    (terms, gradient), (expected, its_gradient) = (
        each.objective.at(content, warped=last, visible=visible).value_and_grad(image) for each in (changed, fresh)
    )
    assert terms.total == expected.total
    assert torch.equal(gradient, its_gradient)


def test_the_knob_shifts_the_weights_that_are_set_and_the_temporal_weight_stands_for_the_other() -> None:
    paint = Paint(content_weight=2.0, style_weight=5.0, variation_weight=3.0, style_strength=0.75, steadiness=1.0)
    balance = balance_of(paint, paint)
    assert balance.weights == (2.0 * 4 / 16, 5.0 * 4 * 9 / 16, 3.0, 4000.0)
    assert balance_of(paint.model_copy(update={"temporal_weight": 7.0}), paint).temporal == 7
    assert not balance.in_shares
    assert balance_of(paint.model_copy(update={"balance": "shares"}), paint).in_shares


def test_layers_are_named_with_their_weights() -> None:
    assert weights_of(("conv3_2=0.5", "conv4_2")) == {"conv3_2": 0.5, "conv4_2": 1.0}


def test_the_terms_that_are_told_are_those_of_the_weights_in_effect(kit: dict[str, object]) -> None:
    """The readable energy weighs them. The terms of a frame with one iteration are those of its start, the fill."""
    engine = engine_of(kit, content_weight=3.0, style_weight=0.5, variation_weight=20.0, content_layers=("conv3_2=2",))
    content = frames()[0]
    stylized = engine.stylizer().step(content, Budget(1))
    told = Moment.of(Frame(np.zeros((48, 64, 3), np.uint8), 0, 0.0, 0.0, 0.0), stylized).energy
    expected = engine.objective.objective.at(content)(engine.fill(content))
    assert told is not None
    for name in ("content", "style", "variation", "total"):
        assert getattr(told, name) == pytest.approx(float(getattr(expected, name)), rel=1e-4)
    assert told.temporal == 0


@pytest.mark.parametrize("settings", [{}, {"optimizer": "lbfgs", "balance": "shares"}], ids=["adam", "lbfgs"])
def test_what_is_remembered_fits_into_a_checkpoint_and_is_gone_on_from_bit_for_bit(
    kit: dict[str, object], settings: dict[str, object]
) -> None:
    engine = engine_of(kit, temporal_weight=500.0, **settings)
    square = [random_image(SIZE, SIZE, seed=seed) for seed in (1, 1, 1)]  # as many pixels as a picture may have
    first, second = engine.stylizer("carried"), engine.stylizer("carried")
    for frame in square[:2]:
        first.step(frame, Budget(3))
    assert first.memory is not None
    origin = Origin("live", "1", str(SIZE), "weights", "style")
    data = encode(first.memory.tensors(), origin, saved_at=0.0)
    assert len(data) <= MAX_HEADER_BYTES + BYTES_PER_PIXEL * SIZE**2
    tensors, _ = decode(data, origin=origin, now=1.0, max_age_s=2.0)
    second.resume(Memory.of(tensors))
    assert torch.equal(first.step(square[2], Budget(3)).image, second.step(square[2], Budget(3)).image)
