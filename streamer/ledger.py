"""Every frame is in exactly one place at every moment, and is counted there."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import RLock


class Place(StrEnum):
    """Where a frame is between its coming and its end."""

    WAITING = "waiting"
    WORKING = "working"


@dataclass(frozen=True, slots=True)
class Account:
    """Where the frames of one stage are at one moment."""

    came: int
    waiting: int
    working: int
    done: int
    dropped: Mapping[str, int]
    """By reason."""

    @property
    def is_balanced(self) -> bool:
        """Whether each frame that came is accounted for."""
        return self.came == self.done + sum(self.dropped.values()) + self.in_flight

    @property
    def in_flight(self) -> int:
        """Frames whose end is still open."""
        return self.waiting + self.working


class Ledger:
    """Keeps the account of one stage. Each method is one move, made by the code that moves the frame.

    Raises:
        RuntimeError: a frame leaves a place where none is. That is a bug: somewhere a frame was lost or doubled.
    """

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._came = self._done = 0
        self._at = Counter({Place.WAITING: 0, Place.WORKING: 0})
        self._dropped: Counter[str] = Counter()

    def enter(self) -> None:
        """A frame came and waits."""
        with self._lock:
            self._came += 1
            self._at[Place.WAITING] += 1

    def refuse(self, reason: str) -> None:
        """A frame came and was dropped at the door."""
        with self._lock:
            self._came += 1
            self._dropped[reason] += 1

    def begin(self) -> None:
        """A waiting frame is worked on."""
        with self._lock:
            self._leave(Place.WAITING)
            self._at[Place.WORKING] += 1

    def finish(self) -> None:
        """The frame that was worked on is done."""
        with self._lock:
            self._leave(Place.WORKING)
            self._done += 1

    def drop(self, reason: str, place: Place) -> None:
        """A frame was thrown away where it was."""
        with self._lock:
            self._leave(place)
            self._dropped[reason] += 1

    def account(self) -> Account:
        """Return all numbers of one moment."""
        with self._lock:
            return Account(
                self._came, self._at[Place.WAITING], self._at[Place.WORKING], self._done, dict(self._dropped)
            )

    def _leave(self, place: Place) -> None:
        if self._at[place] == 0:
            raise RuntimeError(f"a frame left {place.value!r}, where none was")
        self._at[place] -= 1
