"""Whether painting at a size fits into memory: an estimate, against what is free."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import structlog
import torch

from models import footprint
from models.precision import fastest_precision
from streamer import machine
from streamer.energy import style_layers, weights_of
from streamer.originals import STYLE_TO_FRAME
from streamer.paint import Paint
from streamer.sizing import steps_down

TALLEST = 3 / 4
"""Height to width of a camera's frame; a film is flatter. Before the source is open nobody knows."""

SIZE_ON_CPU, SIZE_ON_CUDA = 256, 640

DEFAULTS = Paint()

Free = Callable[[torch.device], float | None]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fit:
    """A size, and whether there is memory for it."""

    size: int
    """Long side in pixels."""
    needed_mib: float
    free_mib: float | None
    """For this process, what it has already included; None if unknown."""

    @property
    def is_tight(self) -> bool:
        """Whether it will probably not fit."""
        return self.free_mib is not None and self.needed_mib > self.free_mib


def default_size(device: torch.device) -> int:
    """Return the long side for which the settings leave the choice to us."""
    return SIZE_ON_CPU if device.type == "cpu" else SIZE_ON_CUDA


def free_mib(device: torch.device) -> float | None:
    """Return how much memory this process may have on the device, what it has now included; None if unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return (free + torch.cuda.memory_reserved(device)) / 2**20
    left = machine.memory_left_mib()
    return None if left is None else left + machine.memory_mib(os.getpid()).get("now", 0.0)


def estimate_mib(frame: tuple[int, int], device: torch.device, *, paint: Paint = DEFAULTS) -> float:
    """Return how much memory painting frames of this height and width will take, in a square painting's style."""
    painting = round(STYLE_TO_FRAME * max(frame))
    size = footprint.peak_bytes(
        frame,
        (painting, painting),
        number_bytes=_number_bytes(device),
        fitted=footprint.CUDA if device.type == "cuda" else footprint.CPU,
        method=footprint.Method(
            content_layers=tuple(weights_of(paint.content_layers)),
            style_layers=style_layers(paint),
            is_lbfgs=paint.optimizer == "lbfgs",
            lag=paint.lag,
        ),
    )
    return size / 2**20


def fit_at(size: int, device: torch.device, *, paint: Paint = DEFAULTS, free: Free = free_mib) -> Fit:
    """Return whether frames of this long side fit, of whatever shape a camera gives."""
    return Fit(size, estimate_mib((round(TALLEST * size), size), device, paint=paint), free(device))


def affordable_size(wanted: int, device: torch.device, *, paint: Paint = DEFAULTS, free: Free = free_mib) -> int:
    """Return the size to paint at: the one wanted, or the largest below it that fits; says so if it does not.

    On a CPU, Linux hands out memory that it does not have and kills the process later. There is no error to step down
    from, and a service would be started again into the same end; so a smaller picture is the only one. On CUDA there
    would be an error for each step down, with frames lost. When nothing smaller fits either, the picture is not what
    takes the memory, and it stays as it was wanted.

    Args:
        wanted: long side in pixels.
        device: where to paint.
        paint: how.
        free: how much memory there is, MiB.
    """
    asked, *smaller = [fit_at(size, device, paint=paint, free=free) for size in steps_down(wanted)]
    if not asked.is_tight:
        return wanted
    taken = next((fit for fit in smaller if not fit.is_tight), asked)
    log.warning(
        "memory_tight",
        size=asked.size,
        needed_mib=round(asked.needed_mib),
        free_mib=round(asked.free_mib or 0),
        painted_size=taken.size,
    )
    return taken.size


@cache
def _number_bytes(device: torch.device) -> int:
    """Return the size of a number in the precision that the network will have; measured, so once is enough."""
    return fastest_precision(device).itemsize
