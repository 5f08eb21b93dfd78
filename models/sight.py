"""What a frame shows of what happened since the last one: a cut, or how everything moved.

It needs no painting. So the next frame can be looked at on the CPU while the GPU still paints this one.
"""

from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import torch
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

    since: int
    """The number of the frame before."""
    there: Tensor
    """From the present frame to the one before."""
    back: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A frame that was looked at."""

    number: int
    """Frames that were looked at count up."""
    scene: int
    """Which scene it belongs to. A frame of another size, and the first one after `Observer.reset`, begin a new one."""
    content: Tensor
    """1 x 3 x H x W, RGB in [0, 1]."""
    motion: Motion | None
    """Since the frame that was looked at before; None: it begins its scene."""

    def again(self) -> "Sight":
        """Return what the same frame shows when it comes once more: nothing moved."""
        flow = self.content.new_zeros(1, 2, *self.content.shape[2:])
        return Sight(self.number, self.scene, self.content, Motion(self.number, flow, flow))

    def to(self, device: torch.device | str) -> "Sight":
        """Return the same on another device."""
        motion = self.motion
        if motion is not None:
            motion = Motion(motion.since, motion.there.to(device), motion.back.to(device))
        return Sight(self.number, self.scene, self.content.to(device), motion)


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
        self._number = self._scene = 0
        self._lock = Lock()

    def observe(self, content: Tensor) -> Sight:
        """Return what the next frame, 1 x 3 x H x W in [0, 1], shows."""
        with self._lock:
            is_cut = self._cuts(content)
            last, self._last = self._last, content
            self._number += 1
            if is_cut or last is None or last.shape != content.shape:
                self._scene += 1
                return Sight(self._number, self._scene, content, None)
            motion = self.compare(content, last, since=self._number - 1)
            return Sight(self._number, self._scene, content, motion)

    def compare(self, content: Tensor, last: Tensor, *, since: int) -> Motion:
        """Return how a frame lies to the one of the number `since`, of the same size."""
        return Motion(since, there=self._flow(content, last), back=self._flow(last, content))

    def reset(self) -> None:
        """Forget what was seen: the next frame is the first."""
        with self._lock:
            self._last = None
            self._cuts.reset()
