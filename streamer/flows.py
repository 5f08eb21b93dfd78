"""Which optical flow the settings name."""

import torch

from models.flow import DIS, FlowEstimator
from streamer.config import ConfigError


def make_flow(name: str, *, device: torch.device) -> FlowEstimator:  # noqa: ARG001 - a network will need it
    """Return a new estimator of the optical flow.

    Args:
        name: ``paint.flow``.
        device: where a network runs.

    Raises:
        ConfigError: there is no such estimator here.
    """
    if name == "dis":
        return DIS()
    raise ConfigError(f"paint.flow: {name} is not known")
