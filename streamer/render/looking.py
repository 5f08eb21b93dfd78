"""Looks through a film, once for all that is done with it."""

from protocols.film import Reel
from streamer.render.atomic import put
from streamer.render.film import SURVEY, TIMETABLE, Film, film_in
from streamer.render.job import Job
from streamer.render.progress import Report
from streamer.render.survey import survey
from streamer.render.timetable import Timetable
from streamer.render.workshop import Workshop


def look_through(job: Job, reel: Reel, workshop: Workshop, report: Report) -> Film:
    """Return the film; what is found is kept in the workshop.

    Raises:
        SourceError: it cannot be read, or holds no frame.
        OSError: what is found cannot be kept.
    """
    if (workshop.path / SURVEY).exists():
        return film_in(workshop)
    counts_colors = job.paint.color == "matched"
    timetable = workshop.path / TIMETABLE
    found = survey(reel, timetable, size=job.size, counts_colors=counts_colors, tick=report.looked)
    if found.lost:
        report.say(f"{found.lost} frames of {reel.path} cannot be decoded: they are left out, the rest keeps its time")
    if found.resized:
        report.say(f"{found.resized} frames have another size than the first: they are scaled to it")
    put(workshop.path / SURVEY, found.to_json().encode())
    return Film(job, reel, found, Timetable(timetable))
