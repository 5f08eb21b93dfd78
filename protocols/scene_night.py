"""The second shot of the built-in scene: a sailing boat and a lighthouse under the moon."""

from functools import cache

import numpy as np

from protocols.scene_brushes import (
    TEXELS,
    Picture,
    blend,
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
    shifted,
    stroke,
)

MOON = (205.0, 34.0)


@cache
def night_sky() -> Picture:
    width, height = 320, 144
    x, y = grid(width, height)
    sky = gradient(y, [(0, (8, 12, 44)), (50, (22, 36, 92)), (84, (70, 70, 132)), (96, (126, 92, 140))])
    moon = np.hypot(x - MOON[0], y - MOON[1])
    sky += np.exp(-moon / 26)[..., None] * np.array([92, 96, 104])
    picture = opaque(sky)
    rng = np.random.default_rng(51)
    for _ in range(330):
        size = float(rng.gamma(1.6, 0.13)) + 0.12
        star = np.array([255, 250, 232]) * rng.uniform(0.55, 1) - np.array([40, 20, 0]) * rng.random()
        dab(picture, (float(rng.uniform(0, width)), float(rng.uniform(0, 88))), (size, size), star.clip(0).tolist())
    thick = noise(width, height, (84, 15), seed=52, octaves=6)
    lit = np.clip(0.45 + 4.5 * (thick - shifted(thick, -7, 6)) + 0.5 * np.exp(-moon / 50), 0, 1)
    clouds = gradient(np.asarray(lit, np.float32), [(0, (20, 24, 62)), (0.6, (88, 92, 138)), (1, (214, 204, 204))])
    sky = blend(picture[..., :3].astype(np.float32), clouds, ramp(thick, 0.48, 0.68) * 0.92)
    craters = noise(width, height, (7, 7), seed=53, octaves=3)
    face = np.array([255, 246, 214]) * (0.78 + 0.4 * craters)[..., None]
    return opaque(blend(sky, face, 1 - ramp(moon, 11.2, 12.0)))


@cache
def island() -> Picture:
    """Return cliffs with a lighthouse, 150 x 74 units; the sea begins at its lower edge."""
    width, height = 150, 74
    x, y = grid(width, height)
    bell = np.exp(-(((np.arange(x.shape[1]) / TEXELS - 72) / 40) ** 4)).astype(np.float32)
    line = height + 2 - bell * (height - ridge(width, 26, 62, 42, seed=61))
    rock = noise(width, height, (12, 16), seed=62, octaves=6)
    below = y - line[None]
    color = gradient(rock + below / 60, [(0.2, (66, 66, 88)), (0.7, (38, 36, 62)), (1.2, (22, 22, 46))])
    moonlit = relief((rock * 1.4 + 0.02 * below)[:, ::-1], 3.0)[:, ::-1]
    color = blend(color * moonlit[..., None] * 1.3, (58, 92, 74), (1 - ramp(below, 1, 7)) * 0.6)
    picture = cut_out(color, ramp(below, -0.3, 0.3))
    base = float(line[72 * TEXELS]) + 3
    for i in range(5):
        top, bottom = base - 6.5 * (i + 1), base - 6.5 * i
        slim = [4.6 - 0.34 * n for n in (i, i + 1)]
        for k in range(6):
            tone = (0.36 + 0.13 * k) * np.array([(212, 70, 60), (236, 230, 220)][i % 2])
            edges = [(72 + slim[0] * (k / 3 - 1), bottom), (72 + slim[1] * (k / 3 - 1), top)]
            fill(picture, [*edges, (72 + slim[1], top), (72 + slim[0], bottom)], tone.tolist())
    lamp = base - 34.5
    fill(picture, [(68.4, lamp + 2.2), (68.4, lamp + 1), (75.6, lamp + 1), (75.6, lamp + 2.2)], (60, 56, 66))
    fill(picture, [(69.6, lamp + 1), (69.6, lamp - 3), (74.4, lamp - 3), (74.4, lamp + 1)], (255, 226, 128))
    fill(picture, [(68.8, lamp - 3), (72, lamp - 6), (75.2, lamp - 3)], (176, 52, 46))
    for dx in (-1.2, 1.2):
        stroke(picture, (72 + dx, lamp + 1), (72 + dx, lamp - 3), (92, 70, 50), 0.25)
    for spot in ((70.6, base - 10), (72.6, base - 22)):
        fill(
            picture, [(spot[0] + dx, spot[1] + dy) for dx, dy in ((0, 0), (0, 2), (1.3, 2), (1.3, 0))], (255, 206, 104)
        )
    glow = np.exp(-np.hypot(x - 72, y - lamp + 1) / 5)[..., None] * np.array([255, 210, 120]) * 0.55
    lit = picture[..., :3] + glow * (picture[..., 3:] / 255)
    return np.dstack([lit.clip(0, 255), picture[..., 3]]).astype(np.uint8)


@cache
def sea() -> Picture:
    """Return open water with the path of the moon, its middle under the moon."""
    width, height = 320, 62
    x, y = grid(width, height)
    far = y / height
    ripples = (
        noise(width, height, (9, 1.1), seed=71, octaves=4) * (1 - far) + noise(width, height, (16, 3), seed=72) * far
    )
    swell = noise(width, height, (60, 7), seed=73, octaves=3)
    color = gradient(far, [(0, (104, 92, 146)), (0.15, (52, 66, 122)), (1, (10, 32, 70))])
    color = color * (0.45 + 0.8 * ripples + 0.35 * swell)[..., None]
    reach = np.abs(x - MOON[0]) / (6 + 26 * far)
    path = np.exp(-(reach**2)) * ramp(ripples + 0.3 * (swell - 0.5), 0.46, 0.62)
    return opaque(color + path[..., None] * np.array([240, 220, 168]))


def wave(*, seed: int, height: int, light: float) -> Picture:
    """Return a row of breaking waves, 360 units wide."""
    width = 360
    x, y = grid(width, height)
    crests = 5 + 4 * np.abs(np.sin(x[0] / 15 + seed)) ** 1.5 + ridge(width, 26, 3, 0, seed=seed)
    below = y - crests[None]
    water = noise(width, height, (20, 4), seed=seed + 1, octaves=5)
    foam = noise(width, height, (4, 2), seed=seed + 2, octaves=5)
    color = gradient(below, [(0, (112, 168, 190)), (5, (44, 104, 146)), (14, (20, 58, 104)), (40, (8, 26, 58))])
    color = color * (light * relief(water + below / 30, 2.2) * (0.5 + water))[..., None]
    white = ramp(foam + 0.6 * (1 - below / 5), 0.68, 0.92) * (1 - ramp(below, 3, 9))
    streaks = ramp(foam + water, 1.34, 1.5) * 0.4
    color = blend(color, np.array([226, 238, 240]) * light, np.maximum(white, streaks))
    return cut_out(color, ramp(below, -0.4, 0.4))


@cache
def far_wave() -> Picture:
    return wave(seed=81, height=40, light=0.85)


@cache
def near_wave() -> Picture:
    return wave(seed=91, height=44, light=1.0)


@cache
def boat() -> Picture:
    """Return a sailing boat, 72 x 80 units; it floats at (36, 68)."""
    width, height = 72, 80
    picture = np.zeros((height * TEXELS, width * TEXELS, 4), np.uint8)
    stroke(picture, (37, 66), (37, 3), (96, 68, 48), 1.0)
    x, y = grid(width, height)
    cloth = noise(width, height, (22, 22), seed=101, octaves=5)
    for corners, color, turn in (
        ([(38.4, 6), (48, 20), (58, 38), (66, 57), (38.4, 58)], (236, 222, 190), 1),
        ([(35.6, 9), (32, 30), (22, 48), (6, 59), (35.6, 59)], (204, 66, 46), -1),
    ):
        sail = np.zeros_like(picture)
        fill(sail, corners, (255, 255, 255))
        folds = relief(cloth * turn + 0.04 * np.sin(y / 2.4), 1.6) * (0.92 - turn * 0.007 * (x - 37))
        seams = 1 - 0.22 * (np.abs((y + 0.25 * x) % 9 - 4.5) > 4.1)
        lit = np.asarray(color, np.float32) * (folds * seams)[..., None]
        picture[:] = over(picture, cut_out(lit, sail[..., 3].astype(np.float32) / 255))
    fill(picture, [(37, 3), (37, 7), (46, 5)], (244, 190, 60))
    fill(picture, [(5, 62), (69, 62), (60, 75), (14, 75)], (112, 66, 40))
    for i in range(4):
        stroke(picture, (7 + 2.4 * i, 65 + 3 * i), (67 - 2.3 * i, 65 + 3 * i), (78 - 6 * i, 44 - 3 * i, 28), 0.5)
    fill(picture, [(3.5, 60.6), (70.5, 60.6), (69, 63), (5, 63)], (226, 190, 120))
    fill(picture, [(16, 53), (30, 53), (30, 60.6), (15, 60.6)], (146, 94, 58))
    fill(picture, [(18.5, 55), (26.5, 55), (26.5, 58.4), (18.5, 58.4)], (255, 220, 120))
    lantern = np.exp(-np.hypot(x - 22, y - 57) / 6)[..., None] * np.array([190, 130, 50])
    lit = picture[..., :3] + lantern * (picture[..., 3:] / 255)
    return np.dstack([lit.clip(0, 255), picture[..., 3]]).astype(np.uint8)


@cache
def dolphin() -> Picture:
    """Return a leaping dolphin, 42 x 24 units, swimming right."""
    picture = np.zeros((24 * TEXELS, 42 * TEXELS, 4), np.uint8)
    x, y = grid(42, 24)
    back = 15 - 10 * np.sin(np.clip((x - 4) / 33, 0, 0.999) * np.pi) ** 0.8
    thick = 7.4 * np.sin(np.clip((x - 5) / 33, 0, 0.999) ** 1.3 * np.pi) ** 0.7 + 0.8
    depth = (y - back) / thick
    inside = ramp(depth, -0.04, 0.04) * (1 - ramp(depth, 0.96, 1.04)) * ramp(x, 3, 4.5) * (1 - ramp(x, 37.5, 38.5))
    fill(picture, [(6, 13), (0.5, 10), (1.5, 15), (0.8, 20), (7, 15.6)], (58, 78, 112))
    fill(picture, [(17, 6.5), (14, 0.8), (22, 5.4)], (60, 82, 118))
    skin = gradient(
        depth,
        [
            (0, (156, 188, 214)),
            (0.25, (82, 112, 152)),
            (0.62, (62, 84, 122)),
            (0.7, (196, 206, 214)),
            (1, (226, 226, 222)),
        ],
    )
    skin = skin * (0.86 + 0.28 * noise(42, 24, (6, 3), seed=111))[..., None]
    picture = over(picture, cut_out(skin, inside))
    fill(picture, [(26, 12), (21, 20), (29, 13.6)], (50, 68, 102))
    fill(picture, [(36, 12.2), (41.5, 15), (36, 16)], (120, 148, 178))
    dab(picture, (33.6, 10.6), (0.6, 0.6), (16, 20, 34))
    return picture
