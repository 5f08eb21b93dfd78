"""What paints the frames of a job in one process: the engine, made once, and the threads that it may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import torch
from safetensors.torch import load, save
from torch import Tensor

from models.descent import Budget
from models.histogram import Histogram
from models.memory import Memory
from streamer.engine import Engine, make_engine
from streamer.exits import Exit, FatalError
from streamer.finish import finish
from streamer.mask import make_mask
from streamer.matching import FilmMatcher
from streamer.pixels import to_pixels, to_tensor
from streamer.render.job import Job
from streamer.render.survey import Pixels, Survey


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """What one frame is painted towards."""

    engine: Engine
    level: Tensor | None
    """See `streamer.finish`."""


class Atelier:
    """Paints frames as a job says.

    Args:
        job: how.
        survey: of the film.
    """

    def __init__(self, job: Job, survey: Survey) -> None:
        self.job = job
        self.size = max(survey.height, survey.width)
        self.device = torch.device(job.device)
        self.engine = make_engine(
            job.paint, device=self.device, size=self.size, precision=getattr(torch, job.precision)
        )
        self.loop = self.engine.loop()
        self.is_matched = survey.histogram is not None
        self._matcher: FilmMatcher | None = None
        if survey.histogram is not None:
            self._matcher = FilmMatcher(Histogram.of_numbers(survey.histogram), self.engine.mixture)
        self._mask = make_mask(job.paint)

    def tensor(self, pixels: Pixels) -> Tensor:
        """Return a frame as it is painted from."""
        return to_tensor(pixels, size=self.size, device=self.device)

    def aim(self, content: Tensor) -> Aim:
        """Return what a frame is painted towards; it depends on nothing but the frame and the film."""
        if self._matcher is None:
            return Aim(self.engine, None)
        match = self._matcher.match(content)
        return Aim(self.engine.restyled(match.look, self.job.paint), match.level)

    def check(self) -> None:
        """See that no network failed: live something stands in for it, but a film is to be what was asked for.

        Raises:
            FatalError: one failed.
        """
        for network in self.engine.networks:
            complaint = network.complaint
            if complaint is not None and complaint.reason == "failed":
                raise FatalError(f"paint.{network.part}: {complaint.error}", code=Exit.BUG)

    def seen(self, content: Tensor, image: Tensor, aim: Aim) -> Pixels:
        """Return what people see of a painted frame."""
        paint = self.job.paint
        mask = None if self._mask is None else self._mask.like(content)
        return to_pixels(finish(image, content, color=paint.color, light=paint.light, mask=mask, level=aim.level))


class Brush:
    """Paints neighboring frames of one scene, one after the other.

    Args:
        atelier: paints.
        memory: what `memory` gave after the frame before; None: the scene begins.
    """

    def __init__(self, atelier: Atelier, memory: bytes | None = None) -> None:
        self._atelier = atelier
        self._stylizer = atelier.engine.stylizer(cuts=_NoCuts())
        self._begins = memory is None
        if memory:
            self._stylizer.resume(Memory.of(load(memory)).to(atelier.device))

    def paint(self, pixels: Pixels) -> tuple[Tensor, Pixels]:
        """Return the next frame painted, 1 x 3 x H x W in [0, 1], and what people see of it."""
        job = self._atelier.job
        sight = self._stylizer.observe(to_tensor(pixels, size=self._atelier.size, device="cpu"))
        sight = sight.to(self._atelier.device)
        aim = self._atelier.aim(sight.content)
        if self._atelier.is_matched:
            self._stylizer.restyle(aim.engine.objective, aim.engine.fill, wake=False)
        budget = Budget(job.first_iterations if self._begins else job.iterations)
        self._begins = False
        image = self._stylizer.paint(sight, budget).image
        self._atelier.check()
        return image, self._atelier.seen(sight.content, image, aim)

    def memory(self) -> bytes:
        """Return what the next frame would go on from; empty if that is nothing."""
        memory = self._stylizer.memory
        if memory is None:
            return b""
        return save({name: tensor.detach().clone().contiguous() for name, tensor in memory.tensors().items()})


class _NoCuts:
    """The film was looked through: a scene is a scene."""

    def __call__(self, image: Tensor) -> bool:  # noqa: ARG002 - as a cut detector is called
        return False

    def reset(self) -> None:
        """Nothing is remembered."""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let the processor's work be shared by so many threads: in which order numbers are added depends on it."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
