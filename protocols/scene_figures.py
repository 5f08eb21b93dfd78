"""What is near or moves by itself in the day of the built-in scene."""

from functools import cache

import numpy as np

from protocols.scene_brushes import TEXELS, Map, Picture, ball, crown, dab, fill, over, stroke


@cache
def oak() -> Picture:
    """Return a near tree: 86 x 150 units, its foot at (40, 146)."""
    picture = np.zeros((150 * TEXELS, 86 * TEXELS, 4), np.uint8)
    bark = [
        (34, 150),
        (36, 120),
        (36.5, 96),
        (32, 74),
        (35, 73),
        (40, 88),
        (44, 70),
        (47, 71),
        (44.5, 98),
        (45, 122),
        (49, 150),
    ]
    fill(picture, bark, (92, 68, 48))
    rng = np.random.default_rng(41)
    for _ in range(260):
        fx, fy = float(rng.uniform(0, 1)), float(rng.uniform(88, 149))
        left = 36.5 - max(0, fy - 118) * 0.06
        tone = np.array([148, 112, 78]) * (1.15 - 0.85 * fx + rng.normal(0, 0.1))
        start = (left + 0.6 + fx * 7.4, fy)
        stroke(
            picture,
            start,
            (start[0] + float(rng.normal(0, 0.3)), fy - float(rng.uniform(2, 6))),
            tone.clip(0, 255).tolist(),
            0.4,
        )
    for i, (cx, cy, rx, ry) in enumerate(
        [(58, 62, 22, 17), (22, 60, 18, 15), (40, 50, 26, 22), (54, 36, 20, 18), (28, 34, 20, 18), (41, 22, 20, 16)]
    ):
        crown(picture, (cx, cy), (rx, ry), (70, 116, 44), seed=42 + i)
    return picture


@cache
def balloon() -> Picture:
    """Return a hot-air balloon, 36 x 50 units."""

    def stripes(u: Map, v: Map) -> Map:
        around = np.arcsin(np.clip(u / np.sqrt(np.clip(1 - v * v, 0.02, 1)), -1, 1))
        stripe = np.floor(around / np.pi * 10 + 0.5).astype(int) % 3
        color = np.array([(214, 48, 40), (250, 198, 64), (246, 238, 222)], np.float32)[stripe]
        band = (np.abs(v - 0.12) < 0.11)[..., None]
        return np.where(band, np.array([36, 70, 140], np.float32), color)

    envelope = ball(16, stripes)
    picture = np.zeros((50 * TEXELS, 36 * TEXELS, 4), np.uint8)
    for start, end in ((8, 15), (28, 21), (18, 18)):
        stroke(picture, (start, 26), (end, 42), (70, 56, 46), 0.3)
    fill(picture, [(6.2, 25), (29.8, 25), (21, 36.5), (15, 36.5)], (178, 40, 36))
    fill(picture, [(19, 25), (29.8, 25), (21, 36.5), (18.5, 36.5)], (124, 26, 32))
    fill(picture, [(12, 25), (19, 25), (18.5, 36.5), (16.4, 36.5)], (226, 170, 54))
    picture[: 34 * TEXELS, 1 * TEXELS : 35 * TEXELS] = over(picture[: 34 * TEXELS, 1 * TEXELS : 35 * TEXELS], envelope)
    fill(picture, [(14.5, 41), (21.5, 41), (21, 46.5), (15, 46.5)], (150, 104, 58))
    fill(picture, [(18.5, 41), (21.5, 41), (21, 46.5), (18.5, 46.5)], (104, 68, 40))
    return picture


@cache
def toy_ball() -> Picture:
    """Return a beach ball, 20 x 20 units."""

    def wedges(u: Map, v: Map) -> Map:
        wedge = np.floor((np.arctan2(v, u) / np.pi + 1) * 3).astype(int) % 6
        color = np.array(
            [(226, 44, 40), (250, 246, 236), (40, 96, 196), (250, 246, 236), (248, 196, 50), (250, 246, 236)],
            np.float32,
        )[wedge]
        return np.where((np.hypot(u, v) < 0.2)[..., None], np.array([226, 44, 40], np.float32), color)

    return ball(9, wedges)


@cache
def bird() -> Picture:
    """Return a bird's body, 24 x 10 units, flying left."""
    picture = np.zeros((10 * TEXELS, 24 * TEXELS, 4), np.uint8)
    fill(picture, [(15, 5), (23.5, 3), (22, 5.4), (23.5, 7.4), (15, 6.6)], (56, 60, 74))
    dab(picture, (11, 5.4), (7, 2.2), (72, 76, 92))
    dab(picture, (10.5, 6.2), (5.6, 1.3), (226, 222, 216))
    dab(picture, (4.6, 4.6), (2, 1.7), (60, 64, 80))
    fill(picture, [(2.9, 4.2), (0.4, 5.3), (3, 5.5)], (236, 160, 48))
    dab(picture, (4, 4.2), (0.35, 0.35), (250, 250, 250))
    return picture


@cache
def wing() -> Picture:
    """Return a wing, 16 x 18 units, its root at (7, 17)."""
    picture = np.zeros((18 * TEXELS, 16 * TEXELS, 4), np.uint8)
    for i in range(9):
        tip = (6 + 9 * i / 8, 1.5 + 10 * (i / 8) ** 1.3)
        tone = 66 + 11 * i
        fill(
            picture,
            [(3.5 + 0.9 * i, 17.5), tip, (tip[0] + 1.6, tip[1] + 1), (6 + 0.8 * i, 17.5)],
            (tone, tone + 4, tone + 22),
        )
    return picture
