"""What the user asks of a render, and the job that it comes to."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

import torch

from models.precision import fastest_precision
from protocols.errors import SourceError
from protocols.film import FILM_SUFFIXES, PICTURE_SUFFIXES
from streamer import machine
from streamer.config import ConfigError
from streamer.engine import choose_device
from streamer.memory import default_size
from streamer.paint import Paint
from streamer.render.attachments import digests, files_named
from streamer.render.job import Job, digest_of_source, installed
from streamer.render.opening import reel_of

FIRST_TO_OTHERS = 5
"""How many times as many iterations the first frame of a scene gets: it begins with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The command line, read."""

    source: Path
    out: Path
    paint: Paint
    iterations: int
    first_iterations: int | None = None
    """None: five times as many."""
    passes: int = 1
    size: int | Literal["source"] | None = None
    """None: what suits the device."""
    rate: Fraction = Fraction(25)
    chunk: int = 24
    crf: int = 18
    threads: int | None = None
    """None: those of the job that is gone on with; of a new one, the processors shared by the jobs."""
    jobs: int = 1
    ray: str | None = None
    """The address of a cluster; empty: one on this machine; None: no Ray."""
    preview: Path | None = None
    hashes: Path | None = None
    overwrite: bool = False

    def check(self) -> None:
        """See whether source and output can be what they are.

        Raises:
            ConfigError: they cannot, and what is expected.
            SourceError: there is no source.
        """
        if not self.source.exists():
            raise SourceError(f"{self.source}: there is no such file or folder", reason="not_found")
        self._check_output()
        if self.preview is not None and self.preview.suffix.lower() not in PICTURE_SUFFIXES:
            raise ConfigError(f"the preview must end in {', '.join(PICTURE_SUFFIXES)}, got {self.preview.name!r}")
        self._check_apart()
        for name, path in ("the preview", self.preview), ("the list of hashes", self.hashes):
            if path is not None:
                _check_writable(name, path)

    def _check_output(self) -> None:
        """See that the output is what can be made of the source, and does not stand in its own way."""
        suffix = self.out.suffix.lower()
        if self.out.name in ("", ".."):
            raise ConfigError(f"the output must have a name of its own, got {str(self.out)!r}")
        if suffix and suffix not in (*FILM_SUFFIXES, *PICTURE_SUFFIXES):
            films, pictures = ", ".join(FILM_SUFFIXES), ", ".join(PICTURE_SUFFIXES)
            raise ConfigError(
                f"the output must end in {films} (a film), {pictures} (a picture), or in nothing (a folder of "
                f"pictures), got {self.out.name!r}"
            )
        if suffix in PICTURE_SUFFIXES and self.source.suffix.lower() not in PICTURE_SUFFIXES:
            raise ConfigError(f"a picture is made of a picture; of {self.source.name} a film or a folder can be made")
        if not self.out.absolute().parent.is_dir():
            raise ConfigError(f"output: there is no folder {self.out.absolute().parent}")
        if suffix and self.out.is_dir():
            raise ConfigError(f"output: {self.out} is there already, and is a folder")
        if not suffix and self.out.exists() and not self.out.is_dir():
            raise ConfigError(f"output: {self.out} is there already, and is no folder")

    def _check_apart(self) -> None:
        """See that nothing is written over the source, into it, or over each other."""
        source = self.source.resolve()
        folders = {source.parent, self.source.absolute().parent.resolve()}  # two, if the source is a link
        if not self.out.suffix and not self.source.is_dir() and self.out.resolve() in folders:
            raise ConfigError(f"the output must not be the folder that the source is in: {self.out}")
        if self.preview is not None and self.preview.resolve().parent == source:
            raise ConfigError(f"the preview must not be among the pictures of the source: {self.preview}")
        places = {"the source": source}
        for name, path in ("the output", self.out), ("the preview", self.preview), ("the list of hashes", self.hashes):
            if path is None:
                continue
            place = path.resolve()
            taken = next((other for other, its in places.items() if its == place), None)
            if taken:
                raise ConfigError(f"{name} must not be {taken}: {path}")
            places[name] = place

    def job(self, begun: Job | None) -> Job:
        """Return the job.

        Args:
            begun: the one that was begun here before. What was not asked for but chosen is taken from it.

        Raises:
            ConfigError, SourceError: it cannot be painted.
        """
        device = torch.device(begun.device) if begun else choose_device(self.paint.device)[0]
        try:
            files = digests(files_named(self.paint)) | {"source": digest_of_source(self.source)}
        except OSError as error:
            raise SourceError(f"{error.filename}: {error.strerror}", reason="failed") from None
        return Job(
            source=self.source.absolute(),
            rate=self.rate,
            suffix=self.out.suffix.lower() or ".png",
            paint=self.paint,
            iterations=self.iterations,
            first_iterations=self.first_iterations or FIRST_TO_OTHERS * self.iterations,
            passes=self.passes,
            size=self._size(device),
            chunk=self.chunk,
            crf=self.crf,
            threads=self.threads or (begun.threads if begun else max(1, machine.cores() // self.jobs)),
            precision=begun.precision if begun else str(fastest_precision(device)).removeprefix("torch."),
            device=str(device),
            files=files,
            versions=installed(),
        )

    def _size(self, device: torch.device) -> int:
        if self.size == "source":
            facts = reel_of(self.source, rate=self.rate).facts()
            return max(facts.height, facts.width)
        return self.size or default_size(device)


def _check_writable(name: str, path: Path) -> None:
    """See that a file can be written: it may be hours until it is."""
    if path.is_dir():
        raise ConfigError(f"{name} must be a file, and {path} is a folder")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{name}: there is no folder {folder}")
    try:
        with TemporaryFile(dir=folder):
            return
    except OSError as error:
        failure = ConfigError(f"{name}: nothing can be written to {folder}: {error.strerror}")
    raise failure
