"""What a stylizer carries from frame to frame, and its form outside of the process: tensors by name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.descent import Moments
from models.lbfgs import CARRIED_MAPS
from models.objective import Boosts
from models.rest import Rest
from models.warp import warp

ROUNDING = 1e-3
"""What is moved by interpolation may leave its range by a little."""

_CHANNELS = {"content": 3, "image": 3, "mean": 3, "square": 3, "heat": 1, "rest": 3}
_OPTIONAL = ("history", "boosts")
"""Of L-BFGS, and of terms that have their shares."""
_FROM_ZERO = {"content", "image", "square", "heat", "rest"}
_TO_ONE = _FROM_ZERO - {"square"}


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The last frame and how it was painted. Nobody changes these tensors any more: any thread may read them."""

    content: Tensor
    """The frame, 1 x 3 x H x W, RGB in [0, 1]."""
    image: Tensor
    """Its painting, as `content`."""
    moments: Moments
    rest: Rest
    number: int = 0
    """The frame's number by the observer of this process."""
    scene: int = 0
    """Its scene, likewise."""

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Memory":
        """Return the memory whose `tensors` these are, wherever they come from.

        Raises:
            ValueError: they cannot be, and what was expected.
        """
        names = [*_CHANNELS, "count"]
        if sorted({*tensors} - {*_OPTIONAL}) != sorted(names):
            raise ValueError(f"tensors must be {', '.join(names)}, got {', '.join(sorted(tensors))[:200]}")
        size = _size(tensors["content"])
        for name, channels in _CHANNELS.items():
            _check(name, tensors[name], shape=(1, channels, *size))
        count = tensors["count"]
        if count.shape != () or count.dtype != torch.int64 or int(count) < 0:
            raise ValueError(f"count must be a whole number from 0, got {count.dtype} of {tuple(count.shape)}")
        history = tensors.get("history")
        if history is not None:
            _check("history", history, shape=(1, CARRIED_MAPS, *size))
        boosts = None if "boosts" not in tensors else _boosts(tensors["boosts"])
        return cls(
            content=tensors["content"],
            image=tensors["image"],
            moments=Moments(tensors["mean"], tensors["square"], int(count), history, boosts),
            rest=Rest(tensors["heat"], tensors["rest"]),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return all that another process needs to go on, on the CPU; where it is there already, nothing is copied."""
        maps = {
            "content": self.content,
            "image": self.image,
            "mean": self.moments.mean,
            "square": self.moments.square,
            "heat": self.rest.heat,
            "rest": self.rest.content,
        }
        if self.moments.history is not None:
            maps["history"] = self.moments.history
        numbers = {"count": torch.tensor(self.moments.count)}
        if self.moments.boosts is not None:
            numbers["boosts"] = torch.tensor(self.moments.boosts, dtype=torch.float64)
        return {**{name: tensor.cpu() for name, tensor in maps.items()}, **numbers}

    def to(self, device: torch.device | str) -> "Memory":
        """Return the same on another device."""
        return replace(
            self,
            content=self.content.to(device),
            image=self.image.to(device),
            moments=self.moments.to(device),
            rest=Rest(self.rest.heat.to(device), self.rest.content.to(device)),
        )

    def moved(self, flow: Tensor) -> "Memory":
        """Return everything as seen from the present frame.

        The painting is moved alone, with a spline. All else is moved together: to find the places costs the most.
        """
        moments, rest = self.moments, self.rest
        optional = () if moments.history is None else (moments.history,)
        maps = (self.content, moments.mean, moments.square, rest.heat, rest.content, *optional)
        moved = torch.split(warp(torch.cat(maps, 1), flow), [each.shape[1] for each in maps], 1)
        content, mean, square, heat, rest_content, *history = (each.contiguous() for each in moved)
        return replace(
            self,
            content=content,
            image=warp(self.image, flow, sharp=True).clamp(0, 1),
            moments=replace(moments, mean=mean, square=square, history=history[0] if history else None),
            rest=Rest(heat, rest_content),
        )


def _size(content: Tensor) -> tuple[int, int]:
    if content.dim() != 4 or 0 in content.shape:
        raise ValueError(f"content must be 1 x 3 x H x W, got {tuple(content.shape)}")
    height, width = content.shape[2:]
    return height, width


def _boosts(tensor: Tensor) -> Boosts:
    if tensor.shape != (4,) or tensor.dtype != torch.float64 or not bool((tensor > 0).all() & tensor.isfinite().all()):
        raise ValueError(f"boosts must be four finite float64 above 0, got {tensor.dtype} of {tuple(tensor.shape)}")
    content, style, variation, temporal = tensor.tolist()
    return content, style, variation, temporal


def _check(name: str, tensor: Tensor, *, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
        raise ValueError(f"{name} must be float32 of {shape}, got {tensor.dtype} of {tuple(tensor.shape)}")
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} must be finite")
    low, high = float(tensor.min()), float(tensor.max())
    if (name in _FROM_ZERO and low < -ROUNDING) or (name in _TO_ONE and high > 1 + ROUNDING):
        limits = "[0, 1]" if name in _TO_ONE else "[0, inf)"
        raise ValueError(f"{name} must be in {limits}, got {low:.3g} to {high:.3g}")
