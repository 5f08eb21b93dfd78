"""What a source's path leads to: a film, a folder of pictures, or a picture."""

from fractions import Fraction
from pathlib import Path

from protocols.film import PICTURE_SUFFIXES, Reel
from protocols.film_pictures import PicturesReel, pictures_in
from protocols.film_reading import FilmReel


def reel_of(source: Path, *, rate: Fraction) -> Reel:
    """Return what reads a source; nothing is decoded yet.

    Args:
        source: its path.
        rate: pictures per second, where they do not say.

    Raises:
        SourceError: a folder holds no pictures.
    """
    if source.is_dir():
        return PicturesReel(source, pictures_in(source), rate=rate)
    if source.suffix.lower() in PICTURE_SUFFIXES:
        return PicturesReel(source, [source], rate=rate)
    return FilmReel(source)
