"""What moves in the built-in scene, and how: two shots, each a stack of flat layers from back to front."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols import scene_day as day
from protocols import scene_figures as figures
from protocols import scene_night as night
from protocols.scene_brushes import Picture

VIEW = (256, 144)
"""What the camera sees, in units. Frames of another shape show its middle."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layer:
    """A flat picture and, at each time of its shot, the affine map from the picture to the view, both in units."""

    paint: Callable[[], Picture]
    motion: Callable[[float], Matrix]
    """3 x 3, from the number of frames since the shot began; never singular."""


def place(
    x: float, y: float, *, pivot: tuple[float, float] = (0, 0), turn: float = 0, zoom: tuple[float, float] = (1, 1)
) -> Matrix:
    """Return the map that puts a picture's ``pivot`` at x, y, turned clockwise by degrees and stretched."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag(zoom)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.array([x, y]) - linear @ np.asarray(pivot)
    return matrix


def wave(t: float, period: float, phase: float = 0) -> float:
    return float(np.sin(2 * np.pi * (t / period + phase)))


def pan(t: float) -> float:
    """Return how far the camera has gone to the right by day; it hurries and slows."""
    return 1.6 * t + 7 * wave(t, 72)


def tilt(t: float) -> float:
    return 1.8 * wave(t, 55)


def closer(t: float, there: Matrix) -> Matrix:
    """Return a place by night as the camera sees it, which draws slowly nearer."""
    zoom = 1 + 0.0022 * t
    return place(128, 84, pivot=(128, 84), zoom=(zoom, zoom)) @ there


def bouncing_ball(t: float) -> Matrix:
    hop = abs(np.sin(np.pi * t / 18))
    return place(242 - 1.8 * t, 116 - 36 * hop + 1.4 * tilt(t), pivot=(10, 10), turn=6 * t, zoom=(0.85, 0.85))


def bird_body(t: float) -> Matrix:
    return place(330 - 5.4 * t, 34 + 7 * wave(t, 40), pivot=(12, 5), turn=3 * wave(t, 40, 0.25), zoom=(0.9, 0.9))


def flap(t: float) -> Matrix:
    """Return where the wing sits on the body: it folds, but never to a line."""
    return place(11, 5, pivot=(7, 17), zoom=(1, 0.62 + 0.36 * wave(t, 12)))


def far_wing(t: float) -> Matrix:
    return bird_body(t) @ place(2.5, -0.5) @ flap(t)


def sailing(t: float) -> Matrix:
    return place(214 - 1.9 * t, 119 + 1.5 * wave(t, 24), pivot=(36, 68), turn=5 * wave(t, 32), zoom=(0.95, 0.95))


def leap(t: float) -> Matrix:
    """Return the dolphin's arc: out of the water at frame 8, in again at 40, nose along the path."""
    share = (t - 24) / 16
    slope = np.degrees(np.arctan2(2 * 48 * share / 16, 2.6))
    return place(92 + 2.6 * (t - 24), 88 + 48 * share**2, pivot=(21, 12), turn=float(slope))


DAY = (
    Layer(day.day_sky, lambda t: place(-1 - 0.35 * pan(t), -2 + 0.3 * tilt(t))),
    Layer(day.mountains, lambda t: place(-2 - 0.6 * pan(t), 32 + 0.5 * tilt(t))),
    Layer(figures.balloon, lambda t: place(78 + 0.95 * t, 84 - 0.72 * t, pivot=(18, 20), turn=4 * wave(t, 48))),
    Layer(day.hills, lambda t: place(-3 - pan(t), 49 + tilt(t))),
    Layer(day.meadow, lambda t: place(-4 - 2.1 * pan(t), 103 + 1.4 * tilt(t))),
    Layer(figures.toy_ball, bouncing_ball),
    Layer(figures.oak, lambda t: place(206 - 2.6 * pan(t), 1.6 * tilt(t), zoom=(1, 1.02))),
    Layer(figures.wing, far_wing),
    Layer(figures.bird, bird_body),
    Layer(figures.wing, lambda t: bird_body(t) @ flap(t)),
)
NIGHT = (
    Layer(night.night_sky, lambda t: closer(t, place(-46 + 0.6 * t, -4))),
    Layer(night.sea, lambda t: closer(t, place(-46 + 0.6 * t, 88))),
    Layer(night.island, lambda t: closer(t, place(-26 + 0.9 * t, 18))),
    Layer(night.far_wave, lambda t: closer(t, place(-98 + 1.9 * t, 106 + 1.4 * wave(t, 30)))),
    Layer(night.boat, lambda t: closer(t, sailing(t))),
    Layer(night.dolphin, lambda t: closer(t, leap(t))),
    Layer(night.near_wave, lambda t: closer(t, place(-3 - 2.05 * t, 120 + 2 * wave(t, 22)))),
)
