"""What paints: network, painting, energy and fill, made from the settings on the device they ask for."""

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import paintings
from models.adjoint import AdjointObjective
from models.color import color_statistics, palette_fill
from models.cuts import CutDetector
from models.flow import DIS
from models.initialization import PaperStylizer
from models.objective import Balance, Objective, Style
from models.precision import fastest_precision
from models.stylizer import CutDetector as Cuts
from models.stylizer import Stylizer
from models.vgg import VGG
from models.weights import WeightsError, load
from streamer.config import AUTO, ConfigError, Paint
from streamer.picture import PictureError, read_picture
from streamer.pixels import to_tensor

STYLE_TO_FRAME = 1.5
"""How much longer the painting's long side is than the frame's: its strokes are then as large as on its own canvas."""

Way = Literal["carried", "flow", "previous", "independent"]
"""How a frame begins: from the last painting moved along the flow with the optimizer's memory, which is ours; or in one
of the paper's three ways."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Engine:
    """One style, ready to paint with."""

    objective: AdjointObjective
    fill: Callable[[Tensor], Tensor]
    """What to start from where nothing painted can be moved, a function of the frame."""

    def stylizer(self, way: Way = "carried", *, cuts: Cuts | None = None) -> Stylizer | PaperStylizer:
        """Return a new stylizer, which remembers nothing yet."""
        cuts = cuts or CutDetector()
        if way == "carried":
            return Stylizer(self.objective, flow=DIS(), cuts=cuts, fill=self.fill)
        return PaperStylizer(self.objective, init=way, flow=DIS(), cuts=cuts)


def make_engine(paint: Paint, *, device: torch.device, size: int) -> Engine:
    """Return the engine for these settings.

    Args:
        paint: style, its strength and the weights.
        device: where to paint.
        size: long side of the frames in pixels; the painting is scaled with it.

    Raises:
        ConfigError: the weights or the painting cannot be used.
    """
    try:
        weights = load(paint.weights)
    except WeightsError as error:
        raise ConfigError(f"paint.weights: {error}") from None
    network = VGG(weights, device=device, dtype=fastest_precision(device))
    painting = _painting(paint.style, long_side=round(STYLE_TO_FRAME * size), device=device)
    objective = Objective(network, Style.of(network, painting), balance=Balance.of(paint.style_strength))
    palette = color_statistics(painting)
    return Engine(AdjointObjective(objective), fill=lambda frame: palette_fill(frame, palette))


def choose_device(wanted: str) -> tuple[torch.device, Mapping[str, str]]:
    """Return the device to paint on, and what is wrong with it.

    A machine without CUDA is not in trouble under ``auto``; one whose GPU does not work is.

    Raises:
        ConfigError: CUDA was asked for and does not work.
    """
    if wanted == "cpu":
        return torch.device("cpu"), {}
    problem = _cuda_problem("cuda" if wanted == AUTO else wanted)
    if problem is None:
        return torch.device("cuda" if wanted == AUTO else wanted), {}
    if wanted != AUTO:
        raise ConfigError(f"paint.device: {wanted} does not work: {problem}")
    has_gpu = Path("/dev/nvidiactl").exists()
    (log.warning if has_gpu else log.info)("device_fallback", device="cpu", reason=problem)
    return torch.device("cpu"), {"device": "fallback"} if has_gpu else {}


def _cuda_problem(device: str) -> str | None:
    """Return why ``device`` cannot compute; None if it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says the same once more in the exception
            torch.zeros(1, device=device).add_(1).item()
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch was built without CUDA
        return str(error).partition("\n")[0]
    return None


def _painting(style: str, *, long_side: int, device: torch.device) -> torch.Tensor:
    """Return the painting, 1 x 3 x H x W: a built-in one, or a picture file."""
    try:
        built_in = style in paintings.NAMES
        picture = _built_in(style, long_side) if built_in else read_picture(Path(style).expanduser())
    except PictureError as error:
        raise ConfigError(f"paint.style: {error}; the built-in ones are {', '.join(paintings.NAMES)}") from None
    return to_tensor(picture, size=long_side, device=device)


def _built_in(style: str, long_side: int) -> NDArray[np.uint8]:
    try:
        return paintings.load(style, long_side, cache=cache_folder())
    except OSError as error:
        log.warning("cache_unusable", folder=str(cache_folder()), error=error.strerror)
        return paintings.paint(style, width=long_side)


def cache_folder() -> Path:
    """Return where paintings made by code are kept: systemd's folder for this service, or the user's."""
    if service := os.environ.get("CACHE_DIRECTORY"):
        return Path(service.partition(":")[0])
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "deepmovie"
