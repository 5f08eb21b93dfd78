"""How near to the style and how steady a clip is painted, in each way that a frame can begin."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from threading import Event

from rich.table import Table
from torch import Tensor

from models.adjoint import AdjointObjective
from models.descent import Budget, descend
from models.flow import DIS
from protocols.errors import SourceError
from protocols.frame import Frame
from protocols.url import UrlError, source_from
from protocols.wire import Limits
from streamer.config import ConfigError, Input
from streamer.engine import Engine, Way
from streamer.steadiness import Shown, mean_error, steps

Tick = Callable[[int], None]
"""Called after each painted frame with its iterations."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Which frames to paint, and how large."""

    source: str
    start: int = 0
    every: int = 1
    frames: int = 12
    size: int = 256


@dataclass(frozen=True, slots=True)
class Row:
    """How one way to paint a clip went."""

    method: Way
    iterations: int
    """Per frame."""
    gap: float | None
    """See `Mark.gap`; mean over the marked frames."""
    temporal_rmse: float | None
    """Mean over neighboring frames, of the pixels visible in both; None of a single frame."""
    seconds_per_frame: float


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Between which energies the painting of a frame lies."""

    frame: Tensor
    start: float
    """Of the frame itself."""
    reference: float
    """Of a painting after so many iterations that it counts as done."""

    @classmethod
    def between(cls, objective: AdjointObjective, frame: Tensor, reference: Tensor) -> "Mark":
        """Return the mark of a frame, given its painting that counts as done.

        Raises:
            ConfigError: it is no better than the frame, so that there is nothing to measure by.
        """
        mark = cls(frame, _energy(objective, frame, frame), _energy(objective, frame, reference))
        if not mark.reference < mark.start:
            raise ConfigError(
                f"paint: the energy of the reference is {mark.reference:.4g}, and that of the frame {mark.start:.4g}: "
                "expected settings, and iterations for the reference, with which a painting is better than the frame"
            )
        return mark

    def gap(self, objective: AdjointObjective, image: Tensor) -> float:
        """Return (E - E_ref) / (E_start - E_ref): 0 is as good as the reference, 1 the frame itself."""
        return (_energy(objective, self.frame, image) - self.reference) / (self.start - self.reference)


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """Neighboring frames of one scene, painted in one way."""

    way: Way
    iterations: int
    """Per frame."""
    frames: Sequence[Tensor]
    images: Sequence[Tensor]
    seconds_per_frame: float

    def tail(self, count: int) -> "Film":
        """Return the last ``count`` frames."""
        return replace(self, frames=self.frames[-count:], images=self.images[-count:])

    def row(self, objective: AdjointObjective, marks: Sequence[Mark] = ()) -> Row:
        """Return its figures; ``marks`` are of frames that are in it."""
        image_of = {id(frame): image for frame, image in zip(self.frames, self.images, strict=True)}
        gaps = [mark.gap(objective, image_of[id(mark.frame)]) for mark in marks]
        return Row(
            method=self.way,
            iterations=self.iterations,
            gap=mean(gaps) if gaps else None,
            temporal_rmse=self._temporal_rmse(),
            seconds_per_frame=self.seconds_per_frame,
        )

    def _temporal_rmse(self) -> float | None:
        """Return the mean temporal error between neighbors, moved along the flow of the frames."""
        shown = [Shown(frame, image, continues=True) for frame, image in zip(self.frames, self.images, strict=True)]
        return mean_error([step.painted_error for step in steps(shown, DIS()) if step is not None])


def read_clip(clip: Clip) -> list[Frame]:
    """Return the chosen frames of a film.

    Raises:
        ConfigError: it cannot be read, or has too few.
    """
    needed = range(clip.start, clip.start + clip.every * clip.frames, clip.every)
    timeouts = Input()
    try:
        source = source_from(
            clip.source,
            limits=Limits(),
            open_timeout_s=timeouts.open_timeout_s,
            stall_timeout_s=timeouts.stall_timeout_s,
        )
        found = (item for item in source.frames(Event()) if isinstance(item, Frame))
        frames = list(itertools.islice(found, needed.start, needed.stop, needed.step))
    except (UrlError, SourceError) as error:
        raise ConfigError(f"clip: {error}") from None
    if len(frames) < clip.frames:
        raise ConfigError(
            f"clip: {clip.source}: needs {clip.frames} frames from {clip.start}, every {clip.every}; got {len(frames)}"
        )
    return frames


def paint_alone(objective: AdjointObjective, frame: Tensor, iterations: int) -> Tensor:
    """Return a frame painted from itself, without a neighbor."""
    return descend(objective.at(frame), frame, budget=Budget(iterations), refuge=frame).image


def paint_film(
    engine: Engine, way: Way, frames: Sequence[Tensor], iterations: int, *, tick: Tick = lambda _: None
) -> Film:
    """Return neighboring frames of one scene, painted from a cold start."""
    stylizer = engine.stylizer(way, cuts=OneScene())
    images: list[Tensor] = []
    began = time.perf_counter()
    for frame in frames:
        images.append(stylizer.step(frame, Budget(iterations)).image)
        tick(iterations)
    return Film(way, iterations, frames, images, (time.perf_counter() - began) / len(frames))


def as_table(title: str, rows: Sequence[Row]) -> Table:
    """Return the rows for people."""
    table = Table(title=title, title_justify="left")
    for heading in ("method", "iterations", "energy gap", "temporal RMSE", "s / frame"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for row in rows:
        gap = "-" if row.gap is None else f"{row.gap:.1%}"
        steadiness = "-" if row.temporal_rmse is None else f"{row.temporal_rmse:.4f}"
        table.add_row(row.method, str(row.iterations), gap, steadiness, f"{row.seconds_per_frame:.2f}")
    return table


class OneScene:
    """A cut detector for frames of which it is known that there is no cut among them."""

    def __call__(self, image: Tensor) -> bool:  # noqa: ARG002 - as a cut detector is called
        return False

    def reset(self) -> None:
        """Nothing is remembered."""


def _energy(objective: AdjointObjective, frame: Tensor, image: Tensor) -> float:
    return float(objective.at(frame).value_and_grad(image)[0].total)
