"""The paper's three ways to begin a frame. In all of them the optimizer starts anew with every frame.

`models.stylizer` is the way of our own: the third, with the optimizer's memory carried along and a fill for what was
hidden. What is here has neither, and so is the baseline that it is measured against.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from models.consistency import temporal_error
from models.descent import Budget, descend
from models.flow import FlowEstimator
from models.sight import CutDetector
from models.stylizer import Objective, Stylized
from models.warp import visible_mask, warp

Initialization = Literal["independent", "previous", "flow"]
"""The paper's methods 1, 2 and 3: from the frame itself, from the last painting, from the last painting moved."""


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    content: Tensor
    image: Tensor


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
    """

    def __init__(self, objective: Objective, *, init: Initialization, flow: FlowEstimator, cuts: CutDetector) -> None:
        if init not in get_args(Initialization):
            raise ValueError(f"init must be one of {', '.join(get_args(Initialization))}, got {init!r}")
        self._objective = objective
        self._init = init
        self._flow = flow
        self._cuts = cuts
        self._last: _Last | None = None

    def reset(self) -> None:
        """Forget everything: the next frame begins a scene."""
        self._last = None
        self._cuts.reset()

    def restyle(self, objective: Objective, fill: Callable[[Tensor], Tensor]) -> None:  # noqa: ARG002 - as `Stylizer`
        """Paint towards something else from the next frame on."""
        self._objective = objective

    def step(self, content: Tensor, budget: Budget) -> Stylized:
        """Paint the next frame.

        Args:
            content: 1 x 3 x H x W, RGB in [0, 1], on the objective's device.
            budget: iterations and deadline.
        """
        last = self._last_of_scene(content)
        moved = None if last is None else self._moved(last, content)
        warped, visible = (moved.image, moved.visible) if moved else (None, None)
        energy = self._objective.at(content, warped=warped, visible=visible)
        result = descend(energy, self._start(content, last, warped), budget=budget, refuge=content)
        self._last = None if result.terms is None else _Last(content, result.image)
        return Stylized(
            image=result.image,
            iterations=result.iterations,
            restarted=last is None,
            terms=result.terms,
            failures=result.failures,
            temporal_error=temporal_error(result.image, moved.image, moved.visible) if moved else None,
            flow=moved.flow if moved else None,
        )

    def _last_of_scene(self, content: Tensor) -> _Last | None:
        is_cut, last = self._cuts(content), self._last
        return None if last is None or is_cut or last.content.shape != content.shape else last

    def _start(self, content: Tensor, last: _Last | None, warped: Tensor | None) -> Tensor:
        if last is None or warped is None or self._init == "independent":
            return content
        return last.image if self._init == "previous" else warped

    def _moved(self, last: _Last, content: Tensor) -> _Moved:
        flow = self._flow(content, last.content)
        visible = visible_mask(flow, self._flow(last.content, content))
        return _Moved(warp(last.image, flow, sharp=True).clamp(0, 1), visible, flow)
