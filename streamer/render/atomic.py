"""Files that are there whole or not at all, whatever ends the process or the machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".part"
"""How a file that is being written ends. One that was left behind may be deleted."""


def put(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        OSError: it could not be written; what was there before is as it was.
    """
    with writing(path) as file:
        file.write(content)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to. It gets its name when all went well, and is gone otherwise.

    Raises:
        OSError: as `put`.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        with part.open("wb") as file:
            yield file
        seal(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def seal(part: Path, path: Path) -> None:
    """Give a file that was written its name, once it is on the disk."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
