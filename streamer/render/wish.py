"""What the user asks of a render, and the job that it comes to."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
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
        suffix = self.out.suffix.lower()
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
        if self.preview is not None and self.preview.suffix.lower() not in PICTURE_SUFFIXES:
            raise ConfigError(f"the preview must end in {', '.join(PICTURE_SUFFIXES)}, got {self.preview.name!r}")
        self._check_apart()

    def _check_apart(self) -> None:
        """See that nothing is written over the source, or over each other."""
        places = {"the source": self.source.resolve()}
        for name, path in ("the output", self.out), ("the preview", self.preview), ("the list of hashes", self.hashes):
            if path is None:
                continue
            place = path.resolve()
            taken = next((other for other, its in places.items() if its == place), None)
            if taken:
                raise ConfigError(f"{name} must not be {taken}: {path}")
            if name != "the output" and not place.parent.is_dir():
                raise ConfigError(f"{name}: there is no folder {place.parent}")
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
