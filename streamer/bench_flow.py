"""How far each optical flow is from the true one on the built-in scene, and what it takes."""

import json as json_text
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from protocols import scene
from streamer.config import ConfigError
from streamer.engine import choose_device
from streamer.flows import NetworkFlow, make_flow
from streamer.scene_flow import Pair
from streamer.stopwatch import settler, take_turns, typical

FIRST, EVERY = 3, 6
"""Which frames of the scene are looked at: some twenty, spread over both shots."""
ROUNDS = 5

Find = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class FlowRow:
    """What one flow is worth."""

    flow: str
    """As ``paint.flow`` names it; ``none`` says that nothing moves."""
    error_px: float
    """End-point error: the mean distance to the true flow where it is known, mean over the pairs of frames."""
    flash_error_px: float
    """The same where the second frame is under another light."""
    ms: float
    """One way, median."""


def bench_flow(flows: Iterable[str], *, device: str, size: tuple[int, int], json: bool) -> int:
    """Measure flows beside each other, print a table or JSON, and return the exit code.

    Raises:
        ConfigError: one of them cannot be used.
    """
    chosen, _ = choose_device(device)
    asked = device == str(chosen)
    made: dict[str, Find] = {"none": lambda origin, _: origin.new_zeros(1, 2, *origin.shape[2:])}
    made |= {text: make_flow(text, device=chosen, asked=asked) for text in flows}
    rows = measure(made, size=size, device=chosen)
    if json:
        found = {"size": size, "device": str(chosen), "flows": [asdict(row) for row in rows]}
        print(json_text.dumps(found, indent=2))  # noqa: T201 - what the command was asked for
    else:
        Console().print(as_table(rows, size))
    return 0


def measure(made: dict[str, Find], *, size: tuple[int, int], device: torch.device) -> list[FlowRow]:
    """Return a row for each flow.

    Raises:
        ConfigError: one failed, and what was found is not its own.
    """
    width, height = size
    pairs = [Pair.of(index, width=width, height=height, device=device) for index in steady_frames()]
    lit = Pair.of(min(scene.FLASHES) - 1, width=width, height=height, device=device)
    errors = {}
    for text, find in made.items():
        shown = track(pairs, text, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        errors[text] = mean(_error(find, pair) for pair in shown), _error(find, lit)
        if isinstance(find, NetworkFlow) and (wrong := find.network.complaint) and wrong.reason == "failed":
            raise ConfigError(f"paint.flow: {text}: {wrong.error}")
    works = {text: _work(find, pairs[0]) for text, find in made.items()}
    times = take_turns(works, rounds=ROUNDS, settle=settler(device))
    return [FlowRow(text, *errors[text], typical(times[text])) for text in made]


def steady_frames() -> list[int]:
    """Return frames that are followed by another one of their shot, in the same light."""
    frames = range(FIRST, scene.LENGTH - 1, EVERY)
    return [index for index in frames if not {index, index + 1} & (scene.CUTS | scene.FLASHES)]


def as_table(rows: Sequence[FlowRow], size: tuple[int, int]) -> Table:
    """Return the rows for people."""
    width, height = size
    table = Table(title=f"optical flow on the built-in scene at {width}x{height}", title_justify="left")
    table.add_column("flow")
    for heading in ("error, px", "into a flash, px", "ms"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(row.flow, f"{row.error_px:.2f}", f"{row.flash_error_px:.2f}", f"{row.ms:.1f}")
    return table


def _error(find: Find, pair: Pair) -> float:
    return pair.error(find(pair.origin, pair.target))


def _work(find: Find, pair: Pair) -> Callable[[], object]:
    return lambda: find(pair.origin, pair.target)
