"""The built-in scene: six seconds of two shots whose every motion is known exactly.

It holds what makes painting a movie hard: a panning camera, near and far things at their own speeds, surfaces that are
hidden and revealed, a flash that changes the light of the whole picture, and a hard cut. It repeats without end, and
where it repeats is a cut too.

Each picture is a stack of flat layers, each moved by an affine map; so where a pixel goes is the product of two maps.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from protocols.scene_brushes import TEXELS, Map, Picture
from protocols.scene_layers import DAY, NIGHT, VIEW, Layer, Matrix

LENGTH = 120
"""Frames before it repeats."""
CUTS = frozenset({0, 72})
"""Frames that begin a shot."""
FLASHES = frozenset({44, 45})
"""Frames whose light is multiplied by ``FLASH_GAIN``."""
FLASH_GAIN = 1.6

PURE = 0.9
"""A pixel covered less than this by one surface alone, such as an edge or a veil, counts as hidden."""


def render(index: int, *, width: int, height: int) -> NDArray[np.uint8]:
    """Return frame ``index``, H x W x 3, RGB. The same arguments give the same bytes."""
    canvas = np.zeros((height, width, 3), np.float32)
    for _, part, colors, alpha in _stack(index, width, height):
        canvas[part] *= 1 - alpha[..., None]
        canvas[part] += colors
    if index % LENGTH in FLASHES:
        canvas *= FLASH_GAIN
    return np.asarray(cv2.convertScaleAbs(canvas), np.uint8)  # rounds and saturates


def flow(origin: int, target: int, *, width: int, height: int) -> NDArray[np.float32]:
    """Return (dx, dy), H x W x 2, in pixels: where a pixel of frame ``origin`` lies in frame ``target``.

    Exact wherever ``visible``. Zero between two shots, where nothing corresponds.
    """
    field = np.zeros((height, width, 2), np.float32)
    if _shot_number(origin) != _shot_number(target):
        return field
    owner, _ = _owners(origin, width, height)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    layers = _shot(origin)
    for number in np.unique(owner):
        here = owner == number
        start, end = (_to_pixels(layers[number], index, width, height) for index in (origin, target))
        motion = end @ np.linalg.inv(start) - np.eye(3)
        for axis in (0, 1):
            a, b, c = motion[axis]
            field[..., axis][here] = a * x[here] + b * y[here] + c
    return field


def visible(origin: int, target: int, *, width: int, height: int) -> NDArray[np.bool_]:
    """Return H x W: whether what a pixel of frame ``origin`` shows is seen, alone and whole, in ``target``."""
    if _shot_number(origin) != _shot_number(target):
        return np.zeros((height, width), np.bool_)
    owner, purity = _owners(origin, width, height)
    target_owner, target_purity = _owners(target, width, height)
    surface = np.where(target_purity > PURE, target_owner, -1)
    y, x = np.mgrid[:height, :width]
    place = flow(origin, target, width=width, height=height)
    left, top = (np.floor(base + place[..., axis] + 1e-4).astype(int) for axis, base in enumerate((x, y)))
    seen = (purity > PURE) & (left >= 0) & (top >= 0) & (left < width - 1) & (top < height - 1)
    left, top = left.clip(0, width - 2), top.clip(0, height - 2)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        seen &= surface[top + dy, left + dx] == owner
    return np.asarray(seen)


Part = tuple[slice, slice]


def _stack(index: int, width: int, height: int) -> Iterator[tuple[int, Part, Map, Map]]:
    """Yield, back to front, each layer's number, place in the frame, colors (0..255, premultiplied), alpha (0..1)."""
    for number, layer in enumerate(_shot(index)):
        picture = _scaled(layer.paint, _scale(width, height))
        texels = _to_pixels(layer, index, width, height) @ _to_units(layer, picture)
        corners = texels @ np.array(
            [[0, picture.shape[1], 0, picture.shape[1]], [0, 0, *[picture.shape[0]] * 2], [1] * 4]
        )
        left, top = (max(0, int(np.floor(corners[axis].min()))) for axis in (0, 1))
        right, bottom = (min(limit, int(np.ceil(corners[axis].max())) + 1) for axis, limit in ((0, width), (1, height)))
        if left >= right or top >= bottom:
            continue
        texels[:2, 2] -= left, top
        size = (right - left, bottom - top)
        moved = cv2.warpAffine(picture, texels[:2], size, flags=cv2.INTER_CUBIC).astype(np.float32)
        yield number, np.s_[top:bottom, left:right], moved[..., :3], moved[..., 3] / np.float32(255)


def _owners(index: int, width: int, height: int) -> tuple[NDArray[np.int64], Map]:
    """Return which layer each pixel mostly shows, and its share of the pixel."""
    owner, purity = np.zeros((height, width), np.int64), np.ones((height, width), np.float32)
    for number, part, _, alpha in _stack(index, width, height):
        covers = alpha >= 0.5
        owner[part][covers] = number
        purity[part] = np.where(covers, alpha, purity[part] * (1 - alpha))
    return owner, purity


def _frame_of_shot(index: int) -> int:
    frame = index % LENGTH
    return frame - max(cut for cut in CUTS if cut <= frame)


def _shot(index: int) -> tuple[Layer, ...]:
    return DAY if index % LENGTH < max(CUTS) else NIGHT


def _shot_number(index: int) -> tuple[int, bool]:
    return index // LENGTH, index % LENGTH < max(CUTS)


def _scale(width: int, height: int) -> float:
    return max(width / VIEW[0], height / VIEW[1])


def _to_pixels(layer: Layer, index: int, width: int, height: int) -> Matrix:
    """Return the map from the layer's units to pixels, where a whole number is the center of a pixel."""
    scale = _scale(width, height)
    view = np.array(
        [[scale, 0, (width - scale * VIEW[0] - 1) / 2], [0, scale, (height - scale * VIEW[1] - 1) / 2], [0, 0, 1]]
    )
    return view @ layer.motion(_frame_of_shot(index))


def _to_units(layer: Layer, picture: Picture) -> Matrix:
    """Return the map from the texels of the scaled picture to the layer's units."""
    rows, columns = (side / TEXELS for side in layer.paint().shape[:2])
    x, y = columns / picture.shape[1], rows / picture.shape[0]
    return np.array([[x, 0, x / 2], [0, y, y / 2], [0, 0, 1]])


@lru_cache(maxsize=64)
def _scaled(paint: Callable[[], Picture], scale: float) -> Picture:
    """Return the picture with about one texel to the pixel, so that moving it neither blurs nor flickers."""
    picture = paint()
    size = tuple(max(1, round(side * scale / TEXELS)) for side in picture.shape[1::-1])
    method = cv2.INTER_AREA if scale < TEXELS else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
