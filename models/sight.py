"""What a frame shows of what happened since the last one: a cut, or how everything moved.

It needs no painting. So the next frame can be looked at on the CPU while the GPU still paints this one.
"""

from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from torch import Tensor

from models.flow import FlowEstimator


class CutDetector(Protocol):
    """Tells a scene cut in the frame where it happens."""

    def __call__(self, image: Tensor) -> bool:
        """Return whether `image`, 1 x 3 x H x W, begins a new scene after those seen before."""
        ...

    def reset(self) -> None:
        """Forget what was seen."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How two frames of a scene lie to each other; flows are 1 x 2 x H x W."""

    last: Tensor
    """The frame before, 1 x 3 x H x W."""
    there: Tensor
    """From the present frame to the last one."""
    back: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A frame that was looked at."""

    content: Tensor
    """1 x 3 x H x W, RGB in [0, 1]."""
    scene: int
    """Which scene it belongs to. A frame of another size, and the first one after `Observer.reset`, begin a new one."""
    motion: Motion | None
    """Since the frame that was looked at before; None: it begins its scene."""


class Observer:
    """Looks at one frame after the other, in order. Another thread may reset it.

    Args:
        flow: the optical flow.
        cuts: tells where a new scene begins.
    """

    def __init__(self, flow: FlowEstimator, cuts: CutDetector) -> None:
        self._flow = flow
        self._cuts = cuts
        self._last: Tensor | None = None
        self._scene = 0
        self._lock = Lock()

    def observe(self, content: Tensor) -> Sight:
        """Return what the next frame, 1 x 3 x H x W in [0, 1], shows."""
        with self._lock:
            is_cut = self._cuts(content)
            last, self._last = self._last, content
            if is_cut or last is None or last.shape != content.shape:
                self._scene += 1
                return Sight(content, self._scene, None)
            return Sight(content, self._scene, self.compare(content, last))

    def compare(self, content: Tensor, last: Tensor) -> Motion:
        """Return how two frames of the same size lie to each other."""
        return Motion(last, there=self._flow(content, last), back=self._flow(last, content))

    def reset(self) -> None:
        """Forget what was seen: the next frame is the first."""
        with self._lock:
            self._last = None
            self._cuts.reset()
