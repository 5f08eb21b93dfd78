"""Looks through a film, once for all that is done with it."""

from protocols.film import Reel
from streamer.render.atomic import put
from streamer.render.film import SURVEY, TIMETABLE, Film, film_in
from streamer.render.job import Job
from streamer.render.progress import Report, counted
from streamer.render.survey import survey
from streamer.render.timetable import Timetable
from streamer.render.workshop import Workshop


def look_through(job: Job, reel: Reel, workshop: Workshop, report: Report) -> Film:
    """Return the film; what is found is kept in the workshop.

    Raises:
        SourceError: it cannot be read, or holds no frame.
        OSError: what is found cannot be kept.
    """
    known = _known(workshop)
    if known is not None:
        return known
    counts_colors = job.paint.color == "matched"
    timetable = workshop.path / TIMETABLE
    found = survey(reel, timetable, size=job.size, counts_colors=counts_colors, tick=report.looked)
    if found.lost:
        lost = counted(found.lost, "frame")
        report.say(f"{reel.path}: {lost} that cannot be decoded, left out; the rest keeps its time")
    if found.resized:
        report.say(f"{counted(found.resized, 'frame')} of another size than the first, scaled to it")
    put(workshop.path / SURVEY, found.to_json().encode())
    return Film(job, reel, found, Timetable(timetable))


def _known(workshop: Workshop) -> Film | None:
    """Return the film as it was seen before; None: it was not, or what was found is damaged."""
    try:
        film = film_in(workshop)
        return film if len(film.timetable) == film.survey.frames else None
    except (FileNotFoundError, ValueError):
        return None
