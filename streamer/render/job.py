"""Everything that decides how a rendered film looks, to the bit."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from protocols.film_pictures import pictures_in
from streamer.paint import Paint
from streamer.render.attachments import UNUSED

LIBRARIES = ("deepmovie", "torch", "numpy", "opencv-python-headless", "av")
"""Whose versions decide about the last bit."""
_ENDS_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is painted, and how."""

    source: Path
    """A film, a folder of pictures or a picture; absolute."""
    rate: Fraction
    """Pictures per second, of a folder."""
    suffix: str
    """Of what is written: of a film, or of pictures."""
    paint: Paint
    iterations: int
    """Per frame and pass."""
    first_iterations: int
    """Of the first frame of a scene."""
    passes: int
    size: int
    """Long side in pixels; larger frames are made smaller."""
    chunk: int
    """Frames between checkpoints."""
    crf: int
    threads: int
    precision: str
    """Of the network's numbers: a name that torch knows."""
    device: str
    files: Mapping[str, str]
    """SHA-256 of each file that the settings name; of the source, see `digest_of_source`."""
    versions: Mapping[str, str]
    """See `installed`."""

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(self._plain() | {"source": str(self.source)}, indent=2)

    @classmethod
    def of_json(cls, text: str | bytes) -> "Job":
        """Return the job whose text this is.

        Raises:
            ValueError: it is none.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            return cls(
                **fields
                | {
                    "source": Path(fields["source"]),
                    "rate": Fraction(fields["rate"]),
                    "paint": Paint.model_validate(fields["paint"]),
                }
            )
        except (TypeError, KeyError, ArithmeticError) as error:
            raise ValueError(f"this is no job: {error}") from None

    def differences(self, other: "Job") -> list[str]:
        """Return what makes the two paint differently, as "key: mine, not its"; where the source lies does not."""
        mine, its = dict(_flat(self._plain())), dict(_flat(other._plain()))
        keys = [key for key in {**mine, **its} if mine.get(key) != its.get(key)]
        return [f"{key}: {mine.get(key, 'none')}, not {its.get(key, 'none')}" for key in keys]

    def _plain(self) -> dict[str, Any]:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del fields["source"]
        paint = self.paint.model_dump(mode="json", exclude=set(UNUSED))
        return fields | {"rate": str(self.rate), "paint": paint}


def installed() -> dict[str, str]:
    """Return the versions of those libraries here."""
    return {name: version(name) for name in LIBRARIES}


def digest_of_source(source: Path) -> str:
    """Return what tells one film from another without reading all of it: its length, its beginning and its end.

    Of a folder: the names, lengths, beginnings and ends of its pictures; what else lies there may change.

    Raises:
        OSError: it cannot be read.
        SourceError: a folder holds no pictures.
    """
    found = hashlib.sha256()
    for path in pictures_in(source) if source.is_dir() else [source]:
        with path.open("rb") as file:
            size = path.stat().st_size
            head = file.read(_ENDS_BYTES)
            file.seek(max(0, size - _ENDS_BYTES))
            name = os.fsencode(path.name) if source.is_dir() else b""
            found.update(b"%b\0%d\0%b%b" % (name, size, head, file.read(_ENDS_BYTES)))
    return found.hexdigest()


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
