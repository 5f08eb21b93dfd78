"""What the built-in paintings show: for each a sketch of colors and of the directions its strokes run.

Coordinates are in heights of the picture: y from 0 (top) to 1, x from 0 to the aspect ratio.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.brush import Floats, Sketch


def starry(x: Floats, y: Floats, rng: np.random.Generator) -> Sketch:
    """Night: two great spirals and glowing stars above hills, a village and a cypress."""
    right = float(x.max())
    waves = _clouds(x, 4, rng)
    angle = 0.5 * np.sin(3.2 * x + 2.0 * y) + 0.8 * (waves - 0.5)
    phase = 19.0 * y + 4.5 * np.sin(2.6 * x) + 8.0 * waves
    angle, phase = _spiral(x - 0.43 * right, y - 0.36, angle, phase, radius=0.25, hand=1)
    angle, phase = _spiral(x - 0.67 * right, y - 0.50, angle, phase, radius=0.16, hand=-1)
    tone = 0.5 + 0.5 * np.sin(phase) + 0.45 * (_clouds(x, 11, rng) - 0.5)
    color = _ramp(0.95 * tone, "0a1238 13246c 1a3690 2450ac 3068b8 4a86c8 7fb0d0 a0c4c0 dcd8a0")
    for center_x, center_y, radius in (
        (0.88, 0.17, 0.20), (0.07, 0.13, 0.10), (0.27, 0.10, 0.09), (0.52, 0.09, 0.08), (0.69, 0.22, 0.10),
        (0.36, 0.62, 0.10), (0.92, 0.52, 0.09), (0.13, 0.42, 0.08), (0.79, 0.62, 0.06),
    ):  # fmt: skip
        dx, dy = x - center_x * right, y - center_y
        distance = np.hypot(dx, dy) / radius
        glow = _ramp(distance, "fffbe0 ffe873 f7b321 f2d65c bcd08a 6fb0b8 3a72c4")
        halo = np.clip(1.5 - 1.5 * distance, 0.0, 1.0)
        color = _over(color, glow, halo)
        angle = _turn(angle, np.arctan2(dy, dx) + np.pi / 2, np.clip(2.2 - 2.0 * distance, 0.0, 1.0))
    ridge = 0.72 - 0.08 * np.sin(2.4 * x + 2.5) - 0.03 * np.sin(7.0 * x)
    hills = _ramp(0.5 + 0.5 * np.sin(34.0 * (y - ridge) + 6.0 * waves), "0b1a3e 1b3f86 2f6aa3 264a6a 4f8fa0 8fb0c0")
    color = _over(color, _ramp(y, "060a1c"), _step(y - ridge + 0.012))
    color, angle = _mask(color, hills, angle, 0.35 * np.cos(2.4 * x + 2.5) - 0.3, _step(y - ridge))
    meadow = _ramp(_clouds(x, 16, rng), "061018 10301f 27521f 5d7a22 20405c c58a1e 0b1a3e")
    color, angle = _mask(color, meadow, angle, 0.5 * np.sin(9.0 * x), _step(y - ridge - 0.12))
    for _ in range(14):
        column, row, size = rng.uniform(0.32, 1.0) * right, rng.uniform(0.85, 0.96), rng.uniform(0.018, 0.03)
        across, down = np.abs(x - column), y - row
        roof = _step(np.minimum(size - across - np.maximum(-down, 0) * 1.2, size - np.abs(down)))
        color = _over(color, _ramp(2.0 * down / size + 0.5, "1a1420 7a3a2a 3f5f7a 0e1428"), roof)
        window = _step(0.35 * size - np.maximum(across, np.abs(down - 0.4 * size)))
        color = _over(color, _ramp(y * 0 + rng.random(), "ffd84a f28a1c ffefa0"), window)
    bark = _ramp(_clouds(x, 11, rng), "05080a 10241a 1f3d1e 3a2a14 6c5a1a 0a1830 2c5a2a")
    sway = np.pi / 2 + 0.5 * np.sin(14.0 * y + 9.0 * x)
    for root, top, girth in ((0.16, 0.02, 0.075), (0.22, 0.42, 0.07), (0.10, 0.55, 0.06)):
        flame = girth * np.maximum(y - top, 0.0) ** 0.8 * (1.1 + 0.3 * np.sin(17.0 * y + 30.0 * root))
        trunk = np.abs(x - root * right - 0.02 * np.sin(11.0 * y))
        color, angle = _mask(color, bark, angle, sway, _step(flame - trunk) * _step(y - top))
    return Sketch(color, angle)


def harvest(x: Floats, y: Floats, rng: np.random.Generator) -> Sketch:
    """Noon: a wheat field in the wind under a burning sun, violet mountains, dark trees, poppies."""
    right = float(x.max())
    waves = _clouds(x, 5, rng)
    sun = np.hypot(x - 0.74 * right, y - 0.16)
    around = np.arctan2(y - 0.16, x - 0.74 * right)
    rings = 0.5 + 0.5 * np.sin(34.0 * sun + 5.0 * waves)
    sky = _ramp(
        0.30 * rings + 1.1 * sun, "fffbd0 ffe45a f8b62c f3cf6a c9d38c 79bfb2 4aa0b8 2f7fb4 b9e0d0 3a8fc0 1f5fa0"
    )
    color, angle = sky, around + np.pi / 2 + 0.3 * (waves - 0.5)
    peaks = 0.36 - 0.07 * np.sin(3.4 * x + 0.6) - 0.035 * np.sin(8.2 * x) + 0.05 * (waves - 0.5)
    rock = _ramp(_clouds(x, 14, rng), "2a2a6c 4a4a9c 7a6ab8 3f74a8 a88ac0 d9a0a0 25506c")
    color, angle = _mask(color, rock, angle, 0.9 * np.cos(3.4 * x + 0.6), _step(y - peaks))
    crowns = 0.43 - 0.05 * np.abs(np.sin(9.0 * x + 2.0 * waves)) - 0.03 * waves
    leaves = _ramp(_clouds(x, 22, rng), "0b2a1c 1d4f24 3f7a2a 7a9a2c 123a4a b0a83a")
    color, angle = _mask(color, leaves, angle, 9.0 * x + 6.0 * y, _step(y - crowns))
    field = 0.46 + 0.04 * np.sin(2.2 * x + 1.0)
    depth = np.clip((y - field) / 0.54, 0.0, 1.0)
    gust = 0.5 + 0.5 * np.sin(9.0 * x - 20.0 * np.sqrt(depth) + 7.0 * waves)
    wheat = _ramp(0.65 * gust + 0.5 * (_clouds(x, 24, rng) - 0.25), "5a2f10 8f4f12 c9781a e79a1f f6bf3a ffe07a fff3b8")
    wheat = _over(
        wheat, _ramp(_clouds(x, 12, rng), "2f5a1e 6f8a26 a8a03a 3a5f6a"), _step(_clouds(x, 6, rng) - 0.66, 0.05)
    )
    stalks = -np.pi / 2 + 0.9 * np.sin(4.0 * x - 5.0 * depth + 4.0 * waves)
    color, angle = _mask(color, wheat, angle, stalks, _step(y - field))
    path = np.abs(x - 0.36 * right - 0.22 * np.sin(3.4 * depth)) - 0.03 - 0.10 * depth**2
    earth = _ramp(_clouds(x, 20, rng), "6a2a2a a8502f c98a6a 7a4a7a d9b08a 4f7a3a")
    color, angle = _mask(color, earth, angle, np.pi / 2 + 0.7 * np.cos(3.4 * depth), _step(-path) * _step(y - field))
    for _ in range(70):
        column, row = rng.uniform(0.0, right), rng.uniform(0.56, 1.0) ** 0.8
        poppy = _step(0.004 + 0.011 * (row - 0.4) - np.hypot(x - column, y - row))
        color = _over(color, _ramp(y * 0 + rng.random(), "c8201c f0421e ff7a3a 8f1430 f4f0e0 4a5ac0"), poppy)
    return Sketch(color, angle)


def storm(x: Floats, y: Floats, rng: np.random.Generator) -> Sketch:
    """Gale: grey-green breakers with white foam, rolling clouds torn by a low sun, a ship in distress."""
    right = float(x.max())
    waves = _clouds(x, 4, rng)
    angle = 0.35 + 1.2 * (waves - 0.5)
    roll = 20.0 * y + 10.0 * waves + 3.0 * np.sin(3.0 * x)
    angle, roll = _spiral(x - 0.22 * right, y - 0.16, angle, roll, radius=0.25, hand=1)
    angle, roll = _spiral(x - 0.82 * right, y - 0.20, angle, roll, radius=0.20, hand=-1)
    tone = 0.5 + 0.5 * np.sin(roll) + 0.5 * (_clouds(x, 10, rng) - 0.5)
    color = _ramp(0.85 * tone, "10151c 232c34 34444c 4c5f64 6f7f7c 94937f c4b48c e0d4b0")
    glow = np.exp(-(((x - 0.55 * right) / 0.34) ** 2) - ((y - 0.33) / 0.12) ** 2)
    color = _over(
        color, _ramp(glow + 0.4 * (waves - 0.5), "8a5a3a b9743a e0a050 f6d690 fff2cc"), np.clip(1.2 * glow, 0, 1)
    )
    mast = x - 0.6 * right + 0.35 * (y - 0.4)
    belly = np.sqrt(np.clip(np.sin(np.pi * np.clip((y - 0.10) / 0.22, 0.0, 1.0)), 0.0, 1.0))
    canvas = _ramp(6.0 * mast + 0.5 * y + 0.3, "fff6dc f4e0b0 e0b878 a8683c 6a3424")
    color = _over(color, _ramp(y, "120a0a"), _step(0.006 - np.abs(mast)) * _step(0.38 - y) * _step(y - 0.06))
    color, angle = _mask(color, canvas, angle, 1.3, _step(0.062 * belly - np.abs(mast + 0.01)))
    hull = _step(0.10 - np.abs(mast) - 0.9 * np.maximum(y - 0.345, 0.0)) * _step(y - 0.345 - 0.35 * mast)
    color, angle = _mask(color, _ramp(_clouds(x, 20, rng), "0c0608 2a0f0c 5a2414 8a4420"), angle, 0.3, hull)
    for horizon, length, steep in ((0.42, 9.0, 0.02), (0.52, 6.0, 0.04), (0.66, 4.0, 0.065), (0.84, 2.8, 0.09)):
        swell = length * x + rng.uniform(0.0, 6.28) + 1.5 * waves
        crest = horizon - steep * (2.0 * np.abs(np.sin(swell)) ** 0.8 - 1.0)
        below = (y - crest) / (0.05 + 1.3 * steep)
        churn, lace = _clouds(x, 13, rng), _clouds(x, 26, rng)
        water = _ramp(
            0.7 * below + 0.6 * (churn - 0.5), "b8d8b8 6fae98 3f8a7c 22645e 124644 0b2c32 07181f 1c4444 3f7468"
        )
        tilt = np.arctan(-1.6 * steep * length * np.cos(swell) * np.sign(np.sin(swell))) + 1.6 * (churn - 0.5)
        color, angle = _mask(color, water, angle, tilt, _step(y - crest))
        spray = _step(0.16 + 0.5 * (churn - 0.5) - np.abs(below), 0.06) + _step(lace - 0.72, 0.08) * _step(
            0.7 - below, 0.3
        )
        foam = _ramp(lace, "7fa8a0 c4d4c4 fffdf2 b8ccd0 f2e6c8 e8f4ee")
        color = _over(color, foam, np.clip(spray, 0.0, 0.95) * _step(y - crest + 0.015))
    return Sketch(color, angle)


def blossom(x: Floats, y: Floats, rng: np.random.Generator) -> Sketch:
    """Spring: almond branches with white and pink petals on a turquoise sky."""
    waves = _clouds(x, 4, rng)
    tone = 0.5 + 0.5 * np.sin(9.0 * waves + 5.0 * y + 2.0 * x)
    color = _ramp(0.6 * tone + 0.5 * (_clouds(x, 12, rng) - 0.2), "1f6f8f 2f93a8 4fb0b4 7cc8c0 a8d8c4 3f80b8 d9e6c0")
    angle = 0.6 + 3.0 * (waves - 0.5)
    limbs, heading, twigs = _branches(x, rng)
    bark = _ramp(_clouds(x, 26, rng), "2a1a1c 5a3a2a 9a7a44 3f5a3a b0a468 4a3050")
    color = _over(color, _ramp(y, "142430"), np.asarray(cv2.dilate(limbs, np.ones((3, 3), np.uint8)), dtype=np.float32))
    color, angle = _mask(color, bark, angle, heading, limbs)
    for index in rng.integers(0, len(twigs), 90):
        column, row = twigs[index] + rng.normal(0.0, 0.04, 2)
        radius, turn, kind = rng.uniform(0.026, 0.058), rng.uniform(0.0, 6.28), int(rng.integers(0, len(_PETALS)))
        near = _around(x, column, row, radius)
        dx, dy = x[near] - column, y[near] - row
        distance, around = np.hypot(dx, dy) / radius, np.arctan2(dy, dx)
        lobes = np.cos(5.0 * around + turn)
        shape, shadow = _step(0.8 + 0.2 * lobes - distance, 0.06), _step(0.95 + 0.2 * lobes - distance, 0.06)
        shaded = _over(color[near], _ramp(distance, "24505c 3a4a5a"), 0.7 * shadow)
        color[near], angle[near] = _mask(
            shaded, _ramp(distance - 0.1 * lobes, _PETALS[kind]), angle[near], around, shape
        )
    for index in rng.integers(0, len(twigs), 90):
        column, row = twigs[index] + rng.normal(0.0, 0.045, 2)
        bud = _step(rng.uniform(0.006, 0.014) - np.hypot(x - column, 0.7 * (y - row)))
        color = _over(color, _ramp(y * 0 + rng.random(), "b8243a e05a6a 6f9a3a a8b84a f0b0b8 3f6a2a"), bud)
    return Sketch(color, angle)


_PETALS = (
    "d8a820 b85040 f6b8c4 ffffff f6dce4 dca0b8",
    "b03a3a f0a8b8 fff6f0 f4e8d8 e890a8 c86a8a",
    "d8a020 c8d8a8 ffffff fdf0e0 b8ccdc 8fa8c8",
)


def _branches(x: Floats, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.float64]]:
    """Return where the branches are, which way they run, and points along them (N x 2, (x, y))."""
    height = x.shape[0]
    limbs, headings = np.zeros_like(x), np.zeros_like(x)
    twigs = []
    for start in np.linspace(0.0, float(x.max()), 9):
        place, heading, thickness = np.array([start, 1.05]), rng.uniform(-2.3, -0.8), rng.uniform(0.02, 0.04)
        while thickness > 0.004 and place[1] > -0.1:
            ahead = place + 0.045 * np.array([np.cos(heading), np.sin(heading)])
            ends = np.rint(np.stack([place, ahead]) * height).astype(int).tolist()
            cv2.line(limbs, ends[0], ends[1], 1.0, max(1, round(thickness * height)))
            cv2.line(headings, ends[0], ends[1], heading, max(1, round(thickness * height)) + 2)
            twigs.append(ahead)
            place, heading = ahead, heading + rng.normal(0.0, 0.3)
            thickness *= rng.uniform(0.9, 0.98)
    return np.asarray(cv2.GaussianBlur(limbs, (0, 0), 0.6), dtype=np.float32), headings, np.array(twigs)


def _around(x: Floats, column: float, row: float, radius: float) -> tuple[slice, slice]:
    """Return the window that holds a disc of 1.3 radii."""
    height, reach = x.shape[0], 1.3 * radius
    rows = slice(max(0, int((row - reach) * height)), max(0, int((row + reach) * height) + 1))
    return rows, slice(max(0, int((column - reach) * height)), max(0, int((column + reach) * height) + 1))


def _spiral(dx: Floats, dy: Floats, angle: Floats, phase: Floats, *, radius: float, hand: int) -> tuple[Floats, Floats]:
    """Return direction and phase of color with a logarithmic spiral of two arms around dx = dy = 0.

    Strokes run along its arms: both climb outwards by tan(pitch) of the way around.
    """
    pitch = 0.35
    distance, around = np.hypot(dx, dy), np.arctan2(dy, dx)
    pull = np.exp(-((distance / radius) ** 4))
    arms = 2.0 * (hand * around - np.log(distance / radius + 0.12) / np.tan(pitch))
    return _turn(angle, around + hand * (np.pi / 2 - pitch), pull), np.where(pull > 0.37, arms, phase)


def _clouds(x: Floats, cells: int, rng: np.random.Generator) -> Floats:
    """Return smooth noise in [0, 1] with about `cells` bumps along the picture's height."""
    height, width = x.shape
    grid = rng.random((cells + 3, round(cells * width / height) + 3)).astype(np.float32)
    smooth = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(smooth, 0.0, 1.0), dtype=np.float32)


def _ramp(position: Floats, stops: str) -> Floats:
    """Return H x W x 3: the colors (hexadecimal, blank between) spread evenly over positions 0 to 1, blended."""
    colors = np.array([list(bytes.fromhex(stop)) for stop in stops.split()], np.float32) / 255.0
    knots = np.linspace(0.0, 1.0, len(colors))
    return np.stack([np.interp(position, knots, channel) for channel in colors.T], axis=2).astype(np.float32)


def _step(signed_distance: Floats, softness: float = 0.006) -> Floats:
    """Return 0 where the distance is negative, 1 where positive, with a soft edge."""
    return np.asarray(np.clip(0.5 + signed_distance / (2.0 * softness), 0.0, 1.0), dtype=np.float32)


def _over(below: Floats, above: Floats, opacity: Floats) -> Floats:
    return np.asarray(below + opacity[..., None] * (above - below), dtype=np.float32)


def _turn(angle: Floats, towards: Floats, weight: Floats) -> Floats:
    """Return the angle of the weighted mean direction, which knows that 2 pi is 0."""
    cosine = (1.0 - weight) * np.cos(angle) + weight * np.cos(towards)
    sine = (1.0 - weight) * np.sin(angle) + weight * np.sin(towards)
    return np.asarray(np.arctan2(sine, cosine), dtype=np.float32)


def _mask(below: Floats, above: Floats, angle: Floats, new: Floats | float, opacity: Floats) -> tuple[Floats, Floats]:
    """Return color and direction with a new thing in front."""
    return _over(below, above, opacity), _turn(angle, np.asarray(new, np.float32), opacity)
