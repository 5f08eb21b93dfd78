"""A calm card for the time without a picture, in the colors of the painting."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SWATCHES = 5
DIMMED = 0.3
"""What is left of the light of the picture behind the card."""

Color = tuple[int, int, int]


def slate(picture: NDArray[np.uint8], painting: NDArray[np.uint8], *, title: str, detail: str) -> NDArray[np.uint8]:
    """Return a card with two lines of text over the picture, which is darkened and out of focus.

    Args:
        picture: H x W x 3, RGB.
        painting: whose colors the card has, any size.
        title: the first line, large.
        detail: the second line; left out where the card is too small to read it.

    Returns:
        A picture of the same size.
    """
    height, width = picture.shape[:2]
    colors = palette(painting)
    canvas = Image.fromarray(_dimmed(picture))
    draw = ImageDraw.Draw(canvas)
    unit = min(height, width / 1.6)
    lines = [(title, _fitting(title, 0.15 * unit, 0.8 * width)), (detail, _fitting(detail, 0.085 * unit, 0.8 * width))]
    shown = [(text, font) for text, font in lines if font.size >= 7] or lines[:1]
    heights = [1.3 * font.size for _, font in shown]
    bar = max(2, round(0.03 * unit))
    wide = max(font.getlength(text) for text, font in shown) + 0.16 * unit
    tall = sum(heights) + bar + 0.14 * unit
    left, top = (width - wide) / 2, (height - tall) / 2
    draw.rounded_rectangle((left, top, left + wide, top + tall), radius=0.04 * unit, fill=_darkest(colors))
    _swatches(draw, colors, (left + 0.08 * unit, top + 0.06 * unit, wide - 0.16 * unit, bar))
    middle = top + 0.06 * unit + bar + 0.02 * unit
    for (text, font), line in zip(shown, heights, strict=True):
        draw.text((width / 2, middle + line / 2), text, fill=_lightest(colors), font=font, anchor="mm")
        middle += line
    return np.asarray(canvas, dtype=np.uint8)


def palette(painting: NDArray[np.uint8]) -> list[Color]:
    """Return the main colors of a painting, the darkest first."""
    small = Image.fromarray(painting).resize((64, 64), Image.Resampling.BOX).quantize(SWATCHES)
    colors = np.unique(np.asarray(small.convert("RGB")).reshape(-1, 3), axis=0)
    return sorted(((int(red), int(green), int(blue)) for red, green, blue in colors), key=_light)


def _dimmed(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    blurred = cv2.GaussianBlur(picture, (0, 0), max(1.0, max(picture.shape[:2]) / 80))
    return np.asarray(blurred * DIMMED, dtype=np.uint8)


def _fitting(text: str, size: float, width: float) -> ImageFont.FreeTypeFont:
    """Return the font in which the text is at most so large and so wide."""
    font = _font(size)
    wide = font.getlength(text)
    return font if wide <= width else _font(size * width / wide)


def _font(size: float) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font; only a Pillow built without FreeType has another kind."""
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(max(1.0, size)))


def _swatches(draw: ImageDraw.ImageDraw, colors: list[Color], box: tuple[float, float, float, float]) -> None:
    left, top, wide, tall = box
    each = wide / len(colors)
    for number, color in enumerate(colors):
        draw.rectangle((left + number * each, top, left + (number + 1) * each, top + tall), fill=color)


def _darkest(colors: list[Color]) -> Color:
    """Return the darkest color, darker still if light letters would be hard to read on it."""
    return _scaled(colors[0], min(1.0, 40 / max(_light(colors[0]), 1.0)))


def _lightest(colors: list[Color]) -> Color:
    """Return the lightest color, mixed with white until it can be read."""
    light = _light(colors[-1])
    share = max(0.0, (200 - light) / (255 - light)) if light < 255 else 0.0
    red, green, blue = (round(value + share * (255 - value)) for value in colors[-1])
    return red, green, blue


def _scaled(color: Color, factor: float) -> Color:
    red, green, blue = (round(factor * value) for value in color)
    return red, green, blue


def _light(color: Color) -> float:
    """Return the luma, 0 to 255."""
    red, green, blue = color
    return 0.299 * red + 0.587 * green + 0.114 * blue
