"""The paper's three ways to begin a frame. In all of them the optimizer starts anew with every frame.

`models.stylizer` is the way of our own: the third, with the optimizer's memory carried along and a fill for what was
hidden. What is here has neither, and so is the baseline that it is measured against.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from models.consistency import temporal_error
from models.descent import Budget, Loop, Moments, descend
from models.flow import FlowEstimator
from models.memory import Memory
from models.objective import Boosts
from models.rest import Rest
from models.sight import CutDetector, Observer, Sight
from models.stylizer import Objective, Stylized
from models.warp import visible_mask, warp

Initialization = Literal["independent", "previous", "flow"]
"""The paper's methods 1, 2 and 3: from the frame itself, from the last painting, from the last painting moved."""


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    sight: Sight
    image: Tensor
    boosts: Boosts | None


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    image: Tensor
    visible: Tensor
    flow: Tensor


class PaperStylizer:
    """Paints one frame after the other, y_t = ST(start, x_t, x^s); a stand-in for `models.stylizer.Stylizer`.

    The first frame of a scene is always its own start. The flow is found for every way, as the temporal error needs it.

    Args:
        objective: the energy of the painting's style.
        init: where the descent of a frame starts.
        flow: the optical flow.
        cuts: tells where a new scene begins.
        loop: what runs the iterations; None: each as it is asked for.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        init: Initialization,
        flow: FlowEstimator,
        cuts: CutDetector,
        loop: Loop | None = None,
    ) -> None:
        if init not in get_args(Initialization):
            raise ValueError(f"init must be one of {', '.join(get_args(Initialization))}, got {init!r}")
        self._objective = objective
        self._init = init
        self._loop = loop
        self._observer = Observer(flow, cuts)
        self._last: _Last | None = None

    def reset(self) -> None:
        """Forget everything: the next frame begins a scene."""
        self._last = None
        self._observer.reset()

    @property
    def objective(self) -> Objective:
        """What is painted towards."""
        return self._objective

    @property
    def memory(self) -> Memory | None:
        """What the next frame would go on from; None: it begins a scene. There are no moments and no rest in it."""
        if self._last is None:
            return None
        content, image = self._last.sight.content, self._last.image
        return Memory(content, image, Moments.zeros_like(image, boosts=self._last.boosts), Rest.broken_by(content))

    def resume(self, memory: Memory) -> None:
        """Go on from what another stylizer remembered, as `Stylizer.resume`."""
        self.reset()
        sight = self._observer.observe(memory.content.cpu()).to(memory.image.device)
        self._last = _Last(sight, memory.image, memory.moments.boosts)

    def restyle(
        self,
        objective: Objective,
        fill: Callable[[Tensor], Tensor],  # noqa: ARG002 - as `Stylizer`
        *,
        wake: bool = True,  # noqa: ARG002 - likewise: here nothing comes to rest
    ) -> None:
        """Paint towards something else from the next frame on."""
        self._objective = objective

    def step(self, content: Tensor, budget: Budget) -> Stylized:
        """Look at the next frame and paint it, as `Stylizer.step`."""
        return self.paint(self.observe(content), budget)

    def observe(self, content: Tensor) -> Sight:
        """Look at the next frame, as `Stylizer.observe`."""
        return self._observer.observe(content)

    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Paint a frame that was looked at, as `Stylizer.paint`."""
        content, last = sight.content, self._last
        if last is not None and last.sight.scene != sight.scene:
            last = None
        moved = None if last is None else self._moved(last, sight)
        warped, visible = (moved.image, moved.visible) if moved else (None, None)
        energy = self._objective.at(content, warped=warped, visible=visible)
        own = self._objective.seen(content)
        start = self._start(own, last, warped)
        moments = Moments.zeros_like(start, boosts=last.boosts if last else None)
        result = descend(energy, start, budget=budget, refuge=own, moments=moments, loop=self._loop)
        self._last = None if result.terms is None else _Last(sight, result.image, result.moments.boosts)
        return Stylized(
            image=result.image,
            iterations=result.iterations,
            restarted=last is None,
            terms=result.terms,
            failures=result.failures,
            temporal_error=temporal_error(result.image, moved.image, moved.visible) if moved else None,
            flow=moved.flow if moved else None,
        )

    def _start(self, own: Tensor, last: _Last | None, warped: Tensor | None) -> Tensor:
        if last is None or warped is None or self._init == "independent":
            return own
        return last.image if self._init == "previous" else warped

    def _moved(self, last: _Last, sight: Sight) -> _Moved:
        motion = sight.motion
        if motion is None or motion.since != last.sight.number:
            motion = self._observer.compare(sight.content, last.sight.content, since=last.sight.number)
        visible = visible_mask(motion.there, motion.back)
        return _Moved(warp(last.image, motion.there, sharp=True).clamp(0, 1), visible, motion.there)
