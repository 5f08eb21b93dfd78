"""A network that may fail while frames are painted, and what stands in for it then: the stream goes on."""

import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

import structlog
import torch
from torch import Tensor

from models.errors import NetworkError

REST_S = 10.0
"""After a failure the network is left alone for so long: most that make it fail outlast a frame, and it takes time."""

log = structlog.get_logger()


class Complaint(NamedTuple):
    """What is wrong with a network, as ``Telemetry.trouble`` takes it."""

    reason: str
    error: str
    retry_in_s: float | None = None


class Fallible:
    """A network, watched. An answer that is not finite is a failure, too. Any thread may call it.

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
        self._retry_at = 0.0

    @property
    def complaint(self) -> Complaint | None:
        """What is wrong with it now; None: nothing."""
        with self._lock:
            if self._error:
                return Complaint("failed", self._error, max(0.0, self._retry_at - self._clock()))
        return Complaint("on_cpu", self._slow) if self._slow else None

    def __call__(self, *pictures: Tensor, stand_in: Callable[..., Tensor]) -> Tensor:
        """Return what the network makes of the pictures, or what ``stand_in`` does while it fails or rests."""
        with self._lock:
            rests = bool(self._error) and self._clock() < self._retry_at
        if not rests:
            try:
                answer = self._network(*pictures)
            except (NetworkError, torch.OutOfMemoryError) as error:
                self._fail(str(error).partition("\n")[0])
            else:
                if bool(torch.isfinite(answer).all()):
                    self._recover()
                    return answer
                self._fail("it gave numbers that are not finite")
        return stand_in(*pictures)

    def _fail(self, error: str) -> None:
        with self._lock:
            self._error, self._retry_at = error, self._clock() + REST_S
            self._failures += 1
        log.error("network_failed", part=self.part, error=error, retry_in_s=REST_S)

    def _recover(self) -> None:
        with self._lock:
            failures, self._failures, self._error = self._failures, 0, ""
        if failures:
            log.info("network_recovered", part=self.part, failures=failures)
