"""How far a film is: two bars with the time left on a terminal, else a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0
_SPEED_OVER_S = 600.0
"""A frame may take a minute."""


class Report(Protocol):
    """Shows how far the work is. What is counted are frames, each as often as it is painted."""

    def looked(self, frames: int) -> None:
        """So many frames were looked at."""
        ...

    def film(self, frames: int, done: int, scenes: int) -> None:
        """Painting begins; so many frames are done."""
        ...

    def scene(self, number: int, frames: int, done: int) -> None:
        """Work on a scene begins, likewise; or again, if it was not over."""
        ...

    def painted(self, scene: int) -> None:
        """One more frame of a scene is painted."""
        ...

    def over(self, scene: int) -> None:
        """There is no more work on a scene."""
        ...

    def say(self, text: str) -> None:
        """Say something else."""
        ...


@contextmanager
def report_to(console: Console) -> Iterator[Report]:
    """Give what shows the progress: bars on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=console, speed_estimate_period=_SPEED_OVER_S) as progress:
        yield Bars(progress)


class Bars:
    """A bar for the film and one for each scene at work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._scenes = 0
        self._film = progress.add_task("looking through", total=None)
        self._tasks: dict[int, TaskID] = {}

    def looked(self, frames: int) -> None:
        """Count up."""
        self._progress.update(self._film, completed=frames)

    def film(self, frames: int, done: int, scenes: int) -> None:
        """Begin the film's bar."""
        self._scenes = scenes
        self._progress.remove_task(self._film)
        self._film = self._progress.add_task("whole film", total=frames, completed=done)

    def scene(self, number: int, frames: int, done: int) -> None:
        """Begin a scene's bar."""
        if number in self._tasks:
            [painted] = [task.completed for task in self._progress.tasks if task.id == self._tasks[number]]
            self._progress.advance(self._film, done - painted)
        self.over(number)
        name = f"scene {number + 1} of {self._scenes}"
        self._tasks[number] = self._progress.add_task(name, total=frames, completed=done)

    def painted(self, scene: int) -> None:
        """Move both bars."""
        self._progress.advance(self._film)
        if scene in self._tasks:
            self._progress.advance(self._tasks[scene])

    def over(self, scene: int) -> None:
        """Take the scene's bar away."""
        if scene in self._tasks:
            self._progress.remove_task(self._tasks.pop(scene))

    def say(self, text: str) -> None:
        """Print above the bars."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


class Lines:
    """A line at the beginning, at the end, and so many seconds apart.

    Args:
        console: where.
        every_s: how far apart.
        clock: monotonic, seconds.
    """

    def __init__(
        self, console: Console, *, every_s: float = LINE_EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._every_s = every_s
        self._clock = clock
        self._due_at = clock() + every_s
        self._frames = self._done = self._begun_with = 0
        self._began: float | None = None
        """When the first frame was painted: before it, an engine is made."""
        self._scenes: dict[int, tuple[int, int]] = {}

    def looked(self, frames: int) -> None:
        """Say it if it is time."""
        if self._is_due():
            self.say(f"looking through: {counted(frames, 'frame')}")

    def film(self, frames: int, done: int, scenes: int) -> None:
        """Say what there is to do."""
        self._frames, self._done, self._begun_with = frames, done, done
        self.say(f"painting {counted(frames, 'frame')} in {counted(scenes, 'scene')}, of which {done} are done")

    def scene(self, number: int, frames: int, done: int) -> None:
        """Note it."""
        _, painted = self._scenes.get(number, (frames, done))
        self._done += done - painted
        self._scenes[number] = frames, done

    def painted(self, scene: int) -> None:
        """Say how far the film and this scene are if it is time."""
        self._done += 1
        began = self._began = self._clock() if self._began is None else self._began
        frames, done = self._scenes.get(scene, (0, 0))
        self._scenes[scene] = frames, done + 1
        if not self._is_due():
            return
        painted = self._done - self._begun_with - 1
        if painted < 1:
            self.say(f"painted {self._done} of {self._frames} frames; scene {scene + 1}: {done + 1} of {frames}")
            return
        each_s = (self._clock() - began) / painted
        whole, this = (_span(max(0, left) * each_s) for left in (self._frames - self._done, frames - done - 1))
        self.say(
            f"painted {self._done} of {self._frames} frames, {each_s:.2f} s each, {whole} left; scene {scene + 1}: "
            f"{done + 1} of {frames}, {this} left"
        )

    def over(self, scene: int) -> None:
        """Forget it."""
        self._scenes.pop(scene, None)

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _is_due(self) -> bool:
        now = self._clock()
        if now < self._due_at:
            return False
        self._due_at = now + self._every_s
        return True


def counted(number: int, noun: str) -> str:
    """Return how many there are of something."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
