"""How steady a recorded painting is, and how steady it would be if each frame were painted by itself."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from models.consistency import temporal_error_along
from models.descent import Budget, Differentiable, descend
from models.flow import FlowEstimator
from models.stylizer import Objective
from models.warp import visible_mask

FEWEST_FRAMES = 2
"""An error needs a pair."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A frame and its painting, each 1 x 3 x H x W, RGB in [0, 1]."""

    content: Tensor
    painted: Tensor
    continues: bool
    """It belongs to the same scene as the one before it."""


@dataclass(frozen=True, slots=True)
class Step:
    """From one painted frame to the next of the same scene."""

    motion: Tensor
    """How far what a pixel of the later frame shows has moved, 1 x 2 x H x W, pixels."""
    content_error: float | None
    """What not even a perfect painter could remove: light, noise, and the errors of the flow itself."""
    painted_error: float | None


def steps(film: Sequence[Shown], flow: FlowEstimator) -> list[Step | None]:
    """Return the step to each frame; None to the first and to those that begin a scene."""
    found: list[Step | None] = [None] if film else []
    for last, shown in pairwise(film):
        found.append(_step(last, shown, flow) if shown.continues else None)
    return found


def mean_error(errors: Sequence[float | None]) -> float | None:
    """Return the mean of those that are known; None if none is."""
    known = [error for error in errors if error is not None]
    return sum(known) / len(known) if known else None


def last_of_longest_scene(film: Sequence[Shown], count: int) -> Sequence[Shown]:
    """Return the last frames of the scene with the most frames: there the painting has had the most time."""
    begins = [0, *(index for index, shown in enumerate(film) if index and not shown.continues), len(film)]
    begin, end = max(pairwise(begins), key=lambda bounds: bounds[1] - bounds[0])
    return film[max(begin, end - count) : end]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The last frames of a film, painted as it was and each by itself."""

    frames: int
    iterations: int
    alone_error: float | None
    streamed_error: float | None
    alone_energy: float
    streamed_energy: float


def compare(
    film: Sequence[Shown],
    objective: Objective,
    flow: FlowEstimator,
    *,
    iterations: int,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> Comparison | None:
    """Paint frames each from itself (the paper's method 1), the last one first, and compare; None without a pair.

    Args:
        film: neighbors of one scene.
        objective: what the film was painted towards.
        flow: the optical flow.
        iterations: per frame.
        deadline: monotonic, seconds: two frames are always painted, no further one that would end later.
        clock: monotonic, seconds.
    """
    alone: list[Shown] = []
    energies: list[tuple[float, float]] = []
    for shown in reversed(film):
        began = clock()
        energy = objective.at(shown.content)
        image = descend(energy, shown.content, budget=Budget(iterations), refuge=shown.content).image
        alone.insert(0, Shown(shown.content, image, continues=True))
        energies.append((_total(energy, image), _total(energy, shown.painted)))
        now = clock()
        if len(alone) >= FEWEST_FRAMES and now + (now - began) > deadline:
            break
    if len(alone) < FEWEST_FRAMES:
        return None
    return Comparison(
        frames=len(alone),
        iterations=iterations,
        alone_error=_painted_error(alone, flow),
        streamed_error=_painted_error(film[-len(alone) :], flow),
        alone_energy=sum(alone for alone, _ in energies) / len(energies),
        streamed_energy=sum(streamed for _, streamed in energies) / len(energies),
    )


def _step(last: Shown, shown: Shown, flow: FlowEstimator) -> Step:
    there = flow(shown.content, last.content)
    visible = visible_mask(there, flow(last.content, shown.content))
    return Step(
        motion=-there,
        content_error=temporal_error_along(last.content, shown.content, there, visible),
        painted_error=temporal_error_along(last.painted, shown.painted, there, visible),
    )


def _painted_error(film: Sequence[Shown], flow: FlowEstimator) -> float | None:
    return mean_error([step.painted_error for step in steps(film, flow) if step is not None])


def _total(energy: Differentiable, image: Tensor) -> float:
    return float(energy.value_and_grad(image)[0].total)
