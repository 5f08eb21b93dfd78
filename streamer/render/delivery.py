"""Makes of the painted chunks what was asked for, and puts it in its place."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from protocols.errors import SinkError
from protocols.film import FILM_SUFFIXES
from protocols.film_copying import left_out
from protocols.film_joining import Cut, count_pictures, join
from protocols.film_pictures import PicturesReel
from streamer.render.atomic import put, seal
from streamer.render.chunks import Chunk
from streamer.render.film import Film
from streamer.render.prints import PIECE, picture_ending
from streamer.render.workshop import PAINTED, Workshop


class Delivery:
    """Puts the pieces together.

    Args:
        film: what was painted.
        workshop: where the pieces are.
        out: a film, a folder for pictures, or a picture.
    """

    def __init__(self, film: Film, workshop: Workshop, out: Path) -> None:
        self._film = film
        self._reel = film.reel
        self._workshop = workshop
        self._chunks = film.chunks()
        self._out = out
        self._is_film = out.suffix.lower() in FILM_SUFFIXES

    def left_out(self) -> dict[str, list[str]]:
        """Return the streams of the source that the film cannot hold, and the endings of films that can.

        Raises:
            SourceError: the source cannot be read.
        """
        if not self._is_film or isinstance(self._reel, PicturesReel):
            return {}
        return left_out(self._reel.path, self._out.suffix)

    def deliver(self) -> None:
        """Write all of it.

        Raises:
            SinkError, OSError: it cannot be written; every painted frame is still in the workshop.
        """
        if not self._is_film:
            self._deliver_pictures()
            return
        made = self._workshop.path / f"film{self._out.suffix}"
        self._join(self._chunks, made)
        if (found := count_pictures(made)) != self._film.survey.frames:
            raise SinkError(f"{made} should hold {self._film.survey.frames} frames, and holds {found}", reason="failed")
        seal(made, self._out)

    def deliver_so_far(self) -> Path | None:
        """Write a film of the chunks up to the first that is not painted, and return where; None if there is none.

        Raises:
            SinkError, OSError: it cannot be written.
        """
        done = list(itertools.takewhile(lambda chunk: self._workshop.is_done(PAINTED, chunk), self._chunks))
        if not done or not self._is_film:
            return None
        made = self._workshop.path / f"so-far{self._out.suffix}"
        self._join(done, made)
        return made

    def hashes(self) -> Iterator[str]:
        """Yield a line for each frame: its number, its ticks, and the SHA-256 of its pixels before it was encoded."""
        for chunk in self._chunks:
            record = self._workshop.record(PAINTED, chunk) or {"hashes": []}
            for frame, (ticks, digest) in enumerate(
                zip(self._film.ticks(chunk), record["hashes"], strict=True), chunk.first
            ):
                yield f"{frame} {ticks} {digest}\n"

    def _join(self, chunks: Sequence[Chunk], made: Path) -> None:
        source = None if isinstance(self._reel, PicturesReel) else self._reel.path
        until = None if chunks[-1].end == self._film.survey.frames else self._film.ends(chunks[-1])
        facts = self._film.survey.facts
        join(self._cuts(chunks), made, time_base=facts.time_base, rate=facts.rate, source=source, until=until)

    def _cuts(self, chunks: Iterable[Chunk]) -> Iterator[Cut]:
        for chunk in chunks:
            yield Cut(self._workshop.file(PAINTED, chunk, PIECE), self._film.ticks(chunk), self._film.ends(chunk))

    def _deliver_pictures(self) -> None:
        is_folder = not self._out.suffix
        suffix = self._out.suffix or ".png"
        if is_folder:
            self._out.mkdir(exist_ok=True)
        names = self._names()
        for chunk in self._chunks:
            for place in range(len(chunk)):
                picture = self._workshop.file(PAINTED, chunk, picture_ending(place, suffix)).read_bytes()
                put(self._out / f"{next(names)}{suffix}" if is_folder else self._out, picture)

    def _names(self) -> Iterator[str]:
        """Yield the names of the frames' pictures: as the source's if those were pictures, else their numbers."""
        if isinstance(self._reel, PicturesReel):
            stems = [path.stem for path in self._reel.files]
            if len(set(stems)) == len(stems):
                return iter(stems)
        return (f"{frame:08d}" for frame in itertools.count())
