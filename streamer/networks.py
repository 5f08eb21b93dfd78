"""Loads the networks that the settings name, and says where they run."""

from typing import Literal

import structlog
import torch

from models.errors import NetworkError
from streamer.config import ConfigError
from streamer.network_name import NetworkName
from streamer.stand_in import Fallible

ON_CPU = "onnxruntime has no CUDA here; mend: pip install 'nvidia-curand>=10,<11', and only onnxruntime-gpu"

log = structlog.get_logger()


def read_name(part: str, text: str) -> NetworkName | None:
    """Return which network the setting ``paint.<part>`` names; None if it names something else.

    Raises:
        ConfigError: its end means nothing.
    """
    try:
        return NetworkName.read(text)
    except ValueError as error:
        raise ConfigError(f"paint.{part}: {error}") from None


def load_onnx(part: Literal["flow", "fill"], name: NetworkName, *, device: torch.device, asked: bool) -> Fallible:
    """Return a network in an ONNX file, watched.

    Args:
        part: what it is for.
        name: its file.
        device: where it is to run.
        asked: the settings name this very device, so that another one will not do.

    Raises:
        ConfigError: the file cannot be used, or onnxruntime not the device.
    """
    try:
        from models.onnx_pictures import OnnxFill, OnnxFlow  # noqa: PLC0415 - imports onnxruntime

        make = OnnxFlow if part == "flow" else OnnxFill
        network = make(name.path, range_name=name.range_name, device=device)
    except (ImportError, NetworkError) as error:
        raise ConfigError(f"paint.{part}: {error}") from None
    slow = ON_CPU if network.device.type != device.type else ""
    if slow and asked:
        raise ConfigError(f"paint.{part}: paint.device asks for {device}, but {ON_CPU}")
    if slow:
        log.warning("network_on_cpu", part=part, reason=ON_CPU)
    return Fallible(part, network, slow=slow)
