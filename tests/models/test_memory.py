"""What is remembered can be taken out of one stylizer and put into another, in another process and much later."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.color import color_statistics, palette_fill
from models.cuts import CutDetector
from models.descent import Budget
from models.flow import DIS
from models.memory import Memory
from models.stylizer import Stylizer
from tests.tiny import random_image, tiny_objective

BUDGET = Budget(2)
COLORS = color_statistics(random_image(seed=9))
SCENE = random_image(60, 80, seed=1)


def view(number: int) -> Tensor:
    """Return a frame of a scene over which the camera moves slowly."""
    return SCENE[..., number : number + 48, 2 * number : 2 * number + 64].contiguous()


@pytest.fixture
def make(tmp_path: Path) -> Callable[[], Stylizer]:
    """Return what makes stylizers that are all alike."""
    objective = AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))
    return lambda: Stylizer(
        objective, flow=DIS(), cuts=CutDetector(), fill=lambda content: palette_fill(content, COLORS)
    )


def remembered(stylizer: Stylizer) -> dict[str, Tensor]:
    """Return what a stylizer remembers, in memory of its own."""
    assert stylizer.memory is not None
    return {name: tensor.clone() for name, tensor in stylizer.memory.tensors().items()}


def test_another_stylizer_goes_on_bit_for_bit_as_the_first_would(make: Callable[[], Stylizer]) -> None:
    first, second = make(), make()
    for number in range(4):
        first.step(view(number), BUDGET)
    second.resume(Memory.of(remembered(first)))
    for number in range(4, 7):
        expected, got = first.step(view(number), BUDGET), second.step(view(number), BUDGET)
        assert not got.restarted
        assert got.temporal_error == expected.temporal_error
        assert torch.equal(got.image, expected.image)


def test_what_is_remembered_does_not_change_while_frames_are_painted(make: Callable[[], Stylizer]) -> None:
    stylizer = make()
    stylizer.step(view(0), BUDGET)
    assert stylizer.memory is not None
    tensors = stylizer.memory.tensors()
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    for number in range(1, 4):
        stylizer.step(view(number), BUDGET)
    assert all(torch.equal(before[name], tensor) for name, tensor in tensors.items())


def test_a_stylizer_that_painted_before_goes_on_from_what_it_is_given(make: Callable[[], Stylizer]) -> None:
    first, second = make(), make()
    first.step(view(0), BUDGET)
    second.step(random_image(32, 32, seed=5), BUDGET)
    second.resume(Memory.of(remembered(first)))
    assert torch.equal(second.step(view(1), BUDGET).image, first.step(view(1), BUDGET).image)


@pytest.mark.parametrize("other", [random_image(seed=4), view(0)[..., :32, :]], ids=["scene", "size"])
def test_another_scene_or_size_begins_afresh(make: Callable[[], Stylizer], other: Tensor) -> None:
    old, new, never_resumed = make(), make(), make()
    old.step(view(0), BUDGET)
    new.resume(Memory.of(remembered(old)))
    fresh = new.step(other, BUDGET)
    assert fresh.restarted
    assert torch.equal(fresh.image, never_resumed.step(other, BUDGET).image)


def test_nothing_is_remembered_before_the_first_frame_nor_after_a_reset(make: Callable[[], Stylizer]) -> None:
    stylizer = make()
    assert stylizer.memory is None
    stylizer.step(view(0), BUDGET)
    stylizer.reset()
    assert stylizer.memory is None


@pytest.mark.parametrize(
    ("name", "wrong", "complaint"),
    [
        ("content", torch.rand(48, 64), r"content must be 1 x 3 x H x W, got \(48, 64\)"),
        ("content", torch.rand(1, 3, 0, 64), "content must be 1 x 3 x H x W"),
        ("image", torch.rand(1, 3, 48, 63), r"image must be float32 of \(1, 3, 48, 64\)"),
        ("mean", torch.zeros(1, 3, 48, 64, dtype=torch.float64), "mean must be float32"),
        ("mean", torch.full((1, 3, 48, 64), torch.nan), "mean must be finite"),
        ("square", torch.full((1, 3, 48, 64), torch.inf), "square must be finite"),
        ("square", torch.full((1, 3, 48, 64), -0.5), r"square must be in \[0, inf\), got -0.5"),
        ("heat", torch.full((1, 1, 48, 64), 1.5), r"heat must be in \[0, 1\], got 1.5"),
        ("image", torch.full((1, 3, 48, 64), -0.1), r"image must be in \[0, 1\]"),
        ("count", torch.tensor(-1), "count must be a whole number from 0"),
        ("count", torch.tensor(1.5), "count must be a whole number from 0"),
        ("count", torch.tensor([1, 2]), "count must be a whole number from 0"),
        ("more", torch.tensor(1), "tensors must be content, image, mean, square, heat, rest, count, got"),
    ],
)
def test_what_no_stylizer_can_have_remembered_is_refused(
    make: Callable[[], Stylizer], name: str, wrong: Tensor, complaint: str
) -> None:
    stylizer = make()
    stylizer.step(view(0), BUDGET)
    with pytest.raises(ValueError, match=complaint):
        Memory.of({**remembered(stylizer), name: wrong})
