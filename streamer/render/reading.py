"""Frames of a film from the middle, which are proved to be those that the survey saw."""

from collections.abc import Iterator

from protocols.errors import SourceError
from protocols.film import Reel, Shot
from streamer.render.survey import Pixels, Survey, fitted
from streamer.render.timetable import Timetable


class Reader:
    """Reads the frames of a film.

    Args:
        reel: the film.
        survey: what is known of it.
        timetable: of the same survey.
    """

    def __init__(self, reel: Reel, survey: Survey, timetable: Timetable) -> None:
        self._reel = reel
        self._survey = survey
        self._timetable = timetable
        self._next = -1
        self._open: Iterator[Pixels] = iter(())

    def frames(self, first: int, end: int) -> Iterator[Pixels]:
        """Yield some neighboring frames, H x W x 3, in the size in which they are painted.

        A film says where to look for a time, and not always rightly. So what is found there must be the frame that was
        seen there; else the film is read from its beginning.

        Raises:
            SourceError: it does not look as it did.
        """
        for number in range(first, end):
            if number != self._next:
                self._open = self._from(number)
            self._next = -1  # until it is clear that this one came
            frame = next(self._open, None)
            if frame is None or not self._timetable.shows(number, frame):
                raise SourceError(
                    f"{self._reel.path}: frame {number} is not what it was when the film was looked through: the file "
                    "has changed, or this is another machine",
                    reason="format",
                )
            self._next = number + 1
            yield frame

    def _from(self, first: int) -> Iterator[Pixels]:
        if first and self._survey.is_even:
            [ticks] = self._timetable.ticks(first, first + 1)
            found = self._fitted(self._reel.shots(ticks))
            frame = next(found, None)
            if frame is not None and self._timetable.shows(first, frame):
                yield frame
                yield from found
                return
        for number, frame in enumerate(self._fitted(self._reel.shots())):
            if number >= first:
                yield frame

    def _fitted(self, shots: Iterator[Shot | None]) -> Iterator[Pixels]:
        return (fitted(shot.image, self._survey.height, self._survey.width) for shot in shots if shot is not None)
