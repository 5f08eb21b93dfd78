"""Whose picture is painted now: what a checkpoint is marked with, and compared to."""

import hashlib
from functools import lru_cache
from importlib.metadata import version

from models.weights import fingerprint
from streamer.checkpoint import Origin
from streamer.config import Config
from streamer.gallery import Gallery
from streamer.paint import Hot
from streamer.recipe import recipe

HEX_DIGITS = 32


class Origins:
    """Knows a picture's origin by the settings that it is painted with.

    Args:
        config: the settings at the start.
        gallery: the paintings.
        size: long side of the painted picture in pixels.
    """

    def __init__(self, config: Config, gallery: Gallery, *, size: int) -> None:
        self._config = config
        self._gallery = gallery
        self._size = size
        self._weights: str | None = None
        self._digest = lru_cache(maxsize=8)(self._digest_of)

    def of(self, hot: Hot) -> Origin:
        """Return the origin of what is painted with these settings.

        Paintings are told apart by their pixels: a file that was changed is another painting.

        Raises:
            PictureError: a painting cannot be used any more.
            OSError: nor can the weights.
        """
        if self._weights is None:
            self._weights = fingerprint(self._config.paint.weights)
        paintings = recipe(hot).items()
        style = [f"{self._digest(name, self._gallery.edition(name))}*{share:g}" for name, share in paintings]
        return Origin(
            name=self._config.name,
            version=version("deepmovie"),
            size=str(self._size),
            weights=self._weights,
            style=" + ".join(style),
        )

    def _digest_of(self, name: str, edition: int) -> str:  # noqa: ARG002 - another edition is another key
        picture = self._gallery.picture(name)
        return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()[:HEX_DIGITS]
