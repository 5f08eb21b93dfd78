"""The last two checkpoints of a stream on the disk, and how often starting from them went wrong.

Each is written beside its predecessor and takes its place when it is whole, so that there is always one to read.
"""

import os
from dataclasses import dataclass
from pathlib import Path

TRIES = 2
"""So many starts from a checkpoint may end before their first picture; then it is put aside."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One file."""

    number: int
    path: Path

    def read(self, most_bytes: int) -> bytes:
        """Return what is in it.

        Raises:
            OSError: it cannot be read.
            ValueError: it has more than so many bytes.
        """
        with self.path.open("rb") as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise ValueError(f"expected at most {most_bytes} bytes, got more")
        return data


class Generations:
    """Two files that are written in turns.

    Args:
        folder: made when the first one is written, for nobody but us.
        name: the stream's.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._part = folder / f".{name}.part"
        self._tries = folder / f".{name}.tries"
        self._all = tuple(Generation(number, folder / f"{name}.{number}.safetensors") for number in (0, 1))
        self._next = 0

    def newest_first(self) -> list[Generation]:
        """Return those that are there."""
        there = [each for each in self._all if each.path.exists()]
        return sorted(there, key=lambda each: each.path.stat().st_mtime_ns, reverse=True)

    def write(self, data: bytes) -> None:
        """Put ``data`` in the place of the older one, whole or not at all.

        Raises:
            OSError: the disk does not take it.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._part.replace(self._all[self._next].path)
        except OSError:
            self._part.unlink(missing_ok=True)  # what is half written must not fill the disk
            raise
        self.spare(self._all[self._next])

    def spare(self, generation: Generation) -> None:
        """Write over the other one next."""
        self._next = 1 - generation.number

    @property
    def tries(self) -> int:
        """How many starts in a row ended before their first picture."""
        try:
            return int(self._tries.read_bytes()[:4] or b"0")
        except FileNotFoundError:
            return 0
        except ValueError:  # nobody but us writes there; something is wrong, so trust nothing
            return TRIES

    def begin_try(self) -> None:
        """Write down that one more start begins; it counts until ``end_tries``.

        Raises:
            OSError: it cannot be written down. Then no start may be tried, as nobody would know how it ended.
        """
        count = self.tries + 1
        self._tries.write_bytes(b"%d" % count)

    def end_tries(self) -> None:
        """A start went well, or was none.

        Raises:
            OSError: the disk does not take it.
        """
        self._tries.unlink(missing_ok=True)

    def put_aside(self) -> list[Path]:
        """Let nothing be found at the next start; return where the files are, for whoever wants to look into them.

        Raises:
            OSError: the disk does not take it.
        """
        aside = [each.path.replace(each.path.with_suffix(".quarantined")) for each in self._all if each.path.exists()]
        self.end_tries()
        return aside
