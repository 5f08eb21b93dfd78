"""Where painted frames wait for their future before they are seen: ``paint.lag``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog
import torch

from models.descent import Budget
from models.hindsight import Draft, Hindsight
from models.stylizer import Stylized
from streamer.canvas import Canvas, Wet
from streamer.telemetry import Telemetry

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Leaving:
    """What a step brought forth."""

    frames: Sequence[Wet]
    """By age, the oldest first."""
    iterations: int
    """Spent in this step, on whichever frames."""


class Window(Protocol):
    """Painted frames that may still be changed."""

    def __len__(self) -> int:
        """Return how many wait."""
        ...

    def share(self, budget: Budget) -> tuple[Budget, Budget]:
        """Return what of a step's budget the new frame may have, and what is for those that wait."""
        ...

    def add(self, wet: Wet, budget: Budget) -> Leaving:
        """Let a frame that was just painted wait; return those whose time has come."""
        ...

    def release(self) -> Sequence[Wet]:
        """Return all that wait, as they are: nothing more is to be known of what follows them."""
        ...

    def refine(self, stylized: Stylized) -> None:
        """The frame that was the last to leave was painted on, while none came."""
        ...


class Prompt:
    """No frame waits."""

    def __len__(self) -> int:
        """Return 0."""
        return 0

    def share(self, budget: Budget) -> tuple[Budget, Budget]:
        """Give all to the new frame."""
        return budget, Budget(0)

    def add(self, wet: Wet, budget: Budget) -> Leaving:  # noqa: ARG002 - nothing is spent
        """Return the frame."""
        return Leaving([wet], wet.stylized.iterations)

    def release(self) -> Sequence[Wet]:
        """Return nothing."""
        return []

    def refine(self, stylized: Stylized) -> None:
        """Remember nothing."""


class Lagging:
    """Each frame waits until so many after it are painted; with each of them it may be painted on.

    Frames leave one with each that comes, in order, over cuts as well. So no picture comes early, none is late, and a
    live sink is never handed several at once. What of a scene still waits after a cut is as good as it will be: it was
    painted on with all that followed it.

    Args:
        hindsight: paints frames on.
        canvas: told when there is no memory for it.
        telemetry: counts what goes wrong.
    """

    def __init__(self, hindsight: Hindsight, *, canvas: Canvas, telemetry: Telemetry) -> None:
        self._hindsight = hindsight
        self._canvas = canvas
        self._telemetry = telemetry
        self._waiting: list[tuple[Wet, Draft]] = []
        self._left: Draft | None = None

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def share(self, budget: Budget) -> tuple[Budget, Budget]:
        """Return what of a step's budget the new frame may have, and what is for those that wait."""
        return self._hindsight.share(budget)

    def add(self, wet: Wet, budget: Budget) -> Leaving:
        """Paint on what waits, now that this frame is known; return the one that has waited long enough, if any."""
        self._waiting.append((wet, self._hindsight.draft(wet.sight, wet.stylized)))
        iterations = wet.stylized.iterations + self._paint_on(budget)
        frames = [self._leave()] if len(self._waiting) > self._hindsight.lag else []
        return Leaving(frames, iterations)

    def release(self) -> Sequence[Wet]:
        """Return all that wait, as they are."""
        return [self._leave() for _ in range(len(self))]

    def refine(self, stylized: Stylized) -> None:
        """Hold the next frames to what people see of the one that was the last to leave."""
        if self._left is not None:
            self._left = replace(self._left, stylized=stylized)

    def _paint_on(self, budget: Budget) -> int:
        """Paint on what waits; return the iterations that it took."""
        before = [draft for _, draft in self._waiting]
        try:
            after = self._hindsight.sweep(before, left=self._left, budget=budget)
        except torch.OutOfMemoryError as error:
            reason = str(error).partition("\n")[0]
        else:
            self._waiting = [(wet, draft) for (wet, _), draft in zip(self._waiting, after, strict=True)]
            self._telemetry.discard(_sum(after, "failures") - _sum(before, "failures"))
            return _sum(after, "iterations") - _sum(before, "iterations")
        # Here the exception is gone, and with it the tensors that its traceback held. What waits leaves as it is.
        if not self._canvas.shrink(before[-1].sight, reason):
            raise torch.OutOfMemoryError(reason)
        return 0

    def _leave(self) -> Wet:
        wet, draft = self._waiting.pop(0)
        stylized = self._hindsight.settled(draft, left=self._left)
        self._left = replace(draft, stylized=stylized)
        return replace(wet, stylized=stylized)


def _sum(drafts: Sequence[Draft], count: str) -> int:
    return sum(getattr(draft.stylized, count) for draft in drafts)
