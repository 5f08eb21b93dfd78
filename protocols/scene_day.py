"""The first shot of the built-in scene: hills, a village and a balloon on a summer day."""

from functools import cache

import numpy as np

from protocols.scene_brushes import (
    TEXELS,
    Color,
    Map,
    Picture,
    blend,
    crown,
    cut_out,
    dab,
    fill,
    gradient,
    grid,
    noise,
    opaque,
    over,
    ramp,
    relief,
    ridge,
    shade,
    shifted,
    stroke,
)


@cache
def day_sky() -> Picture:
    width, height = 320, 144
    x, y = grid(width, height)
    sky = gradient(y, [(0, (52, 104, 178)), (45, (112, 164, 214)), (85, (214, 214, 206)), (110, (250, 216, 170))])
    sun = np.hypot(x - 62, y - 34)
    sky += np.exp(-((sun / 40) ** 1.1))[..., None] * np.array([120, 92, 40])
    thick = noise(width, height, (70, 22), seed=3, octaves=6)
    lit = np.clip(0.62 + 5.0 * (thick - shifted(thick, -9, -7)), 0, 1).astype(np.float32)
    clouds = gradient(lit, [(0, (138, 142, 176)), (0.5, (226, 214, 210)), (1, (255, 250, 236))])
    sky = blend(sky, clouds, ramp(thick, 0.47, 0.66) * (0.95 - 0.5 * ramp(y, 60, 110)))
    sky = blend(sky, (255, 246, 206), 1 - ramp(sun, 8.0, 9.5))
    return opaque(sky)


@cache
def mountains() -> Picture:
    width, height = 340, 90
    x, y = grid(width, height)
    line = ridge(width, 58, 52, 4, seed=11)
    below = y - line[None]
    rock = noise(width, height, (16, 22), seed=12, octaves=6)
    folds = relief(rock + 0.012 * below + 0.25 * np.sin((x + below) / 9), 2.6)
    color = gradient(below, [(0, (112, 112, 150)), (30, (110, 128, 158)), (60, (160, 178, 190))])
    snow = ramp(24 - below + 34 * (rock - 0.5) - 0.55 * line[None], 2, 7)
    color = blend(color * folds[..., None], np.array([250, 246, 244]) * np.clip(folds, 0.62, 1.05)[..., None], snow)
    return cut_out(blend(color, (196, 206, 212), 0.75 * ramp(below, 12, 60)), ramp(below, -0.3, 0.3))


@cache
def hills() -> Picture:
    width, height = 410, 96
    picture = np.zeros((height * TEXELS, width * TEXELS, 4), np.uint8)
    rng = np.random.default_rng(21)
    _hill(picture, ridge(width, 120, 34, 14, seed=22, octaves=3), (104, 138, 92), (150, 160, 92), seed=23)
    for _ in range(70):
        _tree(picture, (float(rng.uniform(0, width)), float(rng.uniform(36, 46))), 2.2, (58, 98, 62), rng)
    _hill(picture, ridge(width, 90, 52, 38, seed=24, octaves=3), (116, 146, 62), (206, 182, 84), seed=25)
    spots = sorted(
        ((float(rng.uniform(50, 72)), float(rng.uniform(4, width - 4))) for _ in range(64)), key=lambda s: s[0]
    )
    homes = {int(i): n for n, i in enumerate((3, 7, 11, 15, 19, 24, 29, 34))}
    for i, (y, x) in enumerate(spots):
        if i in homes:
            _house(picture, (30 + homes[i] * 49 + x % 30, y), 8 + 0.12 * (y - 50), rng)
        else:
            _tree(picture, (x, y), 3.2 + 0.08 * (y - 50), (62, 108, 44), rng)
    return picture


def _hill(picture: Picture, line: Map, green: Color, gold: Color, *, seed: int) -> None:
    height, width = picture.shape[0] / TEXELS, picture.shape[1] / TEXELS
    x, y = grid(width, height)
    below = y - line[None]
    field = noise(width, height, (64, 26), seed=seed, octaves=2)
    rough = noise(width, height, (4, 2), seed=seed + 100)
    plot = np.floor(field * 8)
    crop = (plot * 0.37) % 1
    furrows = 0.5 + 0.5 * np.sin((0.35 * x + below * (1.2 + crop)) * 2.2 + 5 * field)
    edges = ramp(np.abs(field * 8 % 1 - 0.5), 0.42, 0.5)
    color = blend(np.broadcast_to(np.asarray(green, np.float32), (*x.shape, 3)), gold, np.asarray(ramp(crop, 0.3, 0.9)))
    color = color * (0.8 + 0.18 * furrows + 0.5 * (rough - 0.5))[..., None]
    color = blend(color, (52, 82, 40), 0.75 * edges) * relief(0.3 * rough + 1.5 * field - below / 80, 1.3)[..., None]
    color = color * (1.12 - 0.3 * ramp(below, 0, 40))[..., None]
    top = cut_out(color, ramp(below, -0.3, 0.3))
    picture[:] = over(picture, top)


def _tree(picture: Picture, spot: tuple[float, float], size: float, green: Color, rng: np.random.Generator) -> None:
    x, y = spot
    tall = rng.random() < 0.3
    radius = (size * 0.55, size * 1.5) if tall else (size, size * 0.9)
    shade(picture, (x + size * 0.9, y + 0.2), (size * 1.3, size * 0.35))
    stroke(picture, (x, y), (x, y - size), (74, 54, 38), 0.22 * size)
    tint = rng.normal(0, 9, 3) + (rng.random() < 0.15) * np.array([86, 22, -10])
    crown(
        picture,
        (x, y - 0.5 * size - radius[1]),
        radius,
        (np.asarray(green) + tint).tolist(),
        seed=int(rng.integers(2**31)),
    )


def _house(picture: Picture, spot: tuple[float, float], size: float, rng: np.random.Generator) -> None:
    x, y = spot
    wall, roof = ((242, 226, 198), (186, 74, 50)) if rng.random() < 0.7 else ((226, 206, 186), (110, 96, 112))
    w, h, side = size, size * 0.62, size * 0.5
    shade(picture, (x + w + side, y), (size * 0.8, size * 0.18), 0.5)
    dark = tuple(0.62 * v for v in wall)
    fill(picture, [(x, y), (x, y - h), (x + w, y - h), (x + w, y)], wall)
    fill(
        picture,
        [(x + w, y), (x + w, y - h), (x + w + side / 2, y - 1.5 * h), (x + w + side, y - h), (x + w + side, y)],
        dark,
    )
    eaves = [
        (x - 0.5, y - h + 0.3),
        (x + side / 2 - 0.3, y - 1.58 * h),
        (x + w + side / 2, y - 1.58 * h),
        (x + w + 0.2, y - h + 0.3),
    ]
    fill(picture, eaves, roof)
    fill(
        picture,
        [
            eaves[3],
            eaves[2],
            (x + w + side + 0.4, y - h + 0.3),
            (x + w + side - 0.4, y - h + 0.3),
            (x + w + side / 2, y - 1.4 * h),
        ],
        tuple(0.6 * v for v in roof),
    )
    for share in (0.14, 0.6):
        fill(
            picture,
            [(x + w * (share + dx), y - h * dy) for dx, dy in ((0, 0.35), (0, 0.75), (0.2, 0.75), (0.2, 0.35))],
            (70, 78, 98),
        )
    fill(
        picture,
        [(x + w * 0.38, y), (x + w * 0.38, y - h * 0.55), (x + w * 0.54, y - h * 0.55), (x + w * 0.54, y)],
        (104, 66, 44),
    )
    stroke(picture, (x + w * 0.8, y - 1.45 * h), (x + w * 0.8, y - 1.8 * h), (150, 84, 66), 0.12 * size)


@cache
def meadow() -> Picture:
    width, height = 500, 46
    x, y = grid(width, height)
    line = ridge(width, 150, 12, 6, seed=31, octaves=2)
    below = y - line[None]
    rough, tufts = noise(width, height, (3, 7), seed=32), noise(width, height, (30, 9), seed=33)
    color = gradient(
        np.clip(below / 40 + 0.5 * (tufts - 0.5), 0, 1), [(0, (156, 170, 74)), (0.4, (98, 134, 48)), (1, (44, 82, 30))]
    )
    color = color * (0.55 + 0.9 * rough)[..., None]
    path = np.abs(below - 9 - 3 * np.sin(x / 37) - 2 * np.sin(x / 17)) - 2.2
    color = blend(color, np.array([214, 186, 138]) * (0.7 + 0.6 * rough)[..., None], 1 - ramp(path, -0.5, 1.2))
    picture = cut_out(color, ramp(below, -0.3, 0.3))
    rng = np.random.default_rng(34)
    for _ in range(2600):
        bx, share = float(rng.uniform(0, width)), float(rng.random())
        root = float(line[int(bx * TEXELS)]) + share * (height - 8)
        if abs(root - float(line[int(bx * TEXELS)]) - 9 - 3 * np.sin(bx / 37) - 2 * np.sin(bx / 17)) < 3:
            continue
        tone = np.array([120, 158, 52]) * rng.uniform(0.55, 1.35) + np.array([30, 12, 0]) * rng.random()
        stroke(
            picture,
            (bx, root),
            (bx + float(rng.normal(0.4, 0.7)), root - 1.2 - 2.4 * share),
            tone.clip(0, 255).tolist(),
            0.25,
        )
    palette = [(236, 64, 52), (250, 214, 76), (250, 246, 240), (150, 104, 214)]
    for _ in range(420):
        bx, share = float(rng.uniform(2, width - 2)), float(rng.random())
        root = float(line[int(bx * TEXELS)]) + 14 + share * (height - 20)
        bloom = palette[int(2 * np.sin(bx / 23) + rng.random() * 2 + 4) % 4]
        size = 0.45 + 0.55 * share
        dab(picture, (bx, root), (size, 0.8 * size), tuple(0.72 * v for v in bloom))
        dab(picture, (bx - 0.2 * size, root - 0.25 * size), (0.65 * size, 0.5 * size), bloom)
    return picture
