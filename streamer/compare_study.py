"""One clip in one painting: every method painted, and judged on the same frames by the same energies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from torch import Tensor

from streamer.compare_films import Film, engine_for, paint
from streamer.compare_findings import Motion, Pair, Point, Row
from streamer.compare_light import LightStudy, light_cost, study_light
from streamer.compare_methods import WAYS, Effort, Method, curve, methods
from streamer.compare_scene import Scene
from streamer.engine import Engine, Way
from streamer.quality import Mark, paint_alone

Tick = Callable[[int, str], None]
"""Called with iterations that were done, and with what is being done."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """What was found out about one pair, and the pictures that show it."""

    found: Pair
    scene: Scene
    """The judged frames."""
    films: Sequence[Film]
    """Each method's paintings of them."""
    light: LightStudy | None


def cost(effort: Effort, *, whole: bool) -> int:
    """Return how many iterations `study` takes; a look at an energy counts as one.

    Args:
        effort: how much is painted.
        whole: with the curves and the histograms, which a table does not need.
    """
    films = sum(method.iterations * _length(method, effort) for method in _wanted(effort, whole=whole))
    marks = len(_marked(effort.judged))
    total = films + marks * effort.reference + len(methods(effort)) * (effort.judged + marks)
    if whole:
        total += len(WAYS) * len(curve("flow", effort)) * marks + light_cost(effort)
    return total


def study(engine: Engine, scene: Scene, effort: Effort, *, whole: bool, tick: Tick) -> Study:
    """Return what is found out about a scene in the painting of an engine."""
    judged = scene.tail(effort.judged)
    tick(0, "reference")
    marks = [_mark(engine, judged.frames[place], effort.reference, tick) for place in _marked(effort.judged)]
    films = {_key(method): _film(engine, method, scene, effort, tick) for method in _wanted(effort, whole=whole)}
    shown = [films[_key(method)] for method in methods(effort)]
    light = study_light(engine, scene, effort, tick=tick) if whole else None
    found = Pair(
        clip=scene.name,
        style=Path(engine.paint.style).name,
        size=scene.size,
        judged=[judged.number(place) for place in range(effort.judged)],
        floor=judged.temporal_rmse(judged.frames),
        energy_start=mean(mark.start for mark in marks),
        energy_reference=mean(mark.reference for mark in marks),
        rows=[_row(engine, film, marks, tick) for film in shown],
        motion=_motion(judged),
        curves=_curves(engine, films, effort, marks, tick) if whole else {},
        light=light.found if light else None,
    )
    return Study(found, judged, shown, light)


def _key(method: Method) -> tuple[str, int]:
    return method.name, method.iterations


def _wanted(effort: Effort, *, whole: bool) -> Sequence[Method]:
    """Return all that is painted, each once: a curve may go through rows of the table."""
    curves = [method for way in WAYS for method in curve(way, effort)] if whole else []
    return list({_key(method): method for method in (*methods(effort), *curves)}.values())


def _length(method: Method, effort: Effort) -> int:
    """Return how many frames are painted: without a memory, those before the judged ones would change nothing."""
    return effort.judged if method.way == "independent" else effort.frames


def _marked(judged: int) -> Sequence[int]:
    """Return the places of the judged frames whose paintings are held against a reference: the first and the last."""
    return sorted({0, judged - 1})


def _mark(engine: Engine, frame: Tensor, iterations: int, tick: Tick) -> Mark:
    mark = Mark.between(engine.objective, frame, paint_alone(engine.objective, frame, iterations))
    tick(iterations, "reference")
    return mark


def _film(engine: Engine, method: Method, scene: Scene, effort: Effort, tick: Tick) -> Film:
    what = f"{method.label}, {method.iterations} iterations"
    tick(0, what)
    own, part = engine_for(method, engine), scene.tail(_length(method, effort))
    return paint(own, method, part, tick=lambda done: tick(done, what)).tail(effort.judged)


def _row(engine: Engine, film: Film, marks: Sequence[Mark], tick: Tick) -> Row:
    method = film.method
    tick(len(film.images) + len(marks), "energies")
    return Row(
        method=method.name,
        label=method.label,
        told=method.told,
        iterations=method.iterations,
        passes=method.passes,
        energy=film.energy(engine),
        gap=film.gap(engine, marks),
        temporal_rmse=film.temporal_rmse,
        seconds_per_frame=film.seconds_per_frame,
        shares=film.shares,
    )


def _curves(
    engine: Engine, films: Mapping[tuple[str, int], Film], effort: Effort, marks: Sequence[Mark], tick: Tick
) -> dict[Way, list[Point]]:
    def point(method: Method) -> Point:
        film = films[_key(method)]
        tick(len(marks), "curves")
        return Point(method.iterations, film.gap(engine, marks), film.temporal_rmse)

    return {way: [point(method) for method in curve(way, effort)] for way in WAYS}


def _motion(scene: Scene) -> list[Motion]:
    return [
        Motion(
            frame=scene.number(place),
            rmse_still=_rmse(scene.frames[place - 1], scene.frames[place]),
            rmse_moved=_rmse(passage.moved(scene.frames[place - 1]), scene.frames[place]),
            hidden_share=passage.hidden_share,
        )
        for place, passage in enumerate(scene.passages, start=1)
    ]


def _rmse(one: Tensor, other: Tensor) -> float:
    return float((one - other).square().mean().sqrt())
