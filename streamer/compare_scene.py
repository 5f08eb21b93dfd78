"""What is painted: some frames of one scene, and how each lies to the one before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from models.consistency import temporal_error_along
from models.cuts import CutDetector
from models.flow import DIS
from models.warp import visible_mask, warp
from streamer.config import ConfigError
from streamer.pixels import to_tensor
from streamer.quality import Clip, read_clip
from streamer.steadiness import mean_error

FLASH_GAIN = 1.6
"""As that of the built-in scene."""
FLASH_FRAMES = 2
RESTLESS_LIGHT = 0.08
"""A clip whose mean brightness jumps by so much between two frames has a flash of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """How one frame lies to the one before it."""

    there: Tensor
    """From this frame to the last one, 1 x 2 x H x W, pixels."""
    visible: Tensor
    """Which pixels were seen in the last one, 1 x 1 x H x W, bool."""

    @classmethod
    def between(cls, last: Tensor, frame: Tensor) -> "Passage":
        """Return the passage from the last frame to this one; always found by DIS, whatever the painter uses."""
        flow = DIS()
        there = flow(frame, last)
        return cls(there, visible_mask(there, flow(last, frame)))

    def moved(self, last: Tensor) -> Tensor:
        """Return the last picture as seen from this frame."""
        return warp(last, self.there, sharp=True).clamp(0, 1)

    def error(self, last: Tensor, image: Tensor) -> float | None:
        """Return the RMSE between two neighboring pictures where this one's pixels were visible."""
        return temporal_error_along(last, image, self.there, self.visible)

    @property
    def hidden_share(self) -> float:
        """Share of the pixels that were not seen in the last frame."""
        return 1 - float(self.visible.float().mean())


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Frames of a clip, each 1 x 3 x H x W in [0, 1], and the passage to each but the first."""

    clip: Clip
    frames: Sequence[Tensor]
    passages: Sequence[Passage]

    @property
    def name(self) -> str:
        """What people call it."""
        return "the built-in scene" if self.clip.source.startswith("test:") else Path(self.clip.source).name

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.frames[0].shape[2:]
        return width, height

    def number(self, place: int) -> int:
        """Return which frame of the clip it is that stands at ``place`` here."""
        return self.clip.start + self.clip.every * place

    def tail(self, count: int) -> "Scene":
        """Return the last ``count`` frames."""
        left_out = len(self.frames) - count
        clip = replace(self.clip, start=self.number(left_out), frames=count)
        return Scene(clip, self.frames[left_out:], self.passages[left_out:])

    def temporal_rmse(self, images: Sequence[Tensor]) -> float | None:
        """Return the mean temporal error of one picture for each frame; None of a single one."""
        pairs = zip(self.passages, images, images[1:], strict=False)
        return mean_error([passage.error(last, image) for passage, last, image in pairs])

    def flashed(self) -> tuple["Scene", Sequence[int]]:
        """Return the scene with a flash in it, and the places of the frames that we lit; none if it has one."""
        light = brightness(self.frames)
        if any(abs(after - before) > RESTLESS_LIGHT for before, after in pairwise(light)):
            return self, ()
        first = 2 * len(self.frames) // 3
        places = range(first, min(first + FLASH_FRAMES, len(self.frames)))
        frames = [
            (frame * FLASH_GAIN).clamp(0, 1) if place in places else frame for place, frame in enumerate(self.frames)
        ]
        return replace(self, frames=frames), places


def read_scene(clip: Clip, *, device: torch.device) -> Scene:
    """Return the chosen frames of a clip.

    Raises:
        ConfigError: it cannot be read, has too few, or there is a cut among them.
    """
    frames = [to_tensor(frame.image, size=clip.size, device=device) for frame in read_clip(clip)]
    is_cut = CutDetector()
    for place, frame in enumerate(frames):
        if is_cut(frame.cpu()) and place:
            number = clip.start + clip.every * place
            raise ConfigError(
                f"clip: {clip.source}: a new scene begins at frame {number}; expected {clip.frames} frames of one "
                f"scene, every {clip.every}, from {clip.start} on: choose others with --start, --every and --frames"
            )
    return Scene(clip, frames, [Passage.between(last, frame) for last, frame in pairwise(frames)])


def brightness(images: Sequence[Tensor]) -> list[float]:
    """Return the mean luminance (Rec. 709) of each picture."""
    weights = images[0].new_tensor([0.2126, 0.7152, 0.0722])
    return [float(image[0].mean((1, 2)) @ weights) for image in images]
