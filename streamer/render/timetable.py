"""When each frame of a film is shown and what it looked like, on the disk: memory does not grow with the film."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_RECORD = np.dtype([("ticks", "<i8"), ("crc", "<u4")])


def checksum(pixels: NDArray[np.uint8]) -> int:
    """Return what tells a picture from another."""
    return zlib.crc32(np.ascontiguousarray(pixels).data)


class Timetable:
    """The frames of a film that was looked through.

    Args:
        path: a file that a `Scribe` wrote, with at least one frame.
    """

    def __init__(self, path: Path) -> None:
        self._rows = np.memmap(path, _RECORD, mode="r")

    def __len__(self) -> int:
        return len(self._rows)

    def ticks(self, first: int, end: int) -> Sequence[int]:
        """Return when some frames are shown; the frame after the last one is allowed, too, if there is one."""
        return [int(ticks) for ticks in self._rows["ticks"][first:end]]

    def shows(self, frame: int, pixels: NDArray[np.uint8]) -> bool:
        """Return whether this is what the frame looked like."""
        return bool(self._rows["crc"][frame] == checksum(pixels))


class Scribe:
    """Writes a timetable into a file, frame by frame."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, ticks: int, pixels: NDArray[np.uint8]) -> None:
        """Write down the next frame."""
        self._file.write(np.array((ticks, checksum(pixels)), _RECORD).tobytes())
