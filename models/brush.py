"""Oil paint: lays curved, bristled strokes over a sketch, coarse brushes first, and lights their relief.

A sketch says what to paint (a color for each pixel) and which way the brush runs there. Each stroke follows that field
and keeps the color of the place where it was set down, until the sketch below differs too much (Hertzmann 1998). A
stroke is a bundle of bristles; each bristle is a line with its own color, its own height of paint, and ragged ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

OVERSAMPLING = 2
REFERENCE_WIDTH = 384  # brush sizes are given in pixels of a picture this wide
_SUBPIXEL_BITS = 4
_STEP_PX = 3.0  # how far a stroke runs before it looks at the field again, on the oversampled canvas
_LIGHT = np.array([-0.6, -0.8], dtype=np.float32)  # towards the lamp, upper left; (x, y)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a painter has in mind before the first stroke."""

    color: Floats
    """H x W x 3 RGB in [0, 1]."""
    angle: Floats
    """H x W, radians: which way strokes run; 0 is along +x, growing towards +y."""


@dataclass(frozen=True, slots=True)
class Brush:
    """One size of brush and how it is used. Lengths are pixels of a picture `REFERENCE_WIDTH` wide."""

    width: float
    length: float
    coverage: float
    """How often these strokes would cover the picture, were they laid side by side."""
    variation: float
    """How much the colors of neighboring strokes differ."""
    detail: float = 0.0
    """0: strokes go anywhere; 1: only where the sketch has edges."""
    load: float = 1.0
    """Height of the paint."""


BRUSHES = (
    Brush(width=9.0, length=32, coverage=2.2, variation=0.09, load=0.7),
    Brush(width=5.5, length=24, coverage=1.5, variation=0.11, load=0.9),
    Brush(width=3.2, length=18, coverage=1.3, variation=0.13, detail=0.4),
    Brush(width=2.0, length=10, coverage=1.2, variation=0.13, detail=0.85),
)


def paint(sketch: Sketch, rng: np.random.Generator, *, brushes: Sequence[Brush] = BRUSHES) -> NDArray[np.uint8]:
    """Return the sketch as an oil painting, H x W x 3 RGB, the same for the same generator state."""
    height, width = sketch.angle.shape
    fine = _enlarge(sketch)
    ground = cv2.GaussianBlur(fine.color, (0, 0), 12.0) * 0.8
    canvas = np.dstack([_to_bytes(ground), np.zeros(fine.angle.shape, np.uint8)])  # R, G, B, height of the paint
    for brush in brushes:
        _lay(canvas, fine, brush, OVERSAMPLING * width / REFERENCE_WIDTH, rng)
    lit = _light(canvas[..., :3].astype(np.float32) / 255.0, canvas[..., 3].astype(np.float32) / 255.0)
    return _to_bytes(cv2.resize(lit, (width, height), interpolation=cv2.INTER_AREA))


def _enlarge(sketch: Sketch) -> Sketch:
    height, width = sketch.angle.shape
    size = (width * OVERSAMPLING, height * OVERSAMPLING)
    cosine = cv2.resize(np.cos(sketch.angle), size, interpolation=cv2.INTER_LINEAR)
    sine = cv2.resize(np.sin(sketch.angle), size, interpolation=cv2.INTER_LINEAR)
    color = cv2.resize(sketch.color, size, interpolation=cv2.INTER_LINEAR)
    return Sketch(color=color.astype(np.float32), angle=np.arctan2(sine, cosine).astype(np.float32))


def _lay(canvas: NDArray[np.uint8], sketch: Sketch, brush: Brush, scale: float, rng: np.random.Generator) -> None:
    """Paint all strokes of one brush onto the canvas (H x W x 4, changed in place)."""
    width, length = brush.width * scale, brush.length * scale
    starts = _starts(sketch, brush, round(brush.coverage * sketch.angle.size / (width * length)), rng)
    if not len(starts):
        return
    paths, steps = _trace(sketch, starts, length * rng.uniform(0.55, 1.3, len(starts)), rng)
    colors = _mix(sketch, starts, brush.variation, rng)
    bristles = max(3, round(width / 1.7))
    lines, heights, shades = _bundle(paths, width, bristles, rng)
    first = rng.integers(0, 2, (len(starts), bristles))
    last = np.maximum(steps[:, None] - rng.integers(0, 3, (len(starts), bristles)), first + 2)
    paints = np.clip(colors[:, None, :] * shades[..., None], 0.0, 1.0)
    rgbh = np.concatenate([paints, np.clip(heights * brush.load, 0.0, 1.0)[..., None]], axis=2) * 255.0
    points = np.rint(lines * 2**_SUBPIXEL_BITS).astype(np.int32)
    for stroke in range(len(starts)):
        inks = rgbh[stroke].tolist()
        for bristle in range(bristles):
            line = points[stroke, bristle, first[stroke, bristle] : last[stroke, bristle]]
            cv2.polylines(canvas, [line], False, inks[bristle], 2, cv2.LINE_AA, _SUBPIXEL_BITS)  # noqa: FBT003 - OpenCV


def _starts(sketch: Sketch, brush: Brush, count: int, rng: np.random.Generator) -> Floats:
    """Return N x 2 (x, y) places to set the brush down, in random order, denser where the sketch has detail."""
    height, width = sketch.angle.shape
    places = rng.uniform((0, 0), (width, height), (count, 2)).astype(np.float32)
    gray = cv2.GaussianBlur(sketch.color.max(axis=2), (0, 0), 1.5)
    edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(gray, (0, 0), 2.0), cv2.CV_32F))
    edges = cv2.GaussianBlur(edges, (0, 0), 3.0)
    edges = np.clip(edges / (np.quantile(edges, 0.9) + 1e-6), 0.0, 1.0)
    wanted = (1.0 - brush.detail) + brush.detail * _at(edges, places)
    return places[rng.random(count) < wanted]


def _trace(
    sketch: Sketch, starts: Floats, lengths: Floats, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.intp]]:
    """Return N x S x 2 points along the field and how many of them belong to each stroke (at least 3)."""
    total = int(np.ceil(lengths.max() / _STEP_PX)) + 1
    turn = np.where(rng.random(len(starts)) < 0.5, 0.0, np.pi) + rng.normal(0.0, 0.12, len(starts))
    home = _at(sketch.color, starts)
    points = [starts]
    alive = np.ones(len(starts), bool)
    steps = np.ones(len(starts), np.intp)
    for step in range(1, total):
        angle = _at(sketch.angle, points[-1]) + turn
        points.append(points[-1] + _STEP_PX * np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32))
        alive &= step * _STEP_PX < lengths
        alive &= np.abs(_at(sketch.color, points[-1]) - home).max(axis=1) < 0.18
        steps += alive | (step < 3)
    return np.stack(points, axis=1), steps


def _bundle(paths: Floats, width: float, bristles: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return the bristles of each stroke: lines N x B x S x 2, heights N x B and brightness factors N x B."""
    count = len(paths)
    along = np.gradient(paths, axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-6
    across = np.stack([-along[..., 1], along[..., 0]], axis=2)
    side = np.linspace(-1.0, 1.0, bristles, dtype=np.float32) + rng.normal(0.0, 0.15, (count, bristles))
    spread = width / 2.0 * rng.uniform(0.75, 1.15, (count, 1)) * side
    lines = paths[:, None] + spread[:, :, None, None] * across[:, None]
    height = 0.35 + 0.3 * rng.random((count, 1)) + 0.3 * rng.random((count, bristles)) + 0.12 * np.abs(side) ** 3
    shade = 1.0 + rng.normal(0.0, 0.07, (count, bristles)) + rng.normal(0.0, 0.05, (count, 1)) * side
    return lines.astype(np.float32), height.astype(np.float32), shade.astype(np.float32)


def _mix(sketch: Sketch, starts: Floats, variation: float, rng: np.random.Generator) -> Floats:
    """Return N x 3 stroke colors: the sketch's, lighter or darker, warmer or cooler, now and then from elsewhere."""
    count = len(starts)
    colors = _at(sketch.color, starts)
    lightness = rng.normal(0.0, variation, (count, 1))
    warmth = rng.normal(0.0, variation * 0.55, (count, 1)) * np.array([1.0, 0.25, -1.0])
    colors = colors * np.exp(1.6 * lightness) + 0.25 * lightness + warmth * (0.25 + colors)
    broken = (rng.random((count, 1)) < 0.05) * rng.uniform(0.25, 0.6, (count, 1))
    elsewhere = _at(sketch.color, starts[rng.permutation(count)])
    return np.asarray(np.clip(colors + broken * (elsewhere - colors), 0.02, 1.0), dtype=np.float32)


def _light(color: Floats, height: Floats) -> Floats:
    """Return the color under a lamp at the upper left: bright flanks, dark furrows, a gloss on steep ridges."""
    relief = cv2.GaussianBlur(height, (0, 0), 0.8)
    slope = cv2.Scharr(relief, cv2.CV_32F, 1, 0) * -_LIGHT[0] + cv2.Scharr(relief, cv2.CV_32F, 0, 1) * -_LIGHT[1]
    facing = slope / 16.0
    lit = color * np.clip(1.0 + 2.2 * facing, 0.45, 1.5)[..., None]
    gloss = np.clip(facing - 0.15, 0.0, 0.22)[..., None]
    return np.asarray(lit + gloss * (1.0 - lit), dtype=np.float32)


def _at(field: Floats, places: Floats) -> Floats:
    """Return the field's values at N x 2 (x, y) places; outside, those of the border."""
    height, width = field.shape[:2]
    x = np.clip(places[:, 0].astype(np.intp), 0, width - 1)
    y = np.clip(places[:, 1].astype(np.intp), 0, height - 1)
    return np.asarray(field[y, x], dtype=np.float32)


def _to_bytes(image: cv2.typing.MatLike) -> NDArray[np.uint8]:
    return np.asarray(np.rint(np.clip(image, 0.0, 1.0) * 255.0), dtype=np.uint8)
