"""``deepmovie compare``: how near to the painting and how steady a clip is painted, in figures and as a picture."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from streamer.config import ConfigError
from streamer.engine import choose_device, make_engine
from streamer.paint import Paint
from streamer.pixels import to_pixels, to_tensor
from streamer.quality import Clip, Film, Mark, Row, as_table, paint_alone, paint_film, read_clip


@dataclass(frozen=True, slots=True)
class Effort:
    """How many iterations each way of painting gets."""

    live: Sequence[int] = (2,)
    """Per frame, for the daemon's own way; one row each."""
    independent: int = 150
    """Per frame, for painting each frame from itself."""
    independent_frames: int = 3
    """The last ones of the clip."""
    reference: int = 300
    """For the energy that counts as reached."""


def compare(clip: Clip, paint: Paint, effort: Effort, *, out: Path | None, as_json: bool) -> int:
    """Paint a clip in two ways, print a table or JSON, and return the exit code.

    Args:
        clip: what to paint.
        paint: style, weights and device.
        effort: iterations.
        out: a PNG for the pictures: the source, then a row for each way.
        as_json: print JSON.

    Raises:
        ConfigError: the clip cannot be read or is too short, or the style or the weights cannot be used.
    """
    if out:
        _check_writable(out)  # before minutes of work
    device, _ = choose_device(paint.device)
    frames = [to_tensor(frame.image, size=clip.size, device=device) for frame in read_clip(clip)]
    engine = make_engine(paint, device=device, size=clip.size)
    last = frames[-effort.independent_frames :]
    total = len(frames) * sum(effort.live) + len(last) * effort.independent + effort.reference
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("painting", total=total)

        def tick(iterations: int) -> None:
            progress.advance(task, iterations)

        reference = paint_alone(engine.objective, frames[-1], effort.reference)
        mark = Mark.between(engine.objective, frames[-1], reference)
        tick(effort.reference)
        films = [paint_film(engine, "carried", frames, iterations, tick=tick) for iterations in effort.live]
        films.append(paint_film(engine, "independent", last, effort.independent, tick=tick))
    if out:
        _save(out, frames, films)
    rows = [film.row(engine.objective, [mark]) for film in films]
    (_print_json if as_json else _print_table)(rows, mark)
    return 0


def _check_writable(out: Path) -> None:
    existed = out.exists()
    try:
        out.open("ab").close()
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written: {error.strerror}") from None
    if not existed:
        out.unlink()


def _save(out: Path, frames: Sequence[Tensor], films: Sequence[Film]) -> None:
    """Write the source's last frames and each film's, below each other."""
    count = min(len(film.images) for film in films)
    rows = [[to_pixels(image) for image in row[-count:]] for row in (frames, *(film.images for film in films))]
    picture = np.vstack([np.hstack(row) for row in rows])
    encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    try:
        out.write_bytes(encoded.tobytes())
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written: {error.strerror}") from None


def _print_json(rows: Sequence[Row], mark: Mark) -> None:
    energy = {"start": mark.start, "reference": mark.reference}
    print(json.dumps({"energy": energy, "rows": [asdict(row) for row in rows]}, indent=2))  # noqa: T201 - asked for


def _print_table(rows: Sequence[Row], mark: Mark) -> None:
    title = f"energy of the frame itself {mark.start:.2f}, of the reference {mark.reference:.2f}"
    Console().print(as_table(title, rows))
