"""How long to wait before another try."""

import random
import time
from collections.abc import Callable

BASE_S, CAP_S = 0.25, 8.0
SHORT_OUTAGE_S, SHORT_OUTAGE_CAP_S = 10.0, 1.5
PATIENT_BASE_S, PATIENT_CAP_S = 8.0, 60.0
HEALTHY_AFTER_S = 30.0


class Backoff:
    """Exponential back-off with full jitter; the first retry is at once.

    For the first 10 s of an outage the pauses stay short, so that a peer that is soon back is soon found. How often it
    failed is forgotten only after 30 s of health, so that one that comes and goes is not asked in a tight loop: about
    once a second at most.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, rng: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._failures = 0
        self._healthy_since: float | None = None
        self._failing_since: float | None = None

    def succeed(self) -> None:
        """Note that the peer works."""
        now = self._clock()
        self._failing_since = None
        if self._healthy_since is None:
            self._healthy_since = now
        if now - self._healthy_since >= HEALTHY_AFTER_S:
            self._failures = 0

    def fail(self, *, patient: bool = False) -> float:
        """Note a failure; return the pause before the next try, in seconds.

        Args:
            patient: trying again soon would do harm, as wrong passwords lock accounts: 4 s at least, up to 60 s.
        """
        now = self._clock()
        self._healthy_since = None
        if self._failing_since is None:
            self._failing_since = now
        failures, self._failures = self._failures, self._failures + 1
        if patient:
            ceiling = _doubled(PATIENT_BASE_S, failures, PATIENT_CAP_S)
            return ceiling * (0.5 + 0.5 * self._rng())
        if failures == 0:
            return 0.0
        cap_s = SHORT_OUTAGE_CAP_S if now - self._failing_since < SHORT_OUTAGE_S else CAP_S
        return self._rng() * _doubled(BASE_S, failures - 1, cap_s)


def _doubled(base: float, times: int, cap: float) -> float:
    return min(cap, base * 2.0 ** min(times, 32))
