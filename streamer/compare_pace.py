"""How far a long comparison is: told before it begins, and while it goes on, on stderr."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from models.descent import Budget
from streamer.compare_scene import Scene
from streamer.engine import Engine

TRIAL = 4
"""Iterations to time one; the first frame before them warms everything up."""
LINE_EVERY_S = 30.0
"""Where there is no terminal, a line each time so many seconds have passed."""


def seconds_per_iteration(engine: Engine, scene: Scene) -> float:
    """Return what an iteration takes here and now, at the size of a scene, its share of the flow included."""
    stylizer = engine.stylizer()
    stylizer.step(scene.frames[0], Budget(1))
    began = time.perf_counter()
    stylizer.step(scene.frames[min(1, len(scene.frames) - 1)], Budget(TRIAL))
    return (time.perf_counter() - began) / TRIAL


def in_words(seconds: float) -> str:
    """Return a span of time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class Pace:
    """A bar with the time left, or lines where there is no terminal.

    Args:
        total: iterations.
        clock: monotonic, seconds.
    """

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(stderr=True)
        self._total = total
        self._done = 0
        self._clock = clock
        self._began = self._told = clock()
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away."""
        self._bar.stop()

    def tick(self, iterations: int, what: str) -> None:
        """Note iterations that were done, and what is being done."""
        self._done += iterations
        self._bar.update(self._task, advance=iterations, description=what)
        now = self._clock()
        if self._bar.disable and self._done and now - self._told >= LINE_EVERY_S:
            self._told = now
            left_s = (now - self._began) * (self._total - self._done) / self._done
            self._console.print(f"{self._done / self._total:.0%}, {in_words(left_s)} left: {what}", highlight=False)
