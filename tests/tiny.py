"""A network with VGG-19's layers but a few maps each: real code paths in a few milliseconds."""

from pathlib import Path

import torch

from models.objective import Objective, Style
from models.vgg import VGG
from models.weights import BLOCKS, CONVOLUTIONS, Weights, load, save

MAPS = {1: 4, 2: 6, 3: 8, 4: 8, 5: 8}


def tiny_weights(path: Path, *, seed: int = 0) -> Path:
    """Write random weights to `path`, a ``.safetensors`` file, and return it."""
    save(random_weights(seed=seed), path)
    return path


def random_weights(*, seed: int = 0) -> Weights:
    """Return weights that keep the size of what flows through them (He et al. 2015)."""
    generator = torch.Generator().manual_seed(seed)
    weights = {"mean": torch.tensor([0.48, 0.46, 0.41])}
    inputs = 3
    for name in CONVOLUTIONS:
        outputs = MAPS[int(name[4])]
        weights[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        weights[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.05
        inputs = outputs
    assert len(CONVOLUTIONS) == sum(BLOCKS.values())
    return weights


def tiny_network(path: Path, *, dtype: torch.dtype = torch.float32) -> VGG:
    """Return the network of `tiny_weights`, read back through the real loader."""
    return VGG(load(str(tiny_weights(path))), dtype=dtype)


def tiny_objective(path: Path) -> Objective:
    """Return an objective on the tiny network for a colorful random painting."""
    network = tiny_network(path)
    return Objective(network, Style.of(network, random_image(48, 64, seed=9)))


def random_image(height: int = 48, width: int = 64, *, seed: int = 0) -> torch.Tensor:
    """Return a smooth random picture, 1 x 3 x H x W in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, max(height // 8, 2), max(width // 8, 2), generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
