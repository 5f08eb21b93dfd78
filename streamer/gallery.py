"""The paintings by name: built-in ones, those of the settings, those uploaded, and the pictures of a folder.

A name never is a path. Whoever may choose a painting can choose these, and reach no other file of the machine.
"""

import os
import re
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from protocols.jpeg import encode_jpeg
from streamer.picture import PictureError, decode_picture, read_picture
from streamer.section import NONE

Kind = Literal["built-in", "settings", "uploaded", "folder"]

MAX_NAME_CHARS = 64
MAX_UPLOAD_BYTES = 16 * 2**20
MAX_UPLOADS = 100
THUMBNAIL_PX = 160
KEPT_THUMBNAILS = 500
_SUFFIXES = (".png", ".jpg", ".jpeg")
_NAME = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,{MAX_NAME_CHARS - 1}}}")


class GalleryError(ValueError):
    """A painting cannot be taken in; the message says why."""


@dataclass(frozen=True, slots=True)
class Painting:
    """One painting that may be chosen."""

    name: str
    kind: Kind


class Gallery:
    """Finds paintings by name. Where two have one name, the first in the order of ``Kind`` has it.

    Args:
        built_in: names of those that ``paint`` paints.
        paint: returns a built-in painting, H x W x 3, RGB.
        settings: pictures that the settings name by their path.
        folder: its pictures can be chosen; None: there is none. It is looked into at every question.
        uploads: where uploaded pictures are kept; made with the first one.
    """

    def __init__(
        self,
        built_in: Sequence[str] = (),
        *,
        paint: Callable[[str], NDArray[np.uint8]] | None = None,
        settings: Sequence[Path] = (),
        folder: Path | None = None,
        uploads: Path | None = None,
    ) -> None:
        self._built_in = tuple(built_in)
        self._paint = paint
        self._settings = tuple(path.expanduser() for path in settings)
        self._folder = folder
        self._uploads = uploads or state_folder() / "styles"
        self._editions: dict[str, int] = {}
        self._thumbnails: dict[tuple[str, int], bytes] = {}
        self._lock = RLock()

    def names(self) -> tuple[str, ...]:
        """Return the names of all paintings, built-in ones first."""
        return tuple(painting.name for painting in self.describe())

    def describe(self) -> tuple[Painting, ...]:
        """Return all paintings."""
        return tuple(Painting(name, kind) for name, (kind, _) in self._all().items())

    def edition(self, name: str) -> int:
        """Return a number that grows when another picture takes this name."""
        with self._lock:
            return self._editions.get(name, 0)

    def picture(self, name: str) -> NDArray[np.uint8]:
        """Return the painting, H x W x 3, RGB.

        Raises:
            PictureError: there is no such painting, or its file cannot be used.
        """
        kind, path = self._find(name)
        if path is not None:
            return read_picture(path)
        if self._paint is None:
            raise PictureError(f"{name} is {kind}, but nothing here paints")
        return self._paint(name)

    def check(self, name: str) -> None:
        """See whether the painting can be used; built-in ones always can, and are not painted for that.

        Raises:
            PictureError: there is no such painting, or its file cannot be used.
        """
        _, path = self._find(name)
        if path is not None:
            read_picture(path)

    def thumbnail(self, name: str) -> bytes:
        """Return the painting as a small JPEG.

        Raises:
            PictureError: as ``picture``.
        """
        key = name, self.edition(name)
        with self._lock:
            if key in self._thumbnails:
                return self._thumbnails[key]
        picture = self.picture(name)
        scale = min(1.0, THUMBNAIL_PX / max(picture.shape[:2]))
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        with self._lock:
            while len(self._thumbnails) >= KEPT_THUMBNAILS:
                del self._thumbnails[next(iter(self._thumbnails))]
            return self._thumbnails.setdefault(key, encode_jpeg(small, quality=85))

    def put(self, name: str, data: bytes) -> str:
        """Keep an uploaded picture under a name, over one uploaded before; return the name.

        Raises:
            GalleryError: the name is not allowed or belongs to another kind of painting, or there are too many.
            PictureError: the data is no picture that can be used.
            OSError: it cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise GalleryError(
                f"a painting's name must be 1 to {MAX_NAME_CHARS} of A-Z a-z 0-9 _ . - and not begin with a dot, "
                f"got {name[:80]!r}"
            )
        if len(data) > MAX_UPLOAD_BYTES:
            raise PictureError(f"{name} must have at most {MAX_UPLOAD_BYTES >> 20} MiB, got {len(data) / 2**20:.1f}")
        decode_picture(data, name=name)
        with self._lock:
            self._make_room(name)
            self._write(name, data)
            self._editions[name] = self._editions.get(name, 0) + 1
            self._thumbnails = {key: small for key, small in self._thumbnails.items() if key[0] != name}
        return name

    def admit(self, style: str) -> str:
        """Return the name of a painting that the settings give by name or path; from now on it may be chosen.

        Raises:
            PictureError: its file cannot be used.
        """
        path = Path(style).expanduser()
        if style not in self._built_in and path not in self._settings:
            read_picture(path)
            with self._lock:
                self._settings = (*self._settings, path)
        return self.name_of(style)

    def name_of(self, style: str) -> str:
        """Return the name of a painting as the settings give it: a built-in one's name, or the path of a picture."""
        path = Path(style).expanduser()
        return next((name for name, (_, known) in self._all().items() if known == path), style)

    def _find(self, name: str) -> tuple[Kind, Path | None]:
        paintings = self._all()
        if name not in paintings:
            raise PictureError(f"there is no painting {name[:80]!r}")
        return paintings[name]

    def _all(self) -> dict[str, tuple[Kind, Path | None]]:
        """Return kind and file of all paintings by name."""
        found: dict[str, tuple[Kind, Path | None]] = dict.fromkeys(self._built_in, ("built-in", None))
        for path in self._settings:
            found.setdefault(_free(path, found), ("settings", path))
        for path in _files(self._uploads):
            if _NAME.fullmatch(path.name):
                found.setdefault(path.name, ("uploaded", path))
        for path in _files(self._folder) if self._folder else ():
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."):
                found.setdefault(_free(path, found), ("folder", path))
        return found

    def _make_room(self, name: str) -> None:
        """Raise if an upload may not have this name, or would be one too many."""
        paintings = self._all()
        kind = paintings[name][0] if name in paintings else "uploaded"
        if kind != "uploaded" or name == NONE:
            raise GalleryError(f"the name {name} belongs to another painting; take another one")
        if name not in paintings and sum(kind == "uploaded" for kind, _ in paintings.values()) >= MAX_UPLOADS:
            raise GalleryError(f"{MAX_UPLOADS} pictures are here already; put the new one in the place of an old one")

    def _write(self, name: str, data: bytes) -> None:
        """Write the file: readers see the old one or the new one, whole."""
        self._uploads.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._uploads, prefix=".", delete=False) as part:
            try:
                part.write(data)
                part.flush()
                os.fsync(part.fileno())
                Path(part.name).replace(self._uploads / name)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise


def state_folder() -> Path:
    """Return what survives a restart: systemd's folder for this service, or the user's."""
    if service := os.environ.get("STATE_DIRECTORY"):
        return Path(service.partition(":")[0])
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "deepmovie"


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder by name; none if it cannot be read."""
    try:
        yield from (path for path in sorted(folder.iterdir()) if path.is_file())
    except OSError:
        return  # it is not there yet, or no longer: then it holds no paintings


def _free(path: Path, taken: Container[str]) -> str:
    """Return a name for a picture file: its stem in allowed characters, or with its ending, or with a number."""
    for text in path.stem, path.name, *(f"{path.stem[:50]}-{number}" for number in range(2, 1000)):
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip(".")[:MAX_NAME_CHARS] or "picture"
        if name not in taken and name != NONE:
            return name
    return path.name
