"""What a process of a Ray cluster does: a task, with nothing but what it was sent.

Not even files are shared. Weights, paintings and networks that the settings name by a path travel with the job.
"""

import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from protocols.film_pictures import encode_picture
from streamer.config import ConfigError
from streamer.render.atelier import Atelier, threads
from streamer.render.attachments import files_named, with_files
from streamer.render.failure import EXPECTED, Failure
from streamer.render.job import Job, installed
from streamer.render.painting import performed
from streamer.render.survey import Pixels, Survey
from streamer.render.tasks import Made, Task


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job as it travels."""

    job: str
    survey: str
    files: Mapping[str, bytes]
    """By the name that the settings have for them."""
    preview: str | None
    """The kind of picture that the newest frame is wanted as, by its ending."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back."""

    made: Sequence[Made]
    painted: int
    """Frames."""
    preview: bytes | None
    """The last one of them."""


def pack(job: Job, survey: Survey, preview: Path | None) -> Parcel:
    """Return a job to send.

    Raises:
        OSError: a file that it names cannot be read.
    """
    files = {name: path.read_bytes() for name, path in files_named(job.paint).items()}
    return Parcel(job.to_json(), survey.to_json(), files, None if preview is None else preview.suffix)


def perform(parcel: Parcel, task: Task, frames: Sequence[Pixels]) -> Answer | Failure:
    """Do a task; what is expected to go wrong comes back as well."""
    try:
        return _performed(parcel, task, frames)
    except EXPECTED as error:
        return Failure.of(error)


def _performed(parcel: Parcel, task: Task, frames: Sequence[Pixels]) -> Answer:
    atelier = _atelier(parcel.job, parcel.survey, tuple(sorted(parcel.files.items())))
    seen: list[Pixels] = []
    with threads(atelier.job.threads):
        made = performed(task, atelier, frames, seen.append)
    preview = encode_picture(seen[-1], parcel.preview) if parcel.preview and seen else None
    return Answer(made, len(seen), preview)


@lru_cache(maxsize=1)
def _atelier(job_text: str, survey_text: str, files: Sequence[tuple[str, bytes]]) -> Atelier:
    """Return what paints here; Ray gives one process many tasks."""
    job = Job.of_json(job_text)
    if (here := installed()) != job.versions:
        differing = ", ".join(
            f"{name} {here[name]}, not {was}" for name, was in job.versions.items() if here[name] != was
        )
        raise ConfigError(f"{platform.node()} cannot paint this film the same way: it has {differing}")
    folder = Path(tempfile.mkdtemp(prefix="deepmovie-"))
    try:
        places = {}
        for number, (name, content) in enumerate(files):
            places[name] = folder / f"{number}{Path(name).suffix}"
            places[name].write_bytes(content)
        return Atelier(replace(job, paint=with_files(job.paint, places)), Survey.of_json(survey_text))
    finally:
        shutil.rmtree(folder)
