"""Whether back-tracking lowers the temporal error, and what it costs, at equal iterations in all.

``python -m tests.streamer.hindsight_figures [CLIP] [SIZE]`` prints a table for VGG-19: live, frames that wait for 0 to
4 others; on a film, one to three passes. A row that is worse than another in both columns is not worth its while.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from models.backtracking import Neighbor, beside, order, repaint
from models.descent import Budget
from models.hindsight import Draft
from models.stylizer import Stylized
from streamer.engine import Engine, Way, make_engine
from streamer.paint import Paint
from streamer.pixels import to_tensor
from streamer.quality import Clip, Film, Mark, Row, paint_alone, read_clip
from tests import clips
from tests.models.test_stylizer import NeverCut

JUDGED = slice(-10, -4)
"""Where a scene has had time to come into style, and no frame's future is cut off by the end."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to spend the iterations of a frame."""

    name: str
    iterations: int
    """Of a frame, in all."""
    way: Way = "carried"
    lag: int = 0
    passes: int = 1
    steadiness: float = 0.0

    def paint(self, engine: Engine, frames: Sequence[Tensor]) -> list[Tensor]:
        """Return the painted frames of one scene."""
        paint = engine.paint.model_copy(update={"lag": self.lag, "steadiness": self.steadiness})
        ours = replace(engine, paint=paint).restyled(engine.look, paint)
        return passes(ours, self, frames) if self.passes > 1 else live(ours, self, frames)


LIVE = [
    *(Trial(f"lag {lag}", iterations, lag=lag) for iterations in (4, 8) for lag in (0, 1, 2, 4)),
    *(Trial(f"lag {lag}, steadiness 0.5", 8, lag=lag, steadiness=0.5) for lag in (0, 2)),
]
FILMS = [
    *(
        Trial(f"{way}, {passes} passes", 24, way=way, passes=passes)
        for way in ("flow", "carried")
        for passes in (1, 2, 3)
    ),
    *(
        Trial(f"flow, {passes} passes, steadiness 0.5", 24, way="flow", passes=passes, steadiness=0.5)
        for passes in (1, 2)
    ),
]


def live(engine: Engine, trial: Trial, frames: Sequence[Tensor]) -> list[Tensor]:
    """Return frames painted as the daemon does, without its clock."""
    stylizer = engine.stylizer(trial.way, cuts=NeverCut())
    hindsight = engine.hindsight(stylizer)
    images: list[Tensor] = []
    waiting: list[Draft] = []
    left: Draft | None = None
    for frame in frames:
        first, again = hindsight.share(Budget(trial.iterations)) if hindsight else (Budget(trial.iterations), Budget(0))
        sight = stylizer.observe(frame)
        stylized: Stylized = stylizer.paint(sight, first)
        if hindsight is None:
            images.append(stylized.image)
            continue
        waiting = hindsight.sweep([*waiting, hindsight.draft(sight, stylized)], left=left, budget=again)
        if len(waiting) > trial.lag:
            left, *waiting = waiting
            images.append(left.stylized.image)
    return [*images, *(draft.stylized.image for draft in waiting)]


def passes(engine: Engine, trial: Trial, frames: Sequence[Tensor]) -> list[Tensor]:
    """Return frames painted in several passes over the film, the iterations shared among them."""
    each, rest = divmod(trial.iterations, trial.passes)
    images = live(engine, replace(trial, iterations=each + rest), frames)
    for number in range(2, trial.passes + 1):
        for place in order(len(frames), number):
            neighbors = [Neighbor(frames[other], images[other]) for other in beside(place, len(frames))]
            again = repaint(
                engine.objective,
                content=frames[place],
                image=images[place],
                neighbors=neighbors,
                flow=engine.flow,
                budget=Budget(each),
            )
            images[place] = again.image
    return images


def rows(
    engine: Engine, trials: Sequence[Trial], frames: Sequence[Tensor], *, reference: int
) -> Iterator[tuple[Trial, Row]]:
    """Yield the figures of each trial, over the judged frames.

    Args:
        engine: of the energy that all are judged by, without a flow loss.
        trials: what to compare.
        frames: neighbors of one scene.
        reference: iterations for what counts as done.
    """
    judged, alone = frames[JUDGED], engine.objective
    marks = [Mark.between(alone, frame, paint_alone(alone, frame, reference)) for frame in judged[::2]]
    for trial in trials:
        began = time.perf_counter()
        images = trial.paint(engine, frames)
        seconds = (time.perf_counter() - began) / len(frames)
        yield trial, Film(trial.way, trial.iterations, judged, images[JUDGED], seconds).row(engine.objective, marks)


def scene(name: str, size: int, *, start: int = 80, count: int = 18) -> list[Tensor]:
    """Return every second frame of a clip's piece."""
    clip = Clip(str(clips.path(name)), start=start, every=2, frames=count, size=size)
    return [to_tensor(frame.image, size=size, device="cpu") for frame in read_clip(clip)]


def main(name: str = "bikes", size: str = "96") -> None:
    """Print the table."""
    show = partial(print, flush=True)
    paint = Paint(size=int(size), device="cpu")
    engine = make_engine(paint, device=torch.device("cpu"), size=int(size))
    show(f"{name} at {size} px, {paint.style}")
    for trial, row in rows(engine, [*LIVE, *FILMS], scene(name, int(size)), reference=100):
        show(
            f"{trial.name:30} {trial.iterations:3} iterations: gap {row.gap:7.1%}, temporal RMSE "
            f"{row.temporal_rmse:.4f}, {row.seconds_per_frame:.2f} s a frame"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
