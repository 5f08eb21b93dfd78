"""When each frame of a film is shown and what it looked like, on the disk: memory does not grow with the film."""

import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_RECORD = np.dtype([("ticks", "<i8"), ("crc", "<u4")])


def checksum(pixels: NDArray[np.uint8]) -> int:
    """Return what tells a picture from another."""
    return zlib.crc32(np.ascontiguousarray(pixels).data)


class Timetable:
    """The frames of a film that was looked through.

    Args:
        path: a file that a `Scribe` wrote.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size // _RECORD.itemsize

    def ticks(self, first: int, end: int) -> list[int]:
        """Return when some frames are shown, as far as the film has them."""
        return [int(ticks) for ticks in self._rows(first, end)["ticks"]]

    def shows(self, frame: int, pixels: NDArray[np.uint8]) -> bool:
        """Return whether this is what the frame looked like."""
        return bool(self._rows(frame, frame + 1)["crc"] == checksum(pixels))

    def _rows(self, first: int, end: int) -> NDArray[Any]:
        return np.fromfile(self._path, _RECORD, end - first, offset=first * _RECORD.itemsize)


class Scribe:
    """Writes a timetable into a file, frame by frame."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, ticks: int, pixels: NDArray[np.uint8]) -> None:
        """Write down the next frame."""
        self._file.write(np.array((ticks, checksum(pixels)), _RECORD).tobytes())
