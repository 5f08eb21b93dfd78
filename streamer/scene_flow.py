"""How far an optical flow is from the true one, on the built-in scene, whose every motion is known."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protocols import scene
from streamer.pixels import to_tensor


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two neighboring frames of the scene and what happened between them."""

    origin: Tensor
    """1 x 3 x H x W, RGB in [0, 1]."""
    target: Tensor
    known: NDArray[np.float32]
    """The true flow, H x W x 2, pixels."""
    visible: NDArray[np.bool_]
    """Where it holds: what origin shows there is seen in target, too."""

    @classmethod
    def of(cls, index: int, *, width: int, height: int, device: torch.device) -> "Pair":
        """Return the frames ``index`` and the next one."""
        size = {"width": width, "height": height}
        origin, target = (
            to_tensor(scene.render(each, **size), size=max(width, height), device=device) for each in (index, index + 1)
        )
        return cls(origin, target, scene.flow(index, index + 1, **size), scene.visible(index, index + 1, **size))

    def error(self, flow: Tensor) -> float:
        """Return the end-point error of a flow, 1 x 2 x H x W: the mean distance to the true one, pixels."""
        return self._mean_length(flow[0].permute(1, 2, 0).cpu().numpy() - self.known)

    @property
    def motion(self) -> float:
        """How far things moved: the error of whoever says that nothing did."""
        return self._mean_length(self.known)

    def _mean_length(self, vectors: NDArray[np.float32]) -> float:
        return float(np.linalg.norm(vectors, axis=2)[self.visible].mean())
