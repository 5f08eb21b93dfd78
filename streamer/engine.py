"""What paints: network, painting, energy and fill, made from the settings on the device they ask for."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, overload

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import paintings
from models.adam import Adam
from models.adjoint import AdjointObjective
from models.cuts import CutDetector
from models.descent import Eager, Loop
from models.flow import FlowEstimator
from models.hindsight import Hindsight, Remembering
from models.initialization import PaperStylizer
from models.lbfgs import Lbfgs
from models.look import Look, Mixture, Original
from models.precision import fastest_precision
from models.replay import Replayed, Tail
from models.sight import CutDetector as Cuts
from models.stylizer import Stylizer
from models.vgg import VGG
from models.weights import WeightsError, load
from streamer.config import ConfigError
from streamer.energy import balance_of, make_objective
from streamer.fills import Fill, NetworkFill, make_fill
from streamer.flows import NetworkFlow, make_flow
from streamer.gallery import Gallery
from streamer.originals import built_in_px, look_at
from streamer.paint import Hot, Paint
from streamer.picture import PictureError
from streamer.recipe import PAINTINGS, names, recipe, renamed
from streamer.section import AUTO, shown
from streamer.stand_in import Fallible

Way = Literal["carried", "flow", "previous", "independent"]
"""How a frame begins: from the last painting moved along the flow with the optimizer's memory, which is ours; or in one
of the paper's three ways."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Engine:
    """One look and one balance, ready to paint with."""

    objective: AdjointObjective
    mixture: Mixture
    """The paintings."""
    look: Look
    """What is painted towards: the mixture's own look, or the one that it has in a frame's light."""
    size: int
    """Long side of the frames in pixels; paintings are scaled with it."""
    paint: Paint
    """What it was made from; of what may change while frames are painted, at the start."""
    flow: FlowEstimator
    """Shared by all stylizers and engines that are made of this one."""
    filler: Fill
    """As `fill`, for any look."""

    @property
    def fill(self) -> Callable[[Tensor], Tensor]:
        """What to start from where nothing painted can be moved, a function of the frame."""
        return lambda frame: self.filler(frame, self.look)

    @property
    def networks(self) -> Sequence[Fallible]:
        """Those networks that may fail while frames are painted, and for which something stands in."""
        return [each.network for each in (self.flow, self.filler) if isinstance(each, NetworkFlow | NetworkFill)]

    @overload
    def stylizer(self, way: Literal["carried"], *, cuts: Cuts | None = ...) -> Stylizer: ...

    @overload
    def stylizer(self, way: Way | None = ..., *, cuts: Cuts | None = ...) -> Stylizer | PaperStylizer: ...

    def stylizer(self, way: Way | None = None, *, cuts: Cuts | None = None) -> Stylizer | PaperStylizer:
        """Return a new stylizer, which remembers nothing yet.

        Args:
            way: how a frame begins; None: as the settings say.
            cuts: tells where a new scene begins; None: a detector.
        """
        way, cuts = way or self.paint.init, cuts or CutDetector()
        if way == "carried":
            return Stylizer(self.objective, flow=self.flow, cuts=cuts, fill=self.fill, loop=self.loop())
        return PaperStylizer(self.objective, init=way, flow=self.flow, cuts=cuts, loop=self.loop())

    def hindsight(self, stylizer: Remembering) -> Hindsight | None:
        """Return what paints this stylizer's frames on while they wait; None: the settings let none wait."""
        if not self.paint.lag:
            return None
        return Hindsight(stylizer, lag=self.paint.lag, flow=self.flow, loop=self.loop())

    def look_at(self, painting: NDArray[np.uint8]) -> Original:
        """Return a painting, H x W x 3, looked at in the size in which frames can take it on."""
        return look_at(self.objective.objective.network, painting, self.paint, size=self.size)

    def restyled(self, look: Look, hot: Hot, *, mixture: Mixture | None = None) -> "Engine":
        """Return the engine of this look and these settings: itself if they are its own.

        Another one shares the network, so that nothing is packed again.

        Args:
            look: what to paint towards.
            hot: the settings.
            mixture: the paintings that it is the look of; None: these.
        """
        balance = balance_of(self.paint, hot)
        if look is self.look and balance == self.objective.objective.balance:
            return self
        objective = self.objective.objective.restyled(look.style, balance)
        return replace(self, objective=self.objective.restyled(objective), look=look, mixture=mixture or self.mixture)

    def loop(self) -> Loop:
        """Return a new loop of the optimizer; each has one recording, so that each kind of descent has its own."""
        begin = Lbfgs.at if self.paint.optimizer == "lbfgs" else Adam.at
        is_cuda = self.objective.objective.network.device.type == "cuda"
        return Replayed(tail=Tail(), begin=begin) if is_cuda else Eager(begin)


def make_engine(
    paint: Paint,
    *,
    device: torch.device,
    size: int,
    gallery: Gallery | None = None,
    precision: torch.dtype | None = None,
) -> Engine:
    """Return the engine for these settings.

    Args:
        paint: style, its strength and the weights.
        device: where to paint.
        size: long side of the frames in pixels; the painting is scaled with it.
        gallery: where the paintings are; None: where the settings say.
        precision: of the network's numbers; None: the fastest, which is measured and so need not be the same each time.

    Raises:
        ConfigError: the weights, a painting or a network cannot be used.
    """
    asked = paint.device == str(device)
    flow = make_flow(paint.flow, device=device, asked=asked)
    filler = make_fill(paint.fill, device=device, asked=asked)
    try:
        weights = load(paint.weights)
    except WeightsError as error:
        raise ConfigError(f"paint.weights: {error}") from None
    network = VGG(weights, device=device, dtype=precision or fastest_precision(device), pooling=paint.pooling)
    gallery = gallery or make_gallery(paint, size=size)
    pictures = {
        gallery.name_of(name): _painting(gallery, f"paint.{key}", name)
        for key in PAINTINGS
        for name in names(getattr(paint, key))
    }
    shares = recipe(paint.model_copy(update={key: renamed(getattr(paint, key), gallery.name_of) for key in PAINTINGS}))
    mixture = Mixture.of([(look_at(network, pictures[name], paint, size=size), shares[name]) for name in shares])
    return Engine(make_objective(network, mixture.look, paint), mixture, mixture.look, size, paint, flow, filler)


def make_gallery(paint: Paint, *, size: int) -> Gallery:
    """Return the paintings that may be chosen: built-in ones, those the settings name, uploaded ones, a folder's.

    Args:
        paint: names of paintings, and the folder.
        size: long side of the frames in pixels; built-in paintings are made for it.

    Raises:
        ConfigError: there is no such folder.
    """
    folder = None if paint.styles_folder is None else Path(paint.styles_folder).expanduser()
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"paint.styles_folder: expected a folder, got {shown(paint.styles_folder)}")
    named = (name for key in PAINTINGS for name in names(getattr(paint, key)))
    return Gallery(
        paintings.NAMES,
        paint=lambda name: _built_in(name, built_in_px(paint, size=size)),
        settings=[Path(name) for name in named if name not in paintings.NAMES],
        folder=folder,
    )


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


def _painting(gallery: Gallery, key: str, style: str) -> NDArray[np.uint8]:
    """Return the painting that the setting `key` names."""
    try:
        return gallery.picture(gallery.name_of(style))
    except PictureError as error:
        raise ConfigError(f"{key}: {error}; the built-in ones are {', '.join(paintings.NAMES)}") from None


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
