"""Renders a film: looks through it, paints what is missing, joins the pieces, and puts the film in its place."""

from collections.abc import Sequence

from rich.console import Console

from protocols.errors import SinkError, SourceError
from streamer.exits import Exit, FatalError
from streamer.render.atelier import threads
from streamer.render.atomic import writing
from streamer.render.cluster import Cluster
from streamer.render.delivery import Delivery
from streamer.render.film import Film
from streamer.render.hands import Hands
from streamer.render.looking import look_through
from streamer.render.opening import reel_of
from streamer.render.painting import Painter
from streamer.render.premises import taken_up
from streamer.render.preview import Preview
from streamer.render.progress import Report, counted, report_to
from streamer.render.scenes import SceneWork
from streamer.render.stopping import StoppedError, raising_on_signal
from streamer.render.survey import Pixels
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
    with taken_up(wish) as (workshop, job):
        with report_to(console) as report:
            film = look_through(job, reel, workshop, report)
            delivery = Delivery(film, workshop, wish.out)
            for stream, able in delivery.left_out().items():
                others = f" ({' and '.join(able)} can)" if able else ""
                report.say(f"a {wish.out.suffix} cannot hold {stream} of the source: it is left out{others}")
            try:
                _paint(wish, film, workshop, report)
            except BaseException:
                _show_so_far(delivery, workshop, report)
                raise
            if wish.hashes:
                with writing(wish.hashes) as file:
                    file.writelines(line.encode() for line in delivery.hashes())
            delivery.deliver()
        workshop.remove()
    console.print(f"{wish.out}: {counted(film.survey.frames, 'frame')}", markup=False, highlight=False, soft_wrap=True)


def _paint(wish: Wish, film: Film, workshop: Workshop, report: Report) -> None:
    works = [SceneWork(film, workshop, scene) for scene in film.scenes()]
    report.film(sum(work.frames() for work in works), sum(work.frames_done() for work in works), len(works))
    missing = [work for work in works if not work.is_over()]
    if wish.ray is not None and missing:
        with Cluster(wish.ray, film, jobs=wish.jobs, preview=wish.preview, report=report) as cluster:
            cluster.paint(missing)
    elif wish.jobs > 1 and len(missing) > 1:
        with Hands(workshop, count=wish.jobs, preview=wish.preview, report=report) as hands:
            hands.paint(missing)
    elif missing:
        with threads(film.job.threads):
            _paint_here(film, missing, Preview(wish.preview), report)


def _paint_here(film: Film, works: Sequence[SceneWork], preview: Preview, report: Report) -> None:
    painter = Painter(film)
    for work in works:
        number = work.scene.number
        report.scene(number, work.frames(), work.frames_done())

        def tick(pixels: Pixels, *, number: int = number) -> None:
            report.painted(number)
            preview(pixels)

        painter.paint(work, tick)
        report.over(number)


def _show_so_far(delivery: Delivery, workshop: Workshop, report: Report) -> None:
    """Say where what is painted so far can be seen."""
    try:
        made = delivery.deliver_so_far()
    except (SinkError, OSError):
        report.say(f"what is painted so far is in {workshop.path}, piece by piece")
        return
    if made is not None:
        report.say(f"what is painted so far can be watched: {made}")
