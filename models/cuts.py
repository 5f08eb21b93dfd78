"""Tells a scene cut in the frame where it happens, and from a flash, a pan and a fade.

Two pictures of one scene resemble each other in two ways, neither of which minds a change of light:

* *Layout*: after the best shift, the brightness of one is nearly a function of the brightness of the other, whatever
  the function: a gain, a clipped gain, a fade. The correlation ratio (Roche et al. 1998) measures it.
* *Detail*: the phase correlation of their edges has a sharp peak, even if half of the picture moves or is new.

A cut has neither. The sum of both falls below a threshold that is lowered while the scene itself is restless. After a
flash the picture resembles the one before the flash, so a few earlier pictures are asked too before a cut is called.
"""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_LONG_SIDE = 64  # small enough to be fast and blind to noise; a car in the distance does not matter
_FLASH_FRAMES = 3  # the longest flash that is told from two cuts
_LIKENESS = 0.8  # two frames of a scene are more alike; measured: cuts mostly 0.3 to 0.7, fast traffic from 1.0
_RESTLESS = 0.55  # a cut is at least so much less alike than the frames before it
_FLAT = 0.012  # below this standard deviation of brightness a picture shows nothing to compare
_JUMP = 0.06  # out of nothing, a cut appears by at least so much contrast at once; a fade in needs longer
_BLACK = 0.015  # darker is a letterbox bar or nothing at all: it makes no two pictures alike and has no contrast
_LEVELS = 24
_MAX_SHIFT = 0.2  # of the width: a pan moves less from frame to frame


@dataclass(frozen=True, slots=True, eq=False)
class _Glance:
    """What is kept of a frame."""

    gray: NDArray[np.float32]
    """H x W with sides up to 64, brightness in [0, 1]."""
    spectrum: NDArray[np.complex64]
    """Fourier transform of its edges, whitened and of unit energy."""
    contrast: float
    """Standard deviation of the brightness where there is light."""

    @property
    def is_flat(self) -> bool:
        return self.contrast < _FLAT


class CutDetector:
    """Says for each frame whether it begins a new scene; looks at earlier frames only."""

    def __init__(self) -> None:
        self._past: deque[_Glance] = deque(maxlen=_FLASH_FRAMES + 1)
        self._likenesses: deque[float] = deque(maxlen=3)

    def reset(self) -> None:
        """Forget all frames: the next one is the first."""
        self._past.clear()
        self._likenesses.clear()

    def __call__(self, image: Tensor) -> bool:
        """Return whether `image`, 1 x 3 x H x W in [0, 1], begins a new scene. The very first frame does not."""
        present = _look(image)
        if self._past and self._past[-1].gray.shape != present.gray.shape:
            self.reset()
        is_cut = bool(self._past) and self._is_cut(present)
        if is_cut:
            self.reset()
        self._past.append(present)
        return is_cut

    def _is_cut(self, present: _Glance) -> bool:
        if present.is_flat:
            return False
        last = self._past[-1]
        threshold = min(_LIKENESS, _RESTLESS * float(np.median(self._likenesses or [np.inf])))
        if not last.is_flat:
            self._likenesses.append(_likeness(last, present))
            if self._likenesses[-1] >= threshold:
                return False
        before_the_flash = (past for past in list(self._past)[-2::-1] if not past.is_flat)
        if any(_likeness(past, present) >= threshold for past in before_the_flash):
            return False
        return not last.is_flat or present.contrast - last.contrast > _JUMP


def _look(image: Tensor) -> _Glance:
    height, width = image.shape[-2:]
    scale = _LONG_SIDE / max(height, width)
    size = max(8, round(height * scale)), max(8, round(width * scale))
    gray = torch.nn.functional.adaptive_avg_pool2d(image.detach().float().mean(1), size)[0].cpu().numpy()
    edges = cv2.Laplacian(np.log(gray + 0.05), cv2.CV_32F, ksize=3).clip(-1.0, 1.0)
    light = gray[cv2.erode((gray > _BLACK).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0]
    spectrum = np.fft.rfft2(edges * _window(*size))
    spectrum /= np.abs(spectrum) + 1e-3
    spectrum /= np.sqrt((np.abs(spectrum) ** 2).mean()) + 1e-9
    return _Glance(gray, spectrum.astype(np.complex64), float(light.std()) if light.size else 0.0)


@lru_cache(maxsize=4)
def _window(height: int, width: int) -> NDArray[np.float64]:
    """Return a window that fades the borders out, which a Fourier transform would join to each other."""
    return np.outer(np.hanning(height), np.hanning(width))


def _likeness(past: _Glance, present: _Glance) -> float:
    """Return how alike two pictures are, 0 to 3: their layout (0 to 1) and twice the peak of their details (0 to 1)."""
    height, width = past.gray.shape
    correlation = np.fft.irfft2(present.spectrum * past.spectrum.conj(), s=(height, width))
    down, right = (int(place) for place in np.unravel_index(correlation.argmax(), correlation.shape))
    down, right = (down + height // 2) % height - height // 2, (right + width // 2) % width - width // 2
    layout = _layout(past.gray, present.gray)
    if 0 < max(abs(down), abs(right)) <= _MAX_SHIFT * width:
        layout = max(layout, _layout(*_overlap(past.gray, present.gray, down, right)))
    return layout + 2.0 * float(correlation.max())


def _overlap(
    past: NDArray[np.float32], present: NDArray[np.float32], down: int, right: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what both pictures show if the scene moved down and to the right by so many pixels."""
    height, width = past.shape
    rows, columns = height - abs(down), width - abs(right)
    top, left = max(0, down), max(0, right)
    before = past[top - down : top - down + rows, left - right : left - right + columns]
    return before, present[top : top + rows, left : left + columns]


def _layout(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the share of a picture's variance that a function of the other explains, the better of both directions.

    Both directions, since of a picture and its clipped flash only the flash is a function of the other.
    """
    shown = np.maximum(one, other) > _BLACK
    one, other = one[shown], other[shown]
    return max(_correlation_ratio(one, other), _correlation_ratio(other, one)) if one.size else 0.0


def _correlation_ratio(given: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    low, high = float(given.min()), float(given.max())
    level = ((given - low) * ((_LEVELS - 0.01) / max(high - low, 1e-6))).astype(np.intp)
    count = np.maximum(np.bincount(level, minlength=_LEVELS), 1)
    sums = np.bincount(level, values - values.mean(), minlength=_LEVELS)
    return float((sums**2 / count).sum() / (values.var() * values.size + 1e-9))
