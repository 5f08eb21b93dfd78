"""A network that may fail while frames are painted, and what stands in for it then: the stream goes on."""

import math
import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

import structlog
import torch
from torch import Tensor

from models.errors import NetworkError

QUIET_S = 10.0
"""So long must a network have worked to count as sound again; and so often is it told of that it does not."""

log = structlog.get_logger()


class Complaint(NamedTuple):
    """What is wrong with a network, as ``Telemetry.trouble`` takes it."""

    reason: str
    error: str


class Fallible:
    """A network, watched. An answer that is not finite is a failure, too. Any thread may call it.

    It is asked each time anew, so that what comes of a frame depends on the frame and not on the clock.

    Args:
        part: what it is for: ``flow`` or ``fill``.
        network: what may fail.
        slow: why it runs on the CPU although frames are painted on a GPU; empty if it does not.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        part: str,
        network: Callable[..., Tensor],
        *,
        slow: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.part = part
        self._network = network
        self._slow = slow
        self._clock = clock
        self._lock = Lock()
        self._error = ""
        self._failures = 0
        self._failed_at = self._told_at = -math.inf

    @property
    def complaint(self) -> Complaint | None:
        """What is wrong with it, or was a moment ago; None: nothing."""
        with self._lock:
            if self._error and not self._is_quiet():
                return Complaint("failed", self._error)
        return Complaint("on_cpu", self._slow) if self._slow else None

    def __call__(self, *pictures: Tensor, stand_in: Callable[..., Tensor]) -> Tensor:
        """Return what the network makes of the pictures or, if it fails, what ``stand_in`` does."""
        try:
            answer = self._network(*pictures)
        except (NetworkError, torch.OutOfMemoryError) as error:
            self._fail(str(error).partition("\n")[0])
            return stand_in(*pictures)
        if not bool(torch.isfinite(answer).all()):
            self._fail("it gave numbers that are not finite")
            return stand_in(*pictures)
        self._succeed()
        return answer

    def _fail(self, error: str) -> None:
        with self._lock:
            now = self._clock()
            self._error, self._failed_at = error, now
            self._failures += 1
            if now - self._told_at < QUIET_S:
                return
            self._told_at = now
            failures = self._failures
        log.error("network_failed", part=self.part, error=error, failures=failures)

    def _succeed(self) -> None:
        with self._lock:
            if not self._error or not self._is_quiet():
                return
            failures, self._failures, self._error = self._failures, 0, ""
        log.info("network_recovered", part=self.part, failures=failures)

    def _is_quiet(self) -> bool:
        return self._clock() - self._failed_at >= QUIET_S
