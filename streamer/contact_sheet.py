"""One picture that shows what happens to a film: columns are moments, rows are source, flow and painted."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
"""H x W x 3, RGB."""
Flow = NDArray[np.float32]
"""H x W x 2, (dx, dy) in pixels."""

PAPER, INK, FAINT, FRAME = (255, 255, 255), (32, 33, 36), (110, 113, 118), (205, 207, 210)
LEGEND_SHARE = 0.3
"""Of a row's height: the color wheel beside the flows."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One column; all pictures have the same size."""

    source: Pixels
    motion: Flow
    """How far what a pixel shows has moved since the last painted frame."""
    painted: Pixels
    title: str
    note: str


def contact_sheet(moments: Sequence[Moment], *, caption: str, cell_width: int = 320) -> Pixels:
    """Return the picture.

    The flows share one scale: full color is the longest motion of all but the last hundredth of the pixels.

    Args:
        moments: at least one.
        caption: a line below.
        cell_width: of each picture in it, in pixels; everything else scales with it.
    """
    unit = cell_width / 40
    height, width = moments[0].source.shape[:2]
    cell = (cell_width, round(cell_width * height / width))
    longest = longest_motion([moment.motion for moment in moments])
    gap, left, top, bottom = round(unit), round(14 * unit), round(7.5 * unit), round(4.5 * unit)
    size = (left + len(moments) * (cell[0] + gap) + gap, top + 3 * (cell[1] + gap) + bottom)
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    large, small = (ImageFont.load_default(size=round(share * unit)) for share in (2.2, 1.8))
    for row, (name, note) in enumerate(_row_names(longest)):
        y = top + row * (cell[1] + gap)
        draw.text((2 * unit, y), name, INK, large)
        draw.multiline_text((2 * unit, y + 3 * unit), note, FAINT, small, spacing=round(0.6 * unit))
        if name == "flow":
            wheel = color_wheel(round(LEGEND_SHARE * cell[1]))
            page.paste(Image.fromarray(wheel), (round(2 * unit), y + cell[1] - wheel.shape[0]))
    for column, moment in enumerate(moments):
        x = left + column * (cell[0] + gap)
        draw.text((x, 1.5 * unit), moment.title, INK, large)
        draw.text((x, 4.4 * unit), moment.note, FAINT, small)
        for row, picture in enumerate((moment.source, flow_color(moment.motion, longest=longest), moment.painted)):
            y = top + row * (cell[1] + gap)
            page.paste(Image.fromarray(_scaled(picture, cell)), (x, y))
            draw.rectangle((x - 1, y - 1, x + cell[0], y + cell[1]), outline=FRAME)
    draw.text((left, size[1] - 3.4 * unit), caption, FAINT, small)
    return np.asarray(page, np.uint8)


def longest_motion(motions: Sequence[Flow]) -> float:
    """Return the 99th percentile of the lengths, in pixels; at least one, lest noise be shown as motion."""
    return max(1.0, float(np.percentile([np.linalg.norm(motion, axis=-1) for motion in motions], 99)))


def flow_color(flow: Flow, *, longest: float) -> Pixels:
    """Return the flow as colors: hue is the direction, saturation the length, and white is no motion.

    Red is to the right; the hue grows clockwise as seen on the screen: down is yellow-green, left cyan, up violet.

    Args:
        flow: pixels, x to the right and y down.
        longest: the length that has full color, as have longer ones.
    """
    degrees = np.degrees(np.arctan2(flow[..., 1], flow[..., 0])) % 360
    length = np.minimum(np.linalg.norm(flow, axis=-1) / longest, 1)
    hsv = np.stack([degrees, length, np.ones_like(length)], axis=-1).astype(np.float32)
    return np.asarray((cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).round(), np.uint8)


def color_wheel(side: int) -> Pixels:
    """Return the legend of `flow_color`: each pixel of a disk has the color of the motion from its center to it."""
    offsets = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side / 2)
    flow = np.stack(np.meshgrid(offsets, offsets), axis=-1)
    wheel = flow_color(flow, longest=1.0)
    edge = np.clip((1 - np.linalg.norm(flow, axis=-1, keepdims=True)) * side / 2, 0, 1)
    return np.asarray((edge * wheel + (1 - edge) * PAPER).round(), np.uint8)


def _row_names(longest: float) -> tuple[tuple[str, str], ...]:
    return (
        ("source", "as sent"),
        ("flow", f"since the last\npainted frame;\nfull color is\n{longest:.1f} px"),
        ("painted", "as received"),
    )


def _scaled(picture: Pixels, size: tuple[int, int]) -> Pixels:
    method = cv2.INTER_CUBIC if size[0] > picture.shape[1] else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
