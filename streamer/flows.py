"""Which optical flow the settings name."""

from typing import Literal

import structlog
import torch
from torch import Tensor

from models.flow import DIS, FlowEstimator
from models.weights import WeightsError
from streamer.config import ConfigError
from streamer.network_name import NetworkName
from streamer.networks import load_onnx, read_name
from streamer.section import shown
from streamer.stand_in import Fallible

log = structlog.get_logger()


class NetworkFlow:
    """The flow that a network finds or, while it fails, the one that DIS finds."""

    def __init__(self, network: Fallible) -> None:
        self.network = network
        self._stand_in = DIS()

    def __call__(self, origin: Tensor, target: Tensor) -> Tensor:
        """Return the flow; see `models.flow.FlowEstimator`."""
        return self.network(origin, target, stand_in=self._stand_in)


def make_flow(text: str, *, device: torch.device, asked: bool = False) -> FlowEstimator:
    """Return a new estimator of the optical flow.

    Args:
        text: ``paint.flow``.
        device: where a network runs.
        asked: the settings name this very device, so that another one will not do.

    Raises:
        ConfigError: there is no such estimator here, or it cannot be used.
    """
    if text == "dis":
        return DIS()
    name = read_name("flow", text)
    if name is None:
        raise ConfigError(f"paint.flow: expected dis, raft-small, raft-large or onnx:FILE, got {shown(text)}")
    if name.kind == "onnx":
        return NetworkFlow(load_onnx("flow", name, device=device, asked=asked))
    return NetworkFlow(_raft(name, device))


def _raft(name: NetworkName, device: torch.device) -> Fallible:
    from models.raft import load_raft  # noqa: PLC0415 - only here

    kind: Literal["small", "large"] = "small" if name.kind == "raft-small" else "large"
    log.info("flow_loading", network=name.kind, weights=name.file or "torchvision")
    try:
        return Fallible("flow", load_raft(kind, name.path if name.file else None, device=device))
    except (ImportError, RuntimeError) as error:  # torchvision beside another torch
        raise ConfigError(f"paint.flow: {name.kind} cannot be used: {error}") from None
    except WeightsError as error:
        raise ConfigError(f"paint.flow: {error}") from None
