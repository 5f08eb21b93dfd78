"""What `doctor` finds: one line each, and how bad it is."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a finding is to be taken; the worst is the last."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    status: Status
    found: str
    mend: str = ""
    """What to do about it; empty if nothing is wrong."""


def ok(name: str, found: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(name, Status.OK, found)


def first_line(error: BaseException) -> str:
    """Return what an error says first."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
