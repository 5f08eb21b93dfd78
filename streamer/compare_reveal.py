"""What comes into sight from one frame to the next, marked and shown larger."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.stylizer import SAME_COLOR
from streamer.compare_scene import Scene
from streamer.contact_sheet import INK, PAPER, Pixels
from streamer.pixels import to_pixels

MARK = (235, 64, 52)
UNSURE = 0.3
"""How strongly what only the flow is unsure of is marked."""
CLOSER_SHARE = 0.34
"""Of a picture's sides: the part that is shown larger."""
CLOSER_PX = 480
"""How wide it is shown at least."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Reveal:
    """What is seen in a frame and was not in the one before."""

    place: int
    """Of the earlier frame in its scene."""
    hidden: Mask
    """Where the flow there and the flow back disagree, H x W."""
    revealed: Mask
    """Where, besides, nothing of that color was."""
    top: int
    left: int
    height: int
    width: int
    """The part in which most of the picture is new."""
    amount: float
    """How much is new there."""

    @classmethod
    def at(cls, scene: Scene, place: int) -> "Reveal":
        """Return what the step from the frame at ``place`` to the next one reveals."""
        passage, frame = scene.passages[place], scene.frames[place + 1]
        difference = (passage.moved(scene.frames[place]) - frame).abs()[0].amax(0).cpu().numpy()
        hidden: Mask = ~passage.visible[0, 0].cpu().numpy()
        revealed: Mask = hidden & (difference >= SAME_COLOR)
        news = np.where(revealed, difference, 0).astype(np.float32)
        height, width = (max(8, round(CLOSER_SHARE * side)) for side in news.shape)
        sums = cv2.boxFilter(news, -1, (width, height), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT)
        inside = sums[: news.shape[0] - height + 1, : news.shape[1] - width + 1]
        top, left = (int(each) for each in np.unravel_index(int(inside.argmax()), inside.shape))
        return cls(place, hidden, revealed, top, left, height, width, float(inside.max()))

    def marked(self, image: Tensor) -> Pixels:
        """Return a picture, pale, with what is new in red, and the part in a box."""
        frame = to_pixels(image)
        gray = 96 + 0.6 * cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
        share = np.where(self.revealed, 1.0, np.where(self.hidden, UNSURE, 0.0))[..., None]
        shown = np.ascontiguousarray(((1 - share) * gray + share * np.array(MARK)).astype(np.uint8))
        corners = (self.left, self.top), (self.left + self.width - 1, self.top + self.height - 1)
        cv2.rectangle(shown, *corners, PAPER, 2)
        return np.asarray(cv2.rectangle(shown, *corners, INK, 1), np.uint8)

    def closer(self, image: Tensor) -> Pixels:
        """Return the part of a picture in the picture's own shape, with an outline around what is new."""
        height, width = image.shape[2:]
        scale = max(1.0, CLOSER_PX / width)
        size = (round(width * scale), round(height * scale))
        here = (slice(self.top, self.top + self.height), slice(self.left, self.left + self.width))
        part = np.asarray(cv2.resize(to_pixels(image)[here], size, interpolation=cv2.INTER_CUBIC), np.uint8)
        smooth = cv2.GaussianBlur(self.revealed[here].astype(np.float32), (0, 0), 1.0)
        mask = (cv2.resize(smooth, size, interpolation=cv2.INTER_CUBIC) > 0.5).astype(np.uint8)
        part[cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0] = PAPER
        return part
