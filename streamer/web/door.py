"""Who came in, who was turned away and why: counted, and told once a second at most."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

import structlog

MAX_CONNECTIONS = 32
"""Beside those of viewers, who have a limit of their own: a full house must not lock out who looks after it."""
MAX_SURPLUS = 96
"""Connections beyond that are still told that there are too many; above this they are just closed."""
MAX_FAILURES = 50
LOCK_S = 60.0
MAX_ADDRESSES = 1024
TELL_S = 1.0

log = structlog.get_logger()


class Door:
    """Counts what the rules of `guard` and `connection` find. Used in one loop only; the counts are read anywhere.

    Args:
        clock: monotonic, seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rejected: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._told_at = -TELL_S
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.cut = 0
        """Viewers who did not read."""

    @property
    def rejected(self) -> Mapping[str, int]:
        """Requests and connections that were turned away, by reason."""
        return dict(self._rejected)

    def reject(self, reason: str) -> None:
        """Somebody is turned away."""
        self._rejected[reason] += 1
        self._untold[reason] += 1
        self.tell()

    def tell(self) -> None:
        """Log what was not logged yet, unless that was done within the last second."""
        now = self._clock()
        if self._untold and now - self._told_at >= TELL_S:
            log.warning("http_rejected", reasons=dict(self._untold))
            self._untold.clear()
            self._told_at = now

    def cut_off(self, client: str) -> None:
        """A client that did not read was cut."""
        self.cut += 1
        log.warning("http_client_cut", client=client)

    def fail(self, address: str) -> None:
        """A wrong token came from this address."""
        count, _ = self._failures.pop(address, (0, 0.0))
        self._failures[address] = count + 1, self._clock() + LOCK_S
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def is_locked(self, address: str) -> bool:
        """Return whether so many wrong tokens came from there that not even the right one counts for a minute."""
        count, until = self._failures.get(address, (0, 0.0))
        if self._clock() >= until:
            self._failures.pop(address, None)
            return False
        return count >= MAX_FAILURES
