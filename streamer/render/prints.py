"""What people get of a chunk: a piece of film or pictures, and what tells each painted frame from any other."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.film import FILM_SUFFIXES, Facts
from protocols.film_pictures import encode_picture
from protocols.film_writing import Piece
from streamer.render.job import Job
from streamer.render.survey import Pixels

PIECE = ".mp4"
"""How a chunk of a film ends, whatever the film's kind."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A chunk as people get it."""

    files: dict[str, bytes]
    """By the ending of their names: one film, or a picture for each frame."""
    hashes: list[str]
    """SHA-256 of each frame's pixels, before anything was encoded."""


class Print:
    """Takes the painted frames of a chunk, one after the other.

    Args:
        job: says what is wanted.
        facts: of the film.
        ticks: when the frames are shown.
    """

    def __init__(self, job: Job, facts: Facts, ticks: Sequence[int]) -> None:
        self._suffix = job.suffix
        self._ticks = ticks
        self._piece = Piece(facts, crf=job.crf) if job.suffix in FILM_SUFFIXES else None
        self._files: dict[str, bytes] = {}
        self._hashes: list[str] = []

    def add(self, pixels: Pixels) -> None:
        """Take the next frame, H x W x 3."""
        place = len(self._hashes)
        self._hashes.append(hashlib.sha256(pixels.tobytes()).hexdigest())
        if self._piece:
            self._piece.add(pixels, self._ticks[place] - self._ticks[0])
        else:
            self._files[picture_ending(place, self._suffix)] = encode_picture(pixels, self._suffix)

    def finish(self) -> Printed:
        """Return everything."""
        if self._piece:
            self._files[PIECE] = self._piece.finish()
        return Printed(self._files, self._hashes)


def picture_ending(place: int, suffix: str) -> str:
    """Return how the name of a chunk's picture ends."""
    return f".{place:06d}{suffix}"
