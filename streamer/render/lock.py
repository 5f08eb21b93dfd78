"""Lets one process at a time work in a folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"


class BusyError(Exception):
    """Another process works here."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder for ourselves. The lock goes with the process, however that ends.

    Raises:
        BusyError: another process has it.
        OSError: it cannot be written to.
    """
    with (folder / LOCK).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"{folder}: another process is at work here") from None
        yield
