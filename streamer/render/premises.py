"""The workshop of a job: taken up where it was left, made anew, or refused because it is another job's."""

from collections.abc import Iterator
from contextlib import contextmanager

from streamer.config import ConfigError
from streamer.render.atomic import UNFINISHED, put
from streamer.render.film import JOB, SURVEY
from streamer.render.job import Job
from streamer.render.lock import LOCK, BusyError, locked
from streamer.render.wish import Wish
from streamer.render.workshop import Workshop


@contextmanager
def taken_up(wish: Wish) -> Iterator[tuple[Workshop, Job]]:
    """Give the workshop and the job; nobody else works there meanwhile.

    Raises:
        ConfigError: the output is there already, cannot be written, or is another job's.
        SourceError: the source cannot be read.
    """
    workshop = Workshop.beside(wish.out)
    try:
        _open(workshop, wish)
        with locked(workshop.path):
            try:
                yield workshop, _job(wish, workshop)
            finally:
                if not (workshop.path / SURVEY).exists():
                    workshop.remove()  # nothing was done that would be worth keeping
    except BusyError as error:
        raise ConfigError(f"output: {error}") from None


def _open(workshop: Workshop, wish: Wish) -> None:
    """Make the folder, or see that it is one of ours: what is in it may be removed."""
    try:
        is_begun = (workshop.path / JOB).exists()
        if not wish.overwrite and not is_begun and _is_taken(wish):
            raise ConfigError(f"output: {wish.out} is there already; --overwrite renders it anew")
        workshop.path.mkdir(exist_ok=True)
        names = {path.name for path in workshop.path.iterdir()}
    except OSError as error:
        raise ConfigError(f"output: {workshop.path} cannot be made: {error.strerror}") from None
    strangers = sorted(name for name in names - {LOCK} if not name.endswith(UNFINISHED))
    if strangers and JOB not in names:
        raise ConfigError(f"output: {workshop.path} is needed to work in, and holds something else: {strangers[0]}")


def _is_taken(wish: Wish) -> bool:
    if wish.out.is_dir():
        return bool(wish.out.suffix) or any(wish.out.iterdir())
    return wish.out.exists()


def _job(wish: Wish, workshop: Workshop) -> Job:
    """Return the job, which the workshop is now of."""
    begun = None if wish.overwrite else _begun(workshop)
    job = wish.job(begun)
    if begun is None:
        workshop.clear(but=LOCK)
    elif differences := job.differences(begun):
        raise ConfigError(
            f"output: {workshop.path} holds a film that was begun otherwise ({'; '.join(differences)}); ask for the "
            "same again, or --overwrite to begin anew"
        )
    workshop.sweep()
    put(workshop.path / JOB, job.to_json().encode())
    return job


def _begun(workshop: Workshop) -> Job | None:
    try:
        return Job.of_json((workshop.path / JOB).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ConfigError(f"output: {workshop.path / JOB}: {error}; --overwrite begins anew") from None
