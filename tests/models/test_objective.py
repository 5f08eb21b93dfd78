"""The energy is what its terms say, its gradient is right, and its knob means what it says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.objective import STEADIEST, Balance, Objective, Style, Terms
from models.vgg import VGG
from tests.tiny import random_image, random_weights, tiny_network, tiny_objective


def test_the_frame_itself_has_no_content_term_and_the_painting_no_style_term(tmp_path: Path) -> None:
    network, painting = tiny_network(tmp_path / "w.safetensors"), random_image(seed=4)
    objective = Objective(network, Style.of(network, painting))
    frame = random_image(seed=5)
    with torch.no_grad():
        assert float(objective.at(frame)(frame).content) == 0
        assert float(objective.at(frame)(painting).style) == pytest.approx(0, abs=1e-10)
        assert float(objective.at(frame)(painting).content) > 0


@pytest.mark.parametrize("size", [(32, 48), (51, 37), (128, 160)])
def test_a_picture_without_any_feature_is_at_distance_one_per_unit_of_weight(size: tuple[int, int]) -> None:
    """The balance: at every size each term is its weight times the distance "from nothing at all"."""
    weights = dict(random_weights())
    network = VGG(weights)
    objective = Objective(network, Style.of(network, random_image(seed=4)))
    energy = objective.at(random_image(*size, seed=5))
    network.weights = {name: torch.zeros_like(weight) for name, weight in network.weights.items()}
    network.biases = {name: torch.zeros_like(bias) for name, bias in network.biases.items()}
    with torch.no_grad():
        terms = energy(random_image(*size, seed=6))
    assert float(terms.style) == pytest.approx(objective.balance.style, rel=1e-5)
    assert float(terms.content) == pytest.approx(objective.balance.content, rel=1e-5)


@pytest.mark.parametrize("term", ["content", "style", "variation", "temporal"])
def test_the_gradient_of_each_term_matches_finite_differences(term: str) -> None:
    network = VGG({name: tensor.double() for name, tensor in random_weights().items()}, dtype=torch.float64)
    style = Style.of(network, random_image(32, 32, seed=4).double())
    balance = Balance(*(float(name == term) for name in ("content", "style", "variation", "temporal")))
    image, frame, last = (random_image(32, 32, seed=seed).double() for seed in (1, 2, 3))
    visible = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) > 0.3
    energy = Objective(network, style, balance=balance).at(frame, warped=last, visible=visible)
    _, gradient = energy.value_and_grad(image)
    direction = gradient / gradient.norm()
    distance = 1e-6
    ahead, behind = (float(energy(image + sign * distance * direction).total.detach()) for sign in (1, -1))
    assert float(gradient.norm()) > 0
    assert (ahead - behind) / (2 * distance) == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_hidden_pixels_get_no_temporal_gradient(tmp_path: Path) -> None:
    network = tiny_network(tmp_path / "w.safetensors")
    objective = Objective(
        network,
        Style.of(network, random_image(seed=4)),
        balance=Balance(content=0, style=0, variation=0, temporal=1),
    )
    visible = torch.ones(1, 1, 48, 64, dtype=torch.bool)
    visible[..., 10:20, 10:20] = False
    energy = objective.at(random_image(seed=1), warped=random_image(seed=2), visible=visible)
    _, gradient = energy.value_and_grad(random_image(seed=3))
    assert (gradient[..., 10:20, 10:20] == 0).all()
    assert (gradient[..., 30:, :] != 0).any()


def test_the_knob_goes_from_the_frame_through_the_default_to_the_painting() -> None:
    assert Balance.of(0).style == 0
    assert Balance.of(0.5) == Balance()
    assert Balance.of(1).content == 0
    with pytest.raises(ValueError, match=r"style_strength must be in 0\.\.1, got 1\.5"):
        Balance.of(1.5)


def test_the_total_is_the_sum_of_the_terms(tmp_path: Path) -> None:
    terms, _ = tiny_objective(tmp_path / "w.safetensors").at(random_image()).value_and_grad(random_image(seed=7))
    assert isinstance(terms, Terms)
    assert float(terms.total) == pytest.approx(float(terms.content + terms.style + terms.variation + terms.temporal))


def test_a_black_frame_has_a_finite_energy(tmp_path: Path) -> None:
    black = torch.zeros(1, 3, 48, 64)
    terms, gradient = tiny_objective(tmp_path / "w.safetensors").at(black).value_and_grad(black)
    assert torch.isfinite(terms.total)
    assert torch.isfinite(gradient).all()


def test_steadiness_weighs_the_temporal_term_alone_and_is_off_at_zero() -> None:
    assert Balance.of(0.5, 0) == Balance()
    assert Balance.of(0.3, 1) == replace(Balance.of(0.3), temporal=STEADIEST)
    assert Balance.of(0.3, 0.5).temporal == STEADIEST / 4
    with pytest.raises(ValueError, match=r"steadiness must be in 0\.\.1, got -0\.1"):
        Balance.of(0.5, -0.1)


def test_a_restyled_objective_shares_its_network_and_has_the_numbers_of_a_new_one(tmp_path: Path) -> None:
    objective = tiny_objective(tmp_path / "tiny.safetensors")
    style = Style.of(objective.network, random_image(seed=3))
    restyled = objective.restyled(style, Balance.of(0.7))
    fresh = Objective(objective.network, style, balance=Balance.of(0.7))
    content, image = random_image(seed=1), random_image(seed=2)
    assert restyled.network is objective.network
    assert restyled.at(content)(image).total == fresh.at(content)(image).total
    assert restyled.at(content)(image).total != objective.at(content)(image).total
