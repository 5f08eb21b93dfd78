"""The proof that a loop moves, for the watchdog."""

import math
import time
from collections.abc import Callable, ItemsView, Iterator, Mapping


class Pulse:
    """One loop says until when it will have moved again; the supervisor sees whether it kept its word.

    Only the loop itself writes, so no lock is needed.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = math.inf

    def expect(self, within_s: float) -> None:
        """I moved, and shall again within so many seconds."""
        self._until = self._clock() + within_s

    def rest(self) -> None:
        """I wait for another loop, or am done: look there instead."""
        self._until = math.inf

    @property
    def is_overdue(self) -> bool:
        """Whether the loop broke its word."""
        return self._clock() > self._until


class Pulses(Mapping[str, Pulse]):
    """The pulses of the loops that there are at the moment, by name.

    Args:
        now: returns them.
    """

    def __init__(self, now: Callable[[], Mapping[str, Pulse]]) -> None:
        self._now = now

    def __getitem__(self, name: str) -> Pulse:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def items(self) -> ItemsView[str, Pulse]:
        """Return all of one moment."""
        return self._now().items()
