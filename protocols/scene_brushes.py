"""Brushes for the pictures of the built-in scene.

Lengths are in units: one pixel of a 256 x 144 view. A picture is RGBA with premultiplied
alpha, ``TEXELS`` texels to the unit. Light comes from the upper left.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

TEXELS = 4

Picture = NDArray[np.uint8]
Map = NDArray[np.floating]
Color = Sequence[float]


def noise(width: float, height: float, cell: tuple[float, float], *, seed: int, octaves: int = 5) -> Map:
    """Return a smooth random field in [0, 1], its largest features ``cell`` units wide and high."""
    columns, rows = int(width * TEXELS), int(height * TEXELS)
    rng = np.random.default_rng(seed)
    total = np.zeros((rows, columns), np.float32)
    for octave in range(octaves):
        grid = (int(height / cell[1] * 2**octave) + 4, int(width / cell[0] * 2**octave) + 4)
        values = rng.random(grid, np.float32)
        fine = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_CUBIC)
        total += (fine - 0.5) * 0.55**octave
    return np.asarray(np.clip(0.5 + total * 0.7, 0, 1), np.float32)


def ramp(value: Map, low: float, high: float) -> Map:
    """Return 0 below ``low``, 1 above ``high`` and a smooth step between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blend(first: Map, second: Map | Color, share: Map) -> Map:
    """Return ``first`` where ``share`` is 0 and ``second`` where it is 1."""
    return np.asarray(first + (np.asarray(second, np.float32) - first) * share[..., None], np.float32)


def gradient(field: Map, stops: Sequence[tuple[float, Color]]) -> Map:
    """Return the colors of ``stops``, position and color, at the values of ``field``."""
    positions = [position for position, _ in stops]
    channels = [np.interp(field, positions, [color[c] for _, color in stops]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def relief(field: Map, strength: float) -> Map:
    """Return how brightly a surface of this height is lit from the upper left; 1 is flat ground."""
    slope = cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=3) + 0.7 * cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=3)
    return np.asarray(np.clip(1 + strength * cv2.GaussianBlur(slope, (0, 0), 1.2), 0.35, 1.7), np.float32)


def shifted(field: Map, right: int, down: int) -> Map:
    """Return the field moved by whole texels, its border repeated."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return np.asarray(cv2.warpAffine(field, move, field.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32)


def grid(width: float, height: float) -> tuple[Map, Map]:
    """Return x and y in units of each texel's center."""
    y, x = np.mgrid[0 : int(height * TEXELS), 0 : int(width * TEXELS)].astype(np.float32)
    return (x + 0.5) / TEXELS, (y + 0.5) / TEXELS


def cut_out(colors: Map, alpha: Map) -> Picture:
    """Return colors and coverage as one premultiplied picture."""
    solid = np.clip(colors, 0, 255) * alpha[..., None]
    return np.dstack([solid, alpha * 255]).round().astype(np.uint8)


def opaque(colors: Map) -> Picture:
    return cut_out(colors, np.ones(colors.shape[:2], np.float32))


def fill(picture: Picture, points: Sequence[tuple[float, float]], color: Color) -> None:
    """Paint a polygon, corners in units."""
    corners = np.round(np.asarray(points) * TEXELS * 16).astype(np.int32)
    cv2.fillPoly(picture, [corners], (*color, 255), cv2.LINE_AA, shift=4)


def dab(
    picture: Picture, center: tuple[float, float], axes: tuple[float, float], color: Color, turn: float = 0
) -> None:
    """Paint an ellipse: center and half axes in units, ``turn`` in degrees."""
    box = (center[0] * TEXELS, center[1] * TEXELS), (axes[0] * 2 * TEXELS, axes[1] * 2 * TEXELS), turn
    cv2.ellipse(picture, box, (*color, 255), -1, cv2.LINE_AA)


def stroke(picture: Picture, start: tuple[float, float], end: tuple[float, float], color: Color, width: float) -> None:
    """Paint a straight stroke, everything in units."""
    ends = [tuple(int(v * TEXELS * 16) for v in point) for point in (start, end)]
    cv2.line(picture, ends[0], ends[1], (*color, 255), max(1, round(width * TEXELS)), cv2.LINE_AA, shift=4)


def shade(picture: Picture, center: tuple[float, float], axes: tuple[float, float], depth: float = 0.45) -> None:
    """Darken an ellipse of what is painted: a shadow on the ground."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    box = (center[0] * TEXELS, center[1] * TEXELS), (axes[0] * 2 * TEXELS, axes[1] * 2 * TEXELS), 0
    cv2.ellipse(mask, box, 255, -1)
    reach = 3 * TEXELS
    top, left = (max(0, int((center[i] - axes[i]) * TEXELS) - reach) for i in (1, 0))
    bottom, right = (int((center[i] + axes[i]) * TEXELS) + reach for i in (1, 0))
    part = np.s_[top:bottom, left:right]
    soft = cv2.GaussianBlur(mask[part], (0, 0), 0.6 * TEXELS).astype(np.float32) / 255
    picture[part][..., :3] = (picture[part][..., :3] * (1 - depth * soft[..., None])).astype(np.uint8)


def crown(
    picture: Picture, center: tuple[float, float], radius: tuple[float, float], color: Color, *, seed: int
) -> None:
    """Paint leaves in clusters: deep green below and to the right, sunlit above and to the left."""
    rng = np.random.default_rng(seed)
    count = int(14 + 2.2 * radius[0] * radius[1])
    spread = np.sqrt(rng.random(count)) * 0.9
    angle = rng.random(count) * 2 * np.pi
    offsets = np.stack([np.cos(angle) * spread, np.sin(angle) * spread], axis=1)
    light = -0.6 * offsets[:, 0] - 0.8 * offsets[:, 1] + rng.normal(0, 0.22, count)
    for i in np.argsort(light):
        x, y = center[0] + offsets[i, 0] * radius[0], center[1] + offsets[i, 1] * radius[1]
        tone = np.clip(np.asarray(color) * (0.72 + 0.48 * light[i]) + np.array([38, 30, -6]) * max(light[i], 0), 0, 255)
        size = 0.55 + 0.1 * min(radius) + 0.35 * rng.random()
        dab(picture, (x, y), (size * 1.25, size * 0.85), tuple(tone.tolist()), float(rng.random() * 180))


def ridge(width: float, cell: float, low: float, high: float, *, seed: int, octaves: int = 5) -> Map:
    """Return the height of a skyline in units from the top, for each column of texels; ``high`` is the upper end."""
    line = noise(width, 1, (cell, 1), seed=seed, octaves=octaves)[0]
    line = (line - line.min()) / (line.max() - line.min())
    return np.asarray(low + (high - low) * line, np.float32)


def ball(radius: float, color: Callable[[Map, Map], Map]) -> Picture:
    """Return a lit sphere; ``color`` gives its pattern at x, y in [-1, 1]."""
    x, y = grid(2 * radius + 2, 2 * radius + 2)
    u, v = (x - radius - 1) / radius, (y - radius - 1) / radius
    depth = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
    light = np.clip(-0.5 * u - 0.6 * v + 0.6 * depth, 0, 1)
    glint = ramp(light, 0.93, 1.0)
    alpha = 1 - ramp(np.hypot(u, v), 1 - 0.5 / radius, 1 + 0.5 / radius)
    return cut_out(color(u, v) * (0.36 + 0.8 * light)[..., None] + 90 * glint[..., None], alpha)


def over(below: Picture, above: Picture) -> Picture:
    """Return one picture laid on another of the same size."""
    rest = 1 - above[..., 3:].astype(np.float32) / 255
    return (above + below * rest).round().clip(0, 255).astype(np.uint8)
