"""The film that is painted: how, where it is read, and what is known of it."""

from dataclasses import dataclass

from protocols.film import Reel
from streamer.render.chunks import Chunk, Scene, scenes_of
from streamer.render.job import Job
from streamer.render.opening import reel_of
from streamer.render.survey import Survey
from streamer.render.timetable import Timetable
from streamer.render.workshop import Workshop

JOB, SURVEY, TIMETABLE = "job.json", "survey.json", "timetable.bin"
"""What a workshop knows of its film."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A film that was looked through."""

    job: Job
    reel: Reel
    survey: Survey
    timetable: Timetable

    def scenes(self) -> list[Scene]:
        """Return its scenes in order."""
        return scenes_of(self.survey.begins, frames=self.survey.frames, step=self.job.chunk)

    def chunks(self) -> list[Chunk]:
        """Return its chunks in order."""
        return [chunk for scene in self.scenes() for chunk in scene.chunks()]

    def ticks(self, chunk: Chunk) -> list[int]:
        """Return when the frames of a chunk are shown."""
        return self.timetable.ticks(chunk.first, chunk.end)

    def ends(self, chunk: Chunk) -> int:
        """Return the ticks at which a chunk has been seen."""
        return next(iter(self.timetable.ticks(chunk.end, chunk.end + 1)), self.survey.ends)


def film_in(workshop: Workshop) -> Film:
    """Return the film of a workshop, which was looked through.

    Raises:
        OSError, SourceError: it cannot be read.
    """
    job = Job.of_json((workshop.path / JOB).read_bytes())
    survey = Survey.of_json((workshop.path / SURVEY).read_bytes())
    return Film(job, reel_of(job.source, rate=job.rate), survey, Timetable(workshop.path / TIMETABLE))
