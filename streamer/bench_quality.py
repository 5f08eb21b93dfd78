"""Quality per iteration: how near to the style and how steady clips are painted, in our way and in the paper's.

The optimizer of the paper's ways starts anew at every frame. All are judged on the same frames, the last ones of each
clip, where a scene has had time to come into style.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean

import torch
from rich.console import Group, RenderableType
from rich.text import Text
from torch import Tensor

from streamer.config import ConfigError
from streamer.engine import Engine, Way, make_engine
from streamer.paint import BUILT_IN_STYLES, Paint
from streamer.picture import PictureError, read_picture
from streamer.pixels import to_tensor
from streamer.quality import Clip, Mark, Row, Tick, as_table, paint_alone, paint_film, read_clip
from streamer.steadiness import mean_error

OURS: Way = "carried"
PAPERS: Way = "flow"
WAYS: Sequence[Way] = (OURS, PAPERS, "previous", "independent")


@dataclass(frozen=True, slots=True)
class Trial:
    """What to paint, and how often."""

    clips: Sequence[str]
    styles: Sequence[str] = ()
    """None: that of the settings."""
    start: int = 0
    every: int = 2
    """A camera has twice or three times the frames that are painted."""
    frames: int = 14
    judged: int = 4
    """The last ones; the first and the last of them give the energy gap, all of them the steadiness."""
    efforts: Sequence[int] = (1, 2, 4, 8, 16)
    """Iterations per frame."""
    reference: int = 300
    """Iterations for what counts as done."""

    @property
    def iterations(self) -> int:
        """All iterations for one clip and one painting."""
        short = sum(self.efforts) * ((len(WAYS) - 1) * self.frames + self.judged)
        return short + (self.judged + 1) * self.reference


@dataclass(frozen=True, slots=True)
class Verdict:
    """One clip in one style."""

    clip: str
    style: str
    size: tuple[int, int]
    rows: Sequence[Row]
    """Each way with each number of iterations; the last one is the paper's method, done."""
    steadiness: dict[int, float | None]
    """By iterations: our temporal RMSE, divided by that of the paper's method, done."""


def verdicts(
    paint: Paint, trial: Trial, *, size: int, device: torch.device, tick: Tick = lambda _: None
) -> Iterator[Verdict]:
    """Yield the verdict on each clip in each style, as it is found.

    Raises:
        ConfigError: at once, if a clip or a style cannot be used.
    """
    clips = {source: _frames(source, trial, size, device) for source in trial.clips}
    styles = trial.styles or (paint.style,)
    _check(styles)
    return (
        _verdict(engine, trial, clip=source, style=style, frames=frames, tick=tick)
        for style, engine in _engines(paint, styles, size, device)
        for source, frames in clips.items()
    )


def as_tables(verdict: Verdict) -> RenderableType:
    """Return one verdict for people."""
    width, height = verdict.size
    title = f"{Path(verdict.clip).name} in {Path(verdict.style).name}, {width}x{height}"
    return Group(as_table(title, verdict.rows), Text(_ratios(verdict.steadiness)))


def summary(found: Sequence[Verdict]) -> RenderableType:
    """Return the means over all verdicts for people."""
    ratios = {k: [verdict.steadiness[k] for verdict in found] for k in found[0].steadiness}
    means = {k: mean_error(each) for k, each in ratios.items()}
    title = f"mean over {len(found)} pairs of clip and painting"
    return Group(as_table(title, means_of(found)), Text(_ratios(means)))


def means_of(found: Sequence[Verdict]) -> list[Row]:
    """Return each row's mean over all verdicts."""
    return [_mean([verdict.rows[place] for verdict in found]) for place in range(len(found[0].rows))]


def _mean(rows: Sequence[Row]) -> Row:
    first = rows[0]
    return Row(
        method=first.method,
        iterations=first.iterations,
        gap=mean_error([row.gap for row in rows]),
        temporal_rmse=mean_error([row.temporal_rmse for row in rows]),
        seconds_per_frame=mean(row.seconds_per_frame for row in rows),
    )


def _ratios(steadiness: Mapping[int, float | None]) -> str:
    found = ", ".join(f"{k}: {'-' if ratio is None else f'{ratio:.2f}'}" for k, ratio in steadiness.items())
    return f"temporal RMSE, {OURS} with so many iterations : {PAPERS}, done: {found}"


def _frames(source: str, trial: Trial, size: int, device: torch.device) -> list[Tensor]:
    clip = Clip(source, start=trial.start, every=trial.every, frames=trial.frames, size=size)
    return [to_tensor(frame.image, size=size, device=device) for frame in read_clip(clip)]


def _check(styles: Sequence[str]) -> None:
    """Open every picture, as the last painting's turn comes after half an hour."""
    for style in styles:
        if style not in BUILT_IN_STYLES:
            try:
                read_picture(Path(style).expanduser())
            except PictureError as error:
                raise ConfigError(f"paint.style: {error}") from None


def _engines(paint: Paint, styles: Sequence[str], size: int, device: torch.device) -> Iterator[tuple[str, Engine]]:
    for style in styles:
        yield style, make_engine(paint.model_copy(update={"style": style}), device=device, size=size)


def _verdict(engine: Engine, trial: Trial, *, clip: str, style: str, frames: Sequence[Tensor], tick: Tick) -> Verdict:
    objective, tail = engine.objective, frames[-trial.judged :]
    done = paint_film(engine, PAPERS, tail, trial.reference, tick=tick)  # the first one starts from itself
    last = paint_alone(objective, tail[-1], trial.reference)
    tick(trial.reference)
    marks = [Mark.between(objective, tail[0], done.images[0]), Mark.between(objective, tail[-1], last)]
    rows = []
    for way, k in product(WAYS, trial.efforts):
        film = paint_film(engine, way, tail if way == "independent" else frames, k, tick=tick)
        rows.append(film.tail(trial.judged).row(objective, marks))
    rows.append(done.row(objective, marks[-1:]))
    height, width = frames[0].shape[-2:]
    steadiness = {row.iterations: _share(row, rows[-1]) for row in rows if row.method == OURS}
    return Verdict(clip, style, (width, height), rows, steadiness)


def _share(ours: Row, theirs: Row) -> float | None:
    if ours.temporal_rmse is None or not theirs.temporal_rmse:
        return None
    return ours.temporal_rmse / theirs.temporal_rmse
