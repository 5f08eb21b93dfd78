"""Paints scenes in this process."""

from collections.abc import Iterable

import torch

from models.scarcity import one_memory_error
from streamer.exits import Exit, FatalError
from streamer.render.atelier import Atelier
from streamer.render.film import Film
from streamer.render.reading import Reader
from streamer.render.scenes import SceneWork
from streamer.render.survey import Pixels
from streamer.render.tasks import Made, Task, Tick


class Painter:
    """Does all the work on one scene after the other."""

    def __init__(self, film: Film) -> None:
        self._atelier = Atelier(film.job, film.survey)
        self._reader = Reader(film.reel, film.survey, film.timetable)

    def paint(self, work: SceneWork, tick: Tick) -> None:
        """Paint what is missing of a scene.

        Args:
            work: on the scene.
            tick: told after each frame, with what people would see of it.

        Raises:
            SourceError: the film cannot be read, or has changed.
            OSError: what was painted cannot be kept.
            FatalError: the device has too little memory, or a network failed.
        """
        while (task := work.next()) is not None:
            chunk = task.chunk
            frames = self._reader.frames(chunk.first, chunk.end) if task.wants_frames else iter(())
            made = performed(task, self._atelier, frames, tick)
            work.keep(task, made)


def performed(task: Task, atelier: Atelier, frames: Iterable[Pixels], tick: Tick) -> list[Made]:
    """Do a task.

    Raises:
        FatalError: the device has too little memory, or a network failed.
    """
    try:
        with one_memory_error():
            return task.run(atelier, frames, tick)
    except torch.OutOfMemoryError as error:
        raise FatalError(
            f"{task.chunk}: the device has too little memory for a --size of {atelier.size}, or for as many "
            f"--jobs: {str(error).partition(chr(10))[0]}",
            code=Exit.RESOURCES,
        ) from None
