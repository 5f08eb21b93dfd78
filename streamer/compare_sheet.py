"""The comparison's figures as pictures for a paper or a README, laid out by matplotlib."""

import io
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from streamer.compare_curves import PRINT, charts, drawn
from streamer.compare_plates import Plate, Tile, plates
from streamer.compare_study import Study
from streamer.config import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_BYTES = 300_000
"""Of one picture: what a page that shows several can bear."""
SCALES, QUALITIES = (1.0, 0.85, 0.7, 0.6, 0.5, 0.35), (92, 86, 80, 74)
WIDTH_INCHES, DPI = 9.0, 120
LABEL_INCHES = 0.3
MARGIN = 0.01
"""Of the picture's sides."""


def write_pictures(folder: Path, studies: Sequence[Study]) -> None:
    """Write the figures of each pair of clip and painting; of several pairs, the names are numbered.

    Raises:
        ConfigError: one cannot be written.
    """
    for number, study in enumerate(studies, 1):
        prefix = "" if len(studies) == 1 else f"{number}-"
        figures = {plate.name: sheet(plate) for plate in plates(study)}
        shown = charts(study.found)
        if shown:
            figures["curves"] = drawn(shown, PRINT)
        for name, figure in figures.items():
            path = folder / f"{prefix}{name}.jpg"
            try:
                path.write_bytes(as_jpeg(figure))
            except OSError as error:
                raise ConfigError(f"pictures: {path} cannot be written: {error.strerror}") from None


def sheet(plate: Plate) -> "Figure":
    """Return a plate's tiles in its columns, each below its words."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    height, width = plate.tiles[0].picture.shape[:2]
    rows = -(-len(plate.tiles) // plate.columns)
    tile_inches = WIDTH_INCHES / plate.columns * height / width
    figure = Figure(figsize=(WIDTH_INCHES, rows * (tile_inches + LABEL_INCHES)), dpi=DPI, facecolor="white")
    grid = figure.subplots(rows, plate.columns, squeeze=False)
    figure.subplots_adjust(left=MARGIN, right=1 - MARGIN, bottom=MARGIN, top=1 - LABEL_INCHES / figure.get_figheight(),
                           wspace=0.03, hspace=LABEL_INCHES / tile_inches)  # fmt: skip
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, tile in zip(grid.flat, plate.tiles, strict=False):
        _draw(axes, tile)
    return figure


def _draw(axes: "Axes", tile: Tile) -> None:
    axes.imshow(tile.picture, interpolation="lanczos")
    axes.set_title(tile.label, loc="left", fontsize=9, fontweight="bold", color=PRINT.text, pad=3)
    axes.set_title(tile.note, loc="right", fontsize=8, color=PRINT.dim, pad=3)


def as_jpeg(figure: "Figure") -> bytes:
    """Return the figure as a JPEG that is small enough: as large as possible, then as good as possible."""
    drawing = io.BytesIO()
    figure.savefig(drawing, format="png", dpi=DPI)
    drawn_whole = Image.open(drawing).convert("RGB")
    content = b""
    for scale, quality in product(SCALES, QUALITIES):
        size = (round(drawn_whole.width * scale), round(drawn_whole.height * scale))
        file = io.BytesIO()
        drawn_whole.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=quality, optimize=True)
        content = file.getvalue()
        if len(content) <= LARGEST_BYTES:
            break
    return content
