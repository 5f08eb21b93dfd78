"""What a benchmark found: as JSON for machines, as tables for people, and what to do with it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streamer.bench_quality import Verdict, summary
from streamer.paint import Paint

WORTH_WATCHING = 2
"""Iterations per frame with which a picture is in style some ten frames after a cut."""
BUSY_SHARE = 0.8
"""Of a frame's time that is planned to be spent; the rest is for what else the machine does."""
GOOD_FPS, FAIR_FPS = 10.0, 5.0


@dataclass(frozen=True, slots=True)
class SizeRow:
    """An iteration at one size in one precision."""

    size: tuple[int, int]
    precision: str
    iteration_ms: float

    @property
    def pixels(self) -> int:
        """How many the picture has."""
        return self.size[0] * self.size[1]


@dataclass(frozen=True, slots=True)
class Advice:
    """Settings under which each frame is painted in its time."""

    size: tuple[int, int]
    fps: float
    iterations: int

    @property
    def command(self) -> str:
        """The settings as the command line takes them."""
        return f"deepmovie run SOURCE SINK --size {max(self.size)} --fps {self.fps:g} --iterations {self.iterations}"


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was measured; times in milliseconds, None where something was not measured."""

    machine: Mapping[str, object]
    version: str
    torch: str
    device: str
    precision: str
    size: tuple[int, int]
    iteration_ms: Mapping[str, float | None]
    ratios: Mapping[str, float | None]
    floor: Mapping[str, object]
    sizes: Sequence[SizeRow]
    stages_ms: Mapping[str, float]
    fps_at: Mapping[int, float]
    live: Mapping[str, object]
    memory_mib: Mapping[str, object]
    suggested: Advice
    quality: Sequence[Verdict] = ()
    remarks: Sequence[str] = field(default_factory=tuple)


def advise(rows: Sequence[SizeRow], *, overhead_ms: float, at: tuple[int, int]) -> Advice:
    """Return the largest size that is fluent, else the largest that is fair, else the fastest.

    Args:
        rows: what an iteration takes at each size, in the precision that is used.
        overhead_ms: what a frame costs besides iterations, at the size ``at``; it grows with the pixels.
        at: that size.
    """
    by_pixels = sorted(rows, key=lambda row: row.pixels)
    options = [_option(row, overhead_ms * row.pixels / (at[0] * at[1])) for row in by_pixels]
    for wanted in (GOOD_FPS, FAIR_FPS):
        fast = [option for option in options if option.fps >= wanted]
        if fast:
            return fast[-1]
    return options[0]


def _option(row: SizeRow, overhead_ms: float) -> Advice:
    """Return a rate with time for two iterations, and how many fit into a frame at most."""
    longest_ms = (overhead_ms + WORTH_WATCHING * row.iteration_ms) / BUSY_SHARE
    fps = min(30.0, 1000 / longest_ms)
    fps = float(int(fps)) if fps >= 3 else max(0.1, round(fps - 0.05, 1))
    spare_ms = BUSY_SHARE * 1000 / fps - overhead_ms
    most = Paint.model_fields["iterations"].default
    return Advice(row.size, fps, max(WORTH_WATCHING, min(most, int(spare_ms / row.iteration_ms))))


def as_json(findings: Findings) -> str:
    """Return one object, whose keys are the names of `Findings`."""
    found = asdict(findings)
    for row in found["sizes"]:
        row["iterations_per_s"] = 1000 / row["iteration_ms"]
    found["suggested"]["command"] = findings.suggested.command
    return json.dumps(_rounded(found), indent=2)


def as_tables(findings: Findings) -> RenderableType:
    """Return tables, and the settings that are suggested."""
    machine = findings.machine
    head = (
        f"{machine['processor']}, {machine['cores']} cores; {findings.device} in {findings.precision}; "
        f"torch {findings.torch}; load before {machine['load']:.1f}"
    )
    parts: list[RenderableType] = [Text(head), _iteration_table(findings), _size_table(findings.sizes)]
    parts += [_stage_table(findings), _rate_table(findings), _memory_table(findings)]
    parts += [summary(findings.quality)] if findings.quality else []
    parts += [Text(f"note: {remark}", style="yellow") for remark in findings.remarks]
    parts += [Text(f"suggested: {findings.suggested.command}", style="bold")]
    return Group(*parts)


NAMES = {
    "ours": "ours",
    "autograd": "the same energy by PyTorch's gradient, float32 under autocast",
    "autograd_pure": "the same energy by PyTorch's gradient, in our precision",
    "pastiche": "pastiche, its own objective and Adam",
    "floor": "the floor: only the convolutions, at the best rate seen here",
}
"""What is compared, for people."""


def _iteration_table(findings: Findings) -> Table:
    table = _table(f"one iteration at {_size(findings.size)}", "", "ms", "ours : it")
    for name, told in NAMES.items():
        ms, ratio = findings.iteration_ms.get(name), findings.ratios.get(name)
        table.add_row(told, "not measured" if ms is None else f"{ms:.1f}", "" if ratio is None else f"{ratio:.3f}")
    return table


def _size_table(rows: Sequence[SizeRow]) -> Table:
    table = _table("iterations by size", "size", "precision", "ms", "iterations / s", "ms / megapixel")
    for row in rows:
        per_megapixel = 1e6 * row.iteration_ms / row.pixels
        figures = (f"{row.iteration_ms:.1f}", f"{1000 / row.iteration_ms:.2f}", f"{per_megapixel:.0f}")
        table.add_row(_size(row.size), row.precision, *figures)
    return table


def _stage_table(findings: Findings) -> Table:
    table = _table(f"stages of a frame at {_size(findings.size)}", "", "ms")
    for name, ms in findings.stages_ms.items():
        table.add_row(name.replace("_", " "), f"{ms:.2f}")
    ratio = findings.ratios.get("overhead")
    if ratio is not None:
        table.add_row("all but the iteration (raw, not JPEG) : the iteration", f"{ratio:.2f}", style="bold")
    return table


def _rate_table(findings: Findings) -> Table:
    table = _table(f"frames per second at {_size(findings.size)}", "", "fps")
    for iterations, fps in findings.fps_at.items():
        table.add_row(f"with {iterations} iterations each, painting alone", f"{fps:.2f}")
    live = findings.live
    table.add_row(
        f"the daemon, asked for {live['asked_fps']:g} fps and {live['asked_iterations']} iterations: "
        f"{live['iterations']} iterations, {_whole(live['memory_mib'])} MiB, "
        f"{_whole(live['age_p95_ms'])} ms old at most (p95)",
        str(live["fps"]),
        style="bold",
    )
    return table


def _memory_table(findings: Findings) -> Table:
    on_device = findings.device != "cpu"
    measured = findings.memory_mib.get("gpu_at_most" if on_device else "daemon_at_most")
    table = _table(f"memory at {_size(findings.size)}", "", "MiB")
    table.add_row("estimated before the start", _whole(findings.memory_mib.get("estimate")))
    table.add_row("measured at most, on the GPU" if on_device else "measured at most, the daemon", _whole(measured))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    return table


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _whole(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, int | float) else "?"


def _rounded(value: object) -> object:
    """Return ``value`` with four significant digits in every number: more would pretend to be known."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
