"""What people see of a painted frame: its colors, its light, and where it is painted at all.

Nothing here is remembered or painted on: the stylizer goes on from its own picture. So these settings act at once, cost
no iteration, and can be taken back without a trace.
"""

from typing import Literal

from torch import Tensor

from models.chroma import with_chroma_of
from models.level import with_level
from models.light import with_light_of

Color = Literal["style", "content", "matched"]


def finish(
    stylized: Tensor,
    content: Tensor,
    *,
    color: Color = "style",
    light: float = 0.0,
    mask: Tensor | None = None,
    level: Tensor | None = None,
) -> Tensor:
    """Return the painted frame as people see it, 1 x 3 x H x W; with the defaults ``stylized`` itself.

    Args:
        stylized: as it was painted, 1 x 3 x H x W in [0, 1].
        content: the frame as it came, of the same size.
        color: ``content`` gives the picture the frame's colors. ``matched`` is done before, by what is painted towards
            (``streamer.matching``); here it asks for the level.
        light: how far the light of wide areas follows the frame's.
        mask: 1 x 1 x H x W in [0, 1]: 1 is painted, 0 stays the frame.
        level: what the means of red, green and blue should be, 3; None: what they are. A matched frame's are known, and
            a few iterations after a flash the picture lacks most of the way there.
    """
    image = stylized if level is None else with_level(stylized, level)
    if light:
        image = with_light_of(content, image, light)
    if color == "content":
        image = with_chroma_of(content, image)
    return image if mask is None else content.lerp(image, mask)
