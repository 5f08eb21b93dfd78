"""The recurrence: one painted frame from the last one. All memory between frames is one optional value."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from models.consistency import temporal_error
from models.descent import STEP_SIZE, Budget, Differentiable, Loop, Moments, descend
from models.flow import FlowEstimator
from models.memory import Memory
from models.objective import Terms
from models.rest import Rest
from models.scarcity import one_memory_error
from models.sight import CutDetector, Observer, Sight
from models.warp import visible_mask

SAME_COLOR = 0.02
"""Channels that differ by less than this show the same thing: five 8-bit levels. More, and paint smears at night."""


class Objective(Protocol):
    """What is painted towards: `models.objective.Objective` or its fast twin."""

    def at(self, content: Tensor, *, warped: Tensor | None = None, visible: Tensor | None = None) -> Differentiable:
        """Return the energy for one frame."""
        ...

    def seen(self, frame: Tensor) -> Tensor:
        """Return a frame, 1 x 3 x H x W, in the colors in which it is painted."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Stylized:
    """One painted frame and how it came about."""

    image: Tensor
    """1 x 3 x H x W, RGB in [0, 1], finite."""
    iterations: int
    restarted: bool
    """It began from the fill: the first frame, a new size, a cut, or after `Stylizer.reset`."""
    terms: Terms | None
    """The energy one iteration before `image`; None if it was never finite."""
    failures: int
    """Iterations thrown away because their energy or gradient was not finite."""
    temporal_error: float | None
    """RMSE against the last painting, moved, where visible; None where there is none."""
    flow: Tensor | None
    """From this frame to the last one, 1 x 2 x H x W."""


@dataclass(frozen=True, slots=True, eq=False)
class _Start:
    image: Tensor
    rest: Rest
    moments: Moments | None = None
    warped: Tensor | None = None
    visible: Tensor | None = None
    flow: Tensor | None = None


class Stylizer:
    """Paints one frame after the other (the paper's method 3, with the optimizer's memory carried along the flow).

    Args:
        objective: the energy of the painting's style.
        flow: the optical flow.
        cuts: tells where a new scene begins.
        fill: what to start from where nothing painted can be moved: a function of the frame.
        loop: what runs the iterations; None: each as it is asked for.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        flow: FlowEstimator,
        cuts: CutDetector,
        fill: Callable[[Tensor], Tensor],
        loop: Loop | None = None,
    ) -> None:
        self._objective = objective
        self._observer = Observer(flow, cuts)
        self._fill = fill
        self._loop = loop
        self._memory: Memory | None = None

    def reset(self) -> None:
        """Forget everything: the next frame begins a scene."""
        self._memory = None
        self._observer.reset()

    @property
    def objective(self) -> Objective:
        """What is painted towards."""
        return self._objective

    @property
    def memory(self) -> Memory | None:
        """What the next frame would go on from; None: it begins a scene."""
        return self._memory

    def resume(self, memory: Memory) -> None:
        """Go on from what another stylizer remembered, as if its last frame had just been seen.

        The next frame is compared with that one: it begins a scene if it shows another, or has another size.

        Args:
            memory: on the objective's device.
        """
        self.reset()
        sight = self._observer.observe(memory.content.cpu())
        self._memory = replace(memory, number=sight.number, scene=sight.scene)

    def restyle(self, objective: Objective, fill: Callable[[Tensor], Tensor], *, wake: bool = True) -> None:
        """Paint towards something else from the next frame on; the painting and its descent are kept.

        Args:
            objective: the energy.
            fill: what to start from where nothing painted can be moved.
            wake: what had come to rest is awake again: else a wall painted for long would never change. False where
                each frame has an aim of its own: what stands still has nearly the same one, and may stay at rest.
        """
        if wake and self._memory is not None:
            self._memory = replace(self._memory, rest=Rest.broken_by(self._memory.content))
        self._objective = objective
        self._fill = fill

    def step(self, content: Tensor, budget: Budget) -> Stylized:
        """Look at the next frame and paint it.

        Args:
            content: 1 x 3 x H x W, RGB in [0, 1], on the objective's device.
            budget: iterations and deadline.
        """
        return self.paint(self.observe(content), budget)

    def observe(self, content: Tensor) -> Sight:
        """Look at the next frame, 1 x 3 x H x W in [0, 1], on any device.

        Another thread may do so while the last frame is painted.
        """
        return self._observer.observe(content)

    @one_memory_error()
    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Paint a frame that was looked at, on the objective's device; not every one need be painted.

        Raises:
            torch.OutOfMemoryError: there is too little memory for a frame of this size; nothing is remembered of it.
        """
        content = sight.content
        fill = self._fill(content)
        start = self._start(sight, fill)
        energy = self._objective.at(content, warped=start.warped, visible=start.visible)
        step_size = STEP_SIZE * start.rest.heat
        result = descend(
            energy,
            start.image,
            budget=budget,
            refuge=fill,
            moments=start.moments,
            step_size=step_size,
            loop=self._loop,
        )
        self._memory = Memory(content, result.image, result.moments, start.rest, sight.number, sight.scene)
        if result.terms is None:  # an energy that was never finite in the whole frame has nothing worth carrying on
            self._memory = None
        return Stylized(
            image=result.image,
            iterations=result.iterations,
            restarted=start.warped is None,
            terms=result.terms,
            failures=result.failures,
            temporal_error=_moved_error(result.image, start),
            flow=start.flow,
        )

    def _start(self, sight: Sight, fill: Tensor) -> _Start:
        """Return where the descent begins: the last painting and moments moved along the flow, or the fill."""
        content, motion, memory = sight.content, sight.motion, self._memory
        if memory is None or motion is None or memory.scene != sight.scene:
            return _Start(fill, Rest.broken_by(content))
        if motion.since != memory.number:  # the frame between was not painted
            motion = self._observer.compare(content, memory.content, since=memory.number)
        flow, still = memory.rest.settle(motion.there, content)
        visible = visible_mask(flow, motion.back)
        moved = memory.moved(flow)
        kept = visible | still | _looks_alike(content, moved.content)
        return _Start(
            image=torch.where(kept, moved.image, fill),
            rest=moved.rest.cooled(still, content),
            moments=moved.moments.kept_where(kept),
            warped=moved.image,
            visible=visible,
            flow=flow,
        )


def _looks_alike(content: Tensor, moved_content: Tensor) -> Tensor:
    """Return where the last frame, moved, shows the same as this one: 1 x 1 x H x W, bool.

    Where there is nothing to follow (sky, walls) the flow there and the flow back disagree though nothing was hidden.
    A painting that is good there is kept; otherwise a tenth to a third of a film starts from the fill in every frame.
    """
    return (content - moved_content).abs().amax(1, keepdim=True) < SAME_COLOR


def _moved_error(image: Tensor, start: _Start) -> float | None:
    if start.warped is None or start.visible is None:
        return None
    return temporal_error(image, start.warped, start.visible)
