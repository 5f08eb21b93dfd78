"""A comparison as tables on the terminal, and as an object for machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table

from streamer.compare_findings import Findings, Pair, Row

HEADINGS = ("method", "iterations", "energy", "gap", "temporal RMSE", "s/frame")


def as_json(findings: Findings) -> str:
    """Return one object, whose keys are the names of `Findings`, and the mean rows."""
    return json.dumps({**asdict(findings), "mean": [asdict(row) for row in findings.mean]}, indent=2)


def as_tables(findings: Findings) -> RenderableType:
    """Return a table for each pair, and one of the means if there are several."""
    tables = [_of_pair(pair) for pair in findings.pairs]
    if len(tables) > 1:
        tables.append(_table(f"mean over {len(tables)} pairs of clip and painting", findings.mean))
    return Group(*tables)


def _of_pair(pair: Pair) -> Table:
    width, height = pair.size
    title = f"{pair.clip} in {pair.style}, {width}x{height}: energy of the frames themselves {pair.energy_start:.2f}"
    table = _table(title, pair.rows)
    if pair.floor is not None:
        table.add_row("the clip itself", "", "", "", f"{pair.floor:.4f}", "", style="dim")
    return table


def _table(title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "method" else "right", no_wrap=True)
    for row in rows:
        error = "-" if row.temporal_rmse is None else f"{row.temporal_rmse:.4f}"
        figures = (f"{row.energy:.2f}", f"{row.gap:.1%}", error, f"{row.seconds_per_frame:.2f}")
        table.add_row(row.label, row.effort, *figures)
    return table
