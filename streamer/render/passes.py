"""Back-tracking over the pieces of a scene: each frame is painted once more, held to both of its neighbors."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.backtracking import Neighbor, beside, order, repaint
from models.descent import Budget
from streamer.render.atelier import Atelier
from streamer.render.survey import Pixels

Fine = NDArray[np.uint16]
"""A painting between two passes: 16 bits a channel, H x W x 3."""
_FULL = 65535


def to_fine(image: Tensor) -> Fine:
    """Return an image, 1 x 3 x H x W in [0, 1], to be kept between passes."""
    rounded = (image[0].permute(1, 2, 0) * _FULL).round().clamp(0, _FULL)
    return np.ascontiguousarray(rounded.to(torch.int32).cpu().numpy().astype(np.uint16))


def from_fine(kept: Fine, device: torch.device) -> Tensor:
    """Return the image again."""
    image = torch.from_numpy(kept.astype(np.float32)).to(device).permute(2, 0, 1)[None]
    return image.contiguous() / _FULL


def repainted(
    atelier: Atelier,
    contents: Sequence[Pixels],
    paintings: Sequence[Fine],
    *,
    number: int,
    inner: range,
    painted: Callable[[int, Fine], None],
) -> list[Fine]:
    """Return neighboring frames after one more pass.

    Args:
        atelier: paints.
        contents: the frames, and the one on either side where the scene has one.
        paintings: the newest painting of each of them.
        number: of the pass, from 2.
        inner: the places of the frames that are painted once more.
        painted: told after each frame its place and its painting.
    """
    newest = list(paintings)
    for turn in order(len(inner), number):
        place = inner[turn]
        newest[place] = _repainted(atelier, contents, newest, place)
        painted(place, newest[place])
    return [newest[place] for place in inner]


def _repainted(atelier: Atelier, contents: Sequence[Pixels], newest: Sequence[Fine], place: int) -> Fine:
    neighbors = [
        Neighbor(atelier.tensor(contents[other]), from_fine(newest[other], atelier.device))
        for other in beside(place, len(contents))
    ]
    content = atelier.tensor(contents[place])
    painted = repaint(
        atelier.aim(content).engine.objective,
        content=content,
        image=from_fine(newest[place], atelier.device),
        neighbors=neighbors,
        flow=atelier.engine.flow,
        budget=Budget(atelier.job.iterations),
        loop=atelier.loop,
    )
    atelier.check()
    return to_fine(painted.image)


def developed(atelier: Atelier, frame: Pixels, kept: Fine) -> Pixels:
    """Return what people see of a painting that was kept."""
    content = atelier.tensor(frame)
    return atelier.seen(content, from_fine(kept, atelier.device), atelier.aim(content))
