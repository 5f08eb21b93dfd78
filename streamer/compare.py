"""``deepmovie compare``: how near to the painting and how steady a clip is painted, in figures and as a picture."""

import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from models.adjoint import AdjointObjective
from models.descent import Budget, descend
from models.flow import DIS
from models.stylizer import Stylizer
from protocols.errors import SourceError
from protocols.frame import Frame
from protocols.url import UrlError, source_from
from protocols.wire import Limits
from streamer.config import ConfigError, Input, Paint
from streamer.engine import Engine, choose_device, make_engine
from streamer.painter import to_pixels, to_tensor
from streamer.steadiness import Shown, mean_error, steps


@dataclass(frozen=True, slots=True)
class Clip:
    """Which frames to paint, and how large."""

    source: str
    start: int = 0
    every: int = 1
    frames: int = 12
    size: int = 256


@dataclass(frozen=True, slots=True)
class Effort:
    """How many iterations each way of painting gets."""

    live: Sequence[int] = (2,)
    """Per frame, for the live method; one row each."""
    independent: int = 150
    """Per frame, for painting each frame from itself."""
    independent_frames: int = 3
    """The last ones of the clip."""
    reference: int = 300
    """For the energy that counts as reached."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to paint the clip."""

    method: str
    iterations: int
    gap: float
    """(E - E_ref) / (E_start - E_ref) at the clip's last frame: 0 is as good as the reference, 1 the frame itself."""
    temporal_rmse: float | None
    """Mean over neighboring frames, of the pixels visible in both; None of a single frame."""
    seconds_per_frame: float
    painted: list[Tensor] = field(repr=False)


def compare(clip: Clip, paint: Paint, effort: Effort, *, out: Path | None, as_json: bool) -> int:
    """Paint a clip in every way, print a table or JSON, and return the exit code.

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
    steps = len(frames) * sum(effort.live) + effort.independent_frames * effort.independent + effort.reference
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("painting", total=steps)
        start, reference = bounds(engine.objective, frames[-1], effort.reference)
        progress.advance(task, effort.reference)
        rows = []
        for iterations in effort.live:
            rows.append(live(engine, frames, iterations, start=start, reference=reference))
            progress.advance(task, iterations * len(frames))
        last = frames[-effort.independent_frames :]
        rows.append(independent(engine.objective, last, effort.independent, start=start, reference=reference))
    if out:
        _save(out, frames, rows)
    (_print_json if as_json else _print_table)(rows, start, reference)
    return 0


def read_clip(clip: Clip) -> list[Frame]:
    """Return the chosen frames of a film.

    Raises:
        ConfigError: it cannot be read, or has too few.
    """
    needed = range(clip.start, clip.start + clip.every * clip.frames, clip.every)
    timeouts = Input()
    try:
        source = source_from(
            clip.source,
            limits=Limits(),
            open_timeout_s=timeouts.open_timeout_s,
            stall_timeout_s=timeouts.stall_timeout_s,
        )
        found = (item for item in source.frames(Event()) if isinstance(item, Frame))
        frames = list(itertools.islice(found, needed.start, needed.stop, needed.step))
    except (UrlError, SourceError) as error:
        raise ConfigError(f"clip: {error}") from None
    if len(frames) < clip.frames:
        raise ConfigError(f"clip: needs {clip.frames} frames from {clip.start}, every {clip.every}; got {len(frames)}")
    return frames


def live(engine: Engine, frames: Sequence[Tensor], iterations: int, *, start: float, reference: float) -> Row:
    """Return how the daemon's own method paints the frames, from a cold start."""
    stylizer = Stylizer(engine.objective, flow=DIS(), cuts=_NoCuts(), fill=engine.fill)
    began = time.perf_counter()
    painted = [stylizer.step(frame, Budget(iterations)).image for frame in frames]
    seconds = (time.perf_counter() - began) / len(frames)
    gap = _gap(engine.objective, frames[-1], painted[-1], start, reference)
    return Row("live", iterations, gap, _steadiness(frames, painted), seconds, painted)


def independent(
    objective: AdjointObjective, frames: Sequence[Tensor], iterations: int, *, start: float, reference: float
) -> Row:
    """Return how the paper's first method paints the frames: each from itself, y_t = ST(x_t, x_t, x^s)."""
    began = time.perf_counter()
    budget = Budget(iterations)
    painted = [descend(objective.at(frame), frame, budget=budget, refuge=frame).image for frame in frames]
    seconds = (time.perf_counter() - began) / len(frames)
    gap = _gap(objective, frames[-1], painted[-1], start, reference)
    return Row("independent", iterations, gap, _steadiness(frames, painted), seconds, painted)


class _NoCuts:
    """A clip is one scene."""

    def __call__(self, image: Tensor) -> bool:  # noqa: ARG002 - as a cut detector is called
        return False

    def reset(self) -> None:
        """Nothing is remembered."""


def bounds(objective: AdjointObjective, frame: Tensor, iterations: int) -> tuple[float, float]:
    """Return the energy of the frame itself, and what many iterations from it reach."""
    reached = descend(objective.at(frame), frame, budget=Budget(iterations), refuge=frame).image
    return _energy(objective, frame, frame), _energy(objective, frame, reached)


def _energy(objective: AdjointObjective, frame: Tensor, image: Tensor) -> float:
    return float(objective.at(frame).value_and_grad(image)[0].total)


def _gap(objective: AdjointObjective, frame: Tensor, image: Tensor, start: float, reference: float) -> float:
    return (_energy(objective, frame, image) - reference) / (start - reference)


def _steadiness(frames: Sequence[Tensor], painted: Sequence[Tensor]) -> float | None:
    """Return the mean temporal error between neighbors, moved along the flow of the frames."""
    film = [Shown(frame, image, continues=True) for frame, image in zip(frames, painted, strict=True)]
    return mean_error([step.painted_error for step in steps(film, DIS()) if step is not None])


def _check_writable(out: Path) -> None:
    existed = out.exists()
    try:
        out.open("ab").close()
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written: {error.strerror}") from None
    if not existed:
        out.unlink()


def _save(out: Path, frames: Sequence[Tensor], rows: Sequence[Row]) -> None:
    """Write the source's last frames and each method's, below each other."""
    count = min(len(row.painted) for row in rows)
    pictures = [np.hstack([to_pixels(image) for image in row[-count:]]) for row in (frames, *(r.painted for r in rows))]
    encoded = cv2.imencode(".png", cv2.cvtColor(np.vstack(pictures), cv2.COLOR_RGB2BGR))[1]
    try:
        out.write_bytes(encoded.tobytes())
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written: {error.strerror}") from None


def _print_json(rows: Sequence[Row], start: float, reference: float) -> None:
    found = [{key: value for key, value in asdict(row).items() if key != "painted"} for row in rows]
    print(json.dumps({"energy": {"start": start, "reference": reference}, "rows": found}, indent=2))  # noqa: T201 - asked


def _print_table(rows: Sequence[Row], start: float, reference: float) -> None:
    table = Table(title=f"energy of the frame itself {start:.2f}, of the reference {reference:.2f}")
    for heading in ("method", "iterations", "energy gap", "temporal RMSE", "s / frame"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for row in rows:
        steadiness = "-" if row.temporal_rmse is None else f"{row.temporal_rmse:.4f}"
        figures = (f"{row.gap:.1%}", steadiness, f"{row.seconds_per_frame:.2f}")
        table.add_row(row.method, str(row.iterations), *figures)
    Console().print(table)
