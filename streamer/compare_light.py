"""Histogram matching (the paper's 7.1): what becomes of a flash of light, painted without and with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from torch import Tensor

from models.descent import Budget
from models.histogram import Histogram
from streamer.compare_findings import Light
from streamer.compare_methods import Effort
from streamer.compare_scene import FLASH_GAIN, Scene, brightness
from streamer.engine import Engine
from streamer.finish import finish
from streamer.matching import FilmMatcher
from streamer.quality import OneScene

Tick = Callable[[int, str], None]
CONSTANT = 1e-6
"""What varies by less has no correlation with anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A frame and its two paintings."""

    frame: int
    """As counted in the clip."""
    told: str
    source: Tensor
    painted: Tensor
    matched: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class LightStudy:
    """What the histogram matching does to the light of a clip."""

    found: Light
    moments: Sequence[Moment]
    """The darkest frame and the brightest."""


def light_cost(effort: Effort) -> int:
    """Return how many iterations `study_light` takes."""
    return 2 * effort.frames * max(effort.live)


def study_light(engine: Engine, scene: Scene, effort: Effort, *, tick: Tick) -> LightStudy:
    """Return what becomes of a flash in a scene, painted our way; one is added if the scene has none."""
    lit, places = scene.flashed()
    film = reduce(add, map(Histogram.of, lit.frames))
    k = max(effort.live)
    painted = _paint(engine, lit, k, None, lambda: tick(k, "a flash"))
    matched = _paint(engine, lit, k, FilmMatcher(film, engine.mixture), lambda: tick(k, "a flash, histogram matched"))
    light = [brightness(images) for images in (lit.frames, painted, matched)]
    found = Light(
        frames=[scene.number(place) for place in range(len(lit.frames))],
        lit=[scene.number(place) for place in places],
        clip=light[0],
        painted=light[1],
        matched=light[2],
        correlation_painted=correlation(light[0], light[1]),
        correlation_matched=correlation(light[0], light[2]),
        swing_painted=swing(light[0], light[1]),
        swing_matched=swing(light[0], light[2]),
    )
    chosen = {"the darkest": int(np.argmin(light[0])), "the brightest": int(np.argmax(light[0]))}
    moments = [
        Moment(scene.number(place), _told(name, place in places), lit.frames[place], painted[place], matched[place])
        for name, place in chosen.items()
    ]
    return LightStudy(found, moments)


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Pearson's correlation; None where one of them does not vary."""
    if min(np.std(one), np.std(other)) < CONSTANT:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def swing(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return how much the other varies for each bit that the first does; None where the first does not vary."""
    return None if np.std(one) < CONSTANT else float(np.std(other) / np.std(one))


def _paint(
    engine: Engine, scene: Scene, iterations: int, matcher: FilmMatcher | None, done: Callable[[], None]
) -> list[Tensor]:
    """Return a scene painted our way from a cold start, as people would see it."""
    stylizer = engine.stylizer("carried", cuts=OneScene())
    images = []
    for frame in scene.frames:
        match = matcher and matcher.match(frame)
        if match:
            own = engine.restyled(match.look, engine.paint)
            stylizer.restyle(own.objective, own.fill, wake=False)
        image = stylizer.step(frame, Budget(iterations)).image
        images.append(finish(image, frame, color="matched", level=match.level) if match else image)
        done()
    return images


def _told(name: str, is_lit: bool) -> str:  # noqa: FBT001 - one fact
    return f"{name}: {FLASH_GAIN:g} times the light" if is_lit else name
