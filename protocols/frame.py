"""The one thing that travels between threads, processes and machines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Painting:
    """What the painter did to a frame; it travels in the header, beside the picture."""

    iterations: int
    """Gradient iterations spent on this frame."""
    cut: bool = False
    """The picture was started afresh here."""
    temporal_error: float | None = None
    """RMSE over visible pixels between the warped last painting and this one; None after a cut."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture and its times.

    ``sequence`` grows within an ``epoch``; a gap means that frames were lost on the way. A new epoch means that the
    producer began anew and counts from anywhere.
    """

    image: NDArray[np.uint8]
    """H x W x 3, RGB, C-contiguous, never written to."""
    sequence: int
    pts: float
    """Seconds since the stream began."""
    captured_at: float
    """Wall clock, seconds since 1970: for other machines."""
    received_at: float
    """``time.monotonic()``, seconds: for our own latencies."""
    epoch: int = 0
    dropped: int = 0
    """Frames of this epoch before this one that were lost or left out on purpose, all together."""
    stale: bool = False
    """An older picture sent again because no newer one came."""
    painting: Painting | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that came but holds no frame. A source yields it, so that nothing is dropped unseen."""

    reason: str
    error: str
