"""Paints scenes in this process."""

from collections.abc import Callable

import torch

from streamer.exits import Exit, FatalError
from streamer.render.atelier import Atelier
from streamer.render.film import Film
from streamer.render.reading import Reader
from streamer.render.scenes import SceneWork
from streamer.render.survey import Pixels


class Painter:
    """Does all the work on one scene after the other."""

    def __init__(self, film: Film) -> None:
        self._atelier = Atelier(film.job, film.survey)
        self._reader = Reader(film.reel, film.survey, film.timetable)

    def paint(self, work: SceneWork, tick: Callable[[Pixels], None]) -> None:
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
            try:
                made = task.run(self._atelier, frames, tick)
            except torch.OutOfMemoryError as error:
                raise FatalError(
                    f"{chunk}: the device has too little memory for a --size of {self._atelier.size}, or for as many "
                    f"--jobs: {str(error).partition(chr(10))[0]}",
                    code=Exit.RESOURCES,
                ) from None
            work.keep(task, made)
