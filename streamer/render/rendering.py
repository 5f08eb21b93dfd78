"""Renders a film: looks through it, paints what is missing, joins the pieces, and puts the film in its place."""

from collections.abc import Sequence

from rich.console import Console

from protocols.errors import SinkError, SourceError
from protocols.film import Reel
from streamer.exits import Exit, FatalError
from streamer.render.atelier import threads
from streamer.render.atomic import put
from streamer.render.delivery import Delivery
from streamer.render.film import Film
from streamer.render.job import Job
from streamer.render.opening import reel_of
from streamer.render.painting import Painter
from streamer.render.premises import SURVEY, taken_up
from streamer.render.preview import Preview
from streamer.render.progress import Report, report_to
from streamer.render.scenes import SceneWork
from streamer.render.stopping import StoppedError, raising_on_signal
from streamer.render.survey import Pixels, Survey, survey
from streamer.render.timetable import TIMETABLE, Timetable
from streamer.render.wish import Wish
from streamer.render.workshop import Workshop

GOES_ON = "what is painted is kept, and the same command goes on"


def render(wish: Wish, *, console: Console) -> int:
    """Render a film, and return the exit code.

    Args:
        wish: what is asked for.
        console: for people.

    Raises:
        ConfigError: it cannot be done as asked.
    """
    try:
        with raising_on_signal():
            _render(wish, console)
    except StoppedError:
        message, code = f"stopped; {GOES_ON}", Exit.RESOURCES
    except SourceError as error:
        message, code = str(error), Exit.UNAVAILABLE
    except FatalError as error:
        message, code = str(error), error.code
    except SinkError as error:
        message, code = f"{error}; {GOES_ON}", Exit.RESOURCES
    except OSError as error:
        message, code = f"{error.filename or wish.out}: {error.strerror}; {GOES_ON}", Exit.RESOURCES
    else:
        return 0
    console.print(f"deepmovie render: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return code


def _render(wish: Wish, console: Console) -> None:
    wish.check()
    reel = reel_of(wish.source, rate=wish.rate)
    with taken_up(wish) as (workshop, job), threads(job.threads):
        with report_to(console) as report:
            known = _survey(job, reel, workshop, report)
            film = Film(job, reel, known, Timetable(workshop.path / TIMETABLE))
            delivery = Delivery(film, workshop, wish.out)
            try:
                _paint(wish, film, [SceneWork(film, workshop, scene) for scene in film.scenes()], report)
            except BaseException:
                _show_so_far(delivery, workshop, report)
                raise
            for stream in delivery.deliver():
                report.say(f"a {wish.out.suffix} cannot hold {stream} of the source: it is left out (.mkv can)")
        workshop.remove()
    console.print(f"{wish.out}: {known.frames} frames", markup=False, highlight=False, soft_wrap=True)


def _survey(job: Job, reel: Reel, workshop: Workshop, report: Report) -> Survey:
    """Return what is known of the film; it is looked through once."""
    path = workshop.path / SURVEY
    if path.exists():
        return Survey.of_json(path.read_bytes())
    found = survey(
        reel,
        workshop.path / TIMETABLE,
        size=job.size,
        counts_colors=job.paint.color == "matched",
        tick=report.looked,
    )
    if found.lost:
        report.say(f"{found.lost} frames of {reel.path} cannot be decoded: they are left out, the rest keeps its time")
    if found.resized:
        report.say(f"{found.resized} frames have another size than the first: they are scaled to it")
    put(path, found.to_json().encode())
    return found


def _paint(wish: Wish, film: Film, works: Sequence[SceneWork], report: Report) -> None:
    passes = film.job.passes
    report.film(passes * film.survey.frames, sum(work.frames_done() for work in works), len(works))
    missing = [work for work in works if not work.is_over()]
    if not missing:
        return
    painter, preview = Painter(film), Preview(wish.preview)
    for work in missing:
        report.scene(work.scene.number, passes * (work.scene.end - work.scene.first), work.frames_done())

        def tick(pixels: Pixels, *, number: int = work.scene.number) -> None:
            report.painted(number)
            preview(pixels)

        painter.paint(work, tick)
        report.over(work.scene.number)


def _show_so_far(delivery: Delivery, workshop: Workshop, report: Report) -> None:
    """Say where what is painted so far can be seen."""
    try:
        made = delivery.deliver_so_far()
    except (SinkError, OSError):
        report.say(f"what is painted so far is in {workshop.path}, piece by piece")
        return
    if made is not None:
        report.say(f"what is painted so far can be watched: {made}")
