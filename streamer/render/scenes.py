"""What is to be done next for a scene, and that it is kept: from wherever it was left to its end."""

from streamer.render.chunks import Chunk, Scene
from streamer.render.film import Film
from streamer.render.shelf import Shelf, places_of
from streamer.render.tasks import CONTENTS, Develop, Made, PaintAgain, PaintFirst, PaintOnce, Task, pass_stage
from streamer.render.workshop import PAINTED, Workshop


class SceneWork:
    """The work on one scene. One task at a time: each needs what the last one left.

    Args:
        film: what is painted.
        workshop: where what is done is kept.
        scene: which.
    """

    def __init__(self, film: Film, workshop: Workshop, scene: Scene) -> None:
        self.scene = scene
        self._film = film
        self._passes = film.job.passes
        self._chunks = scene.chunks()
        self._shelf = Shelf(workshop, scene, (film.survey.height, film.survey.width, 3))

    def next(self) -> Task | None:
        """Return what is to be done next; None: the scene is done."""
        if self.is_over():
            self._tidy()
            return None
        if self._passes == 1:
            chunk, memory = self._left_at(PAINTED)
            return PaintOnce(chunk, self._film.survey.facts, self._film.ticks(chunk), memory)
        through = next((n for n in range(self._passes, 0, -1) if self._shelf.is_through(pass_stage(n))), 0)
        if through == 0:
            return PaintFirst(*self._left_at(pass_stage(1)))
        if through < self._passes:
            return self._again(through + 1)
        return self._develop()

    def keep(self, task: Task, results: list[Made]) -> None:
        """Keep what came of a task.

        Raises:
            OSError: it cannot be written.
        """
        for made in results:
            self._shelf.keep(task.chunk, made)
        if isinstance(task, PaintAgain) and self._shelf.is_through(pass_stage(task.number)):
            self._shelf.forget(pass_stage(task.number - 1))

    def frames(self) -> int:
        """Return how many frames are to be painted, each as often as there are passes."""
        return self._passes * (self.scene.end - self.scene.first)

    def chunk(self) -> Chunk:
        """Return what is painted next, or the last chunk."""
        task = self.next()
        return task.chunk if task else self._chunks[-1]

    def is_over(self) -> bool:
        """Return whether people can have all of it."""
        return self._shelf.is_through(PAINTED)

    def is_done(self, chunk: Chunk) -> bool:
        """Return whether people can have this chunk."""
        return self._shelf.is_done(PAINTED, chunk)

    def frames_done(self) -> int:
        """Return how many frames were painted, each as often as there were passes."""
        return sum(len(chunk) * self._passes_done(chunk) for chunk in self._chunks)

    def _passes_done(self, chunk: Chunk) -> int:
        if self._passes == 1 or self.is_done(chunk):
            return self._passes if self.is_done(chunk) else 0
        return max((n for n in range(1, self._passes + 1) if self._shelf.is_done(pass_stage(n), chunk)), default=0)

    def _left_at(self, stage: str) -> tuple[Chunk, bytes | None]:
        """Return the first chunk to paint, and what was remembered before it; None at the beginning.

        What was remembered may be gone: then the scene is painted again from where it is there, and comes out the same.
        """
        place = next(place for place, chunk in enumerate(self._chunks) if not self._shelf.is_done(stage, chunk))
        while place:
            memory = self._shelf.memory(stage, self._chunks[place - 1])
            if memory is not None:
                return self._chunks[place], memory
            place -= 1
        return self._chunks[0], None

    def _again(self, number: int) -> Task:
        stage = pass_stage(number)
        is_forward = bool(number % 2)
        turns = self._chunks if is_forward else self._chunks[::-1]
        chunk = next(chunk for chunk in turns if not self._shelf.is_done(stage, chunk))
        around = range(max(self.scene.first, chunk.first - 1), min(self.scene.end, chunk.end + 1))
        passed = range(self.scene.first, chunk.first) if is_forward else range(chunk.end, self.scene.end)
        newest = [self._shelf.painting(frame, number if frame in passed else number - 1) for frame in around]
        return PaintAgain(chunk, number, self._shelf.contents(around), newest, places_of(chunk, around))

    def _develop(self) -> Task:
        chunk = next(chunk for chunk in self._chunks if not self.is_done(chunk))
        frames = range(chunk.first, chunk.end)
        paintings = [self._shelf.painting(frame, self._passes) for frame in frames]
        return Develop(chunk, self._film.survey.facts, self._film.ticks(chunk), self._shelf.contents(frames), paintings)

    def _tidy(self) -> None:
        """Remove what only the passes needed."""
        if self._passes > 1:
            for stage in (CONTENTS, *(pass_stage(number) for number in range(1, self._passes + 1))):
                self._shelf.forget(stage)
