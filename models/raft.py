"""RAFT (Teed and Deng 2020), torchvision's: an optical flow that a network finds."""

import contextlib
import io
from pathlib import Path
from threading import Lock
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.fitting import Fitting, Size, up_to_multiple
from models.scarcity import one_memory_error
from models.weights import WeightsError

Kind = Literal["small", "large"]

MULTIPLE = 8
"""The network looks at every eighth pixel."""
LEAST = 128
"""It halves that three times more, and needs two of what is then left."""
LONGEST = 1024
"""A small picture is enlarged up to here at most; a strip that is still too low is padded."""
UPDATES = 12
"""Steps of its recurrence, as many as it was trained with."""


class RAFT:
    """The flow that a network of torchvision finds. Any thread may ask it.

    It computes in float32: half precision overflows where the features of two pictures are multiplied, and the flow is
    wanted to a fraction of a pixel. On CUDA the convolutions then take TensorFloat-32, as PyTorch has them do. All
    pairs of places are compared, so memory grows with the square of the pixels: 70 MB at 640 x 360, 6 GB at 1920 x
    1080.

    Args:
        network: a ``torchvision.models.optical_flow.RAFT``.
        device: where it runs.
    """

    def __init__(self, network: nn.Module, *, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._lock = Lock()  # the network keeps what it compares in itself

    @torch.no_grad()
    def __call__(self, origin: Tensor, target: Tensor) -> Tensor:
        """Return the flow; see `models.flow.FlowEstimator`.

        Raises:
            torch.OutOfMemoryError: there is too little memory for so large a picture.
        """
        fitting = fitting_of((origin.shape[-2], origin.shape[-1]))
        seen = [fitting.into(image.to(self._device)) * 2 - 1 for image in (origin, target)]
        with self._lock:
            flow = self._flow(*seen)
        return fitting.flow_back(flow).to(origin.device)

    def _flow(self, origin: Tensor, target: Tensor) -> Tensor:
        with one_memory_error():
            flows: list[Tensor] = self._network(origin, target, num_flow_updates=UPDATES)
        return flows[-1]


def fitting_of(frame: Size) -> Fitting:
    """Return how a frame is brought to a size that the network takes."""
    enlarged = min(LEAST / min(frame), LONGEST / max(frame))
    height, width = (round(side * max(1.0, enlarged)) for side in frame)
    return Fitting(frame, (height, width), (_taken(height), _taken(width)))


def _taken(side: int) -> int:
    return max(LEAST, up_to_multiple(side, MULTIPLE))


def load_raft(kind: Kind, path: Path | None, *, device: torch.device) -> RAFT:
    """Return the network with its weights.

    Args:
        kind: which of the two.
        path: a state of torchvision's network, ``.safetensors`` or ``.pth`` (which is read without unpickling); None:
            torchvision's own, which it downloads when it does not have them yet.
        device: where it runs.

    Raises:
        WeightsError: they are not there, or not those of this network.
    """
    from torchvision.models.optical_flow import raft_large, raft_small  # noqa: PLC0415 - heavy

    network: nn.Module = {"small": raft_small, "large": raft_large}[kind](weights=None)
    state = _downloaded(kind) if path is None else _read(path)
    origin = f"torchvision's raft-{kind}" if path is None else str(path)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{origin} does not hold the weights of raft-{kind}: {_first_complaint(error)}") from None
    for name, tensor in network.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{origin}: {name} holds a number that is not finite")
    return RAFT(network, device=device)


def _downloaded(kind: Kind) -> dict[str, Tensor]:
    from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights  # noqa: PLC0415 - heavy

    weights = {"small": Raft_Small_Weights.C_T_V2, "large": Raft_Large_Weights.C_T_SKHT_V2}[kind]
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # it tells there what it fetches, whoever listens
            state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except OSError as error:
        place = Path(torch.hub.get_dir()) / "checkpoints"
        raise WeightsError(f"torchvision's raft-{kind} is not in {place} and could not be fetched: {error}") from None
    except RuntimeError as error:  # the hash is another
        raise WeightsError(f"torchvision's raft-{kind} came damaged: {error}") from None
    return state


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except FileNotFoundError:
            raise WeightsError(f"no weights at {path.absolute()}") from None
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path} is not a safetensors file: {error}") from None
    try:
        state: object = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"no weights at {path.absolute()}") from None
    except Exception as error:  # noqa: BLE001 - what is no checkpoint breaks its reader in any way
        raise WeightsError(f"{path} is not a file of PyTorch weights: {str(error).partition('. ')[0]}") from None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise WeightsError(f"{path} must hold tensors by their names, got {type(state).__name__}")
    return state


def _first_complaint(error: RuntimeError) -> str:
    """Return the first thing that PyTorch says about a state, without the hundred names that may follow."""
    lines = [line.strip() for line in str(error).splitlines()]
    return lines[1][:200] if len(lines) > 1 else lines[0][:200]
