"""A scene painted in one way: what came out, how near to the style, how steady, and how long it took."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import mean

from torch import Tensor

from models.backtracking import Neighbor, beside, order, repaint
from models.descent import Budget, Loop
from models.objective import Terms
from models.stylizer import Stylized
from streamer.compare_methods import Method
from streamer.compare_scene import Scene
from streamer.energy import readable_objective
from streamer.engine import Engine
from streamer.quality import Mark, OneScene

Tick = Callable[[int], None]
"""Called after each painted frame with its iterations."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """The frames of a scene, painted in one way."""

    method: Method
    scene: Scene
    painted: Sequence[Stylized]
    seconds_per_frame: float

    @property
    def images(self) -> Sequence[Tensor]:
        """The pictures."""
        return [each.image for each in self.painted]

    def tail(self, count: int) -> "Film":
        """Return the last ``count`` frames."""
        return replace(self, scene=self.scene.tail(count), painted=self.painted[-count:])

    def energy(self, engine: Engine) -> float:
        """Return the mean energy of its pictures, without a flow loss: the same measure for every method."""
        pairs = zip(self.scene.frames, self.images, strict=True)
        return mean(float(engine.objective.at(frame).value_and_grad(image)[0].total) for frame, image in pairs)

    def gap(self, engine: Engine, marks: Sequence[Mark]) -> float:
        """Return the mean gap of the marked frames; see `Mark.gap`."""
        image_of = {id(frame): image for frame, image in zip(self.scene.frames, self.images, strict=True)}
        return mean(mark.gap(engine.objective, image_of[id(mark.frame)]) for mark in marks)

    @property
    def temporal_rmse(self) -> float | None:
        """The mean temporal error between neighbors."""
        return self.scene.temporal_rmse(self.images)

    @property
    def shares(self) -> Mapping[str, float]:
        """What each term contributes to the energy that was descended."""
        known = [each.terms for each in self.painted if each.terms is not None]
        sums = {field.name: sum(float(getattr(terms, field.name)) for terms in known) for field in fields(Terms)}
        return {name: value / sum(sums.values()) for name, value in sums.items()} if known else {}


def paint(engine: Engine, method: Method, scene: Scene, *, tick: Tick = lambda _: None) -> Film:
    """Return a scene painted from a cold start.

    Args:
        engine: of this method, see `engine_for`.
        method: its iterations are shared among its passes.
        scene: what to paint.
        tick: called after each painted frame.
    """
    began = time.perf_counter()
    each, rest = divmod(method.iterations, method.passes)
    budget = Budget(each)
    painted = _forwards(engine, scene, Budget(each + rest), tick)
    loop = engine.loop()
    for number in range(2, method.passes + 1):
        for place in order(len(painted), number):
            painted[place] = _once_more(engine, scene, painted, place, budget=budget, loop=loop)
            tick(each)
    return Film(method, scene, painted, (time.perf_counter() - began) / len(painted))


def engine_for(method: Method, engine: Engine) -> Engine:
    """Return the engine of a method, made from that of the settings; the network is shared."""
    paint, network = method.over(engine.paint), engine.objective.objective.network
    objective = engine.objective.restyled(readable_objective(network, engine.look, paint))
    return replace(engine, objective=objective, paint=paint)


def _forwards(engine: Engine, scene: Scene, budget: Budget, tick: Tick) -> list[Stylized]:
    stylizer = engine.stylizer(cuts=OneScene())
    painted = []
    for frame in scene.frames:
        painted.append(stylizer.step(frame, budget))
        tick(budget.iterations)
    return painted


def _once_more(
    engine: Engine, scene: Scene, painted: Sequence[Stylized], place: int, *, budget: Budget, loop: Loop
) -> Stylized:
    """Return a frame painted on with its neighbors' newest paintings (the paper's back-tracking)."""
    return repaint(
        engine.objective,
        content=scene.frames[place],
        image=painted[place].image,
        neighbors=[Neighbor(scene.frames[other], painted[other].image) for other in beside(place, len(painted))],
        flow=engine.flow,
        budget=budget,
        loop=loop,
    )
