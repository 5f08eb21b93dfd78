"""Recordings in one folder: how they are named after the time, and which are old enough to go."""

import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path

_DIGITS = {"%Y": r"\d{4}", "%m": r"\d\d", "%d": r"\d\d", "%H": r"\d\d", "%M": r"\d\d", "%S": r"\d\d", "%%": "%"}
_PART = re.compile(r"%.?|[^%]+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of the past is kept."""

    age_s: float = inf
    size_bytes: float = inf
    """Of all recordings together."""


def path_at(template: Path, moment: float) -> Path:
    """Return the template with the local time of a moment, in seconds since 1970, filled in."""
    return template.with_name(time.strftime(template.name, time.localtime(moment)))


def names(template: Path) -> re.Pattern[str]:
    """Return what the name of a recording looks like, with or without a number before its ending.

    Raises:
        ValueError: the template holds another ``%`` than those of date and time, or one outside the name.
    """
    parts = _PART.findall(template.stem)
    if "%" in str(template.parent) + template.suffix or not all(part in _DIGITS or part[0] != "%" for part in parts):
        raise ValueError(f"only the name may hold {' '.join(_DIGITS)}, and no other %, got {template}")
    stem = "".join(_DIGITS.get(part) or re.escape(part) for part in parts)
    return re.compile(rf"{stem}(-\d{{1,9}})?{re.escape(template.suffix)}", re.ASCII)


def tidy(template: Path, keep: Keep, *, now: float) -> None:
    """Delete the recordings that are too old or too many, the oldest first; never the newest, which may be growing.

    A recording is a file that lies in the template's folder and is named by it. One that cannot be deleted stays: to
    record matters more, and a disk that is full says so itself.

    Args:
        template: as for `names`.
        keep: what to keep.
        now: the time of day, in seconds since 1970, as the files carry it.

    Raises:
        OSError: the folder cannot be read.
    """
    found = sorted(_recordings(template), key=lambda each: (each.ended_at, each.path.name))
    size = sum(each.size_bytes for each in found)
    for each in found[:-1]:
        if now - each.ended_at <= keep.age_s and size <= keep.size_bytes:
            continue
        try:
            each.path.unlink(missing_ok=True)
        except OSError:
            continue
        size -= each.size_bytes


@dataclass(frozen=True, slots=True)
class _Recording:
    path: Path
    ended_at: float
    size_bytes: int


def _recordings(template: Path) -> Iterator[_Recording]:
    pattern = names(template)
    for path in template.parent.iterdir():
        if not pattern.fullmatch(path.name):
            continue
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue  # somebody else tidies, too
        if stat.S_ISREG(found.st_mode):
            yield _Recording(path, found.st_mtime, found.st_size)
