"""The newest painted frame as a picture that anybody may look at, whenever."""

import time
from collections.abc import Callable
from pathlib import Path

from protocols.film_pictures import encode_picture
from streamer.render.atomic import put
from streamer.render.survey import Pixels

EVERY_S = 1.0


class Preview:
    """Writes the newest frame now and then: readers see a whole picture, always.

    Args:
        path: a .png or .jpg; None: nobody wants it.
        every_s: how far apart.
        clock: monotonic, seconds.
    """

    def __init__(
        self, path: Path | None, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._every_s = every_s
        self._clock = clock
        self._due_at = clock()

    def __call__(self, pixels: Pixels) -> None:
        """Take a painted frame.

        Raises:
            OSError: it cannot be written.
        """
        if self._path is None or self._clock() < self._due_at:
            return
        put(self._path, encode_picture(pixels, self._path.suffix))
        self._due_at = self._clock() + self._every_s
