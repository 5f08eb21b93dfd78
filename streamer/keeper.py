"""Keeps the picture's memory on the disk, beside the loop, and takes it up again at the next start.

The painter hands over references, or on a GPU a copy, so many seconds apart. All else happens in a thread of its own: a
disk that is slow, full or gone costs no frame.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Protocol

import structlog
import torch
from torch import Tensor

from models.memory import Memory
from streamer.checkpoint import BYTES_PER_PIXEL, MAX_HEADER_BYTES, CheckpointError, Origin, decode, encode
from streamer.config import Restart
from streamer.generations import TRIES, Generation, Generations
from streamer.paint import Hot
from streamer.picture import PictureError
from streamer.telemetry import Telemetry

RETRY_S = 30.0

log = structlog.get_logger()


class Lasting(Protocol):
    """A stylizer whose memory can be taken out and put in: ``models.stylizer.Stylizer``."""

    @property
    def memory(self) -> Memory | None:
        """What the next frame would go on from."""
        ...

    def resume(self, memory: Memory) -> None:
        """Go on from there."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    tensors: Mapping[str, Tensor] | None
    """On the CPU; None: nothing is remembered."""
    hot: Hot
    saved_at: float


class Keeper:
    """Writes what the stylizer remembers, and gives it back to the stylizer of the next process.

    Args:
        stylizer: whose memory it is.
        device: where the stylizer has it.
        generations: where it is kept.
        origin_of: tells whose picture is painted with these settings.
        size: long side of the painted picture in pixels.
        settings: how often to write, and what is too old.
        telemetry: counts what becomes of checkpoints.
        clock: monotonic, seconds.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        stylizer: Lasting,
        *,
        device: torch.device | str,
        generations: Generations,
        origin_of: Callable[[Hot], Origin],
        size: int,
        settings: Restart,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._stylizer = stylizer
        self._device = device
        self._generations = generations
        self._origin_of = origin_of
        self._most_bytes = MAX_HEADER_BYTES + BYTES_PER_PIXEL * size**2
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._wall = wall
        self._due_at = clock()
        self._offer: _Offer | None = None
        self._is_trying = self._is_over = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="checkpoint", daemon=True)

    def restore(self, hot: Hot) -> None:
        """Let the stylizer go on from the newest checkpoint that is whole, ours and young; before the first frame."""
        try:
            self._restore(hot)
        except (OSError, PictureError) as error:
            self._reject("failed", error)

    def start(self) -> None:
        """Begin to keep what is offered."""
        self._thread.start()

    def offer(self, hot: Hot) -> None:
        """Take over what the stylizer remembers now, if it is time; only the painter's thread may say so.

        Args:
            hot: what the last frame was painted with.
        """
        if self._clock() >= self._due_at:
            self.take(hot)

    def take(self, hot: Hot) -> None:
        """Take it over whether it is time or not."""
        memory = self._stylizer.memory
        offer = _Offer(memory.tensors() if memory else None, hot, saved_at=self._wall())
        with self._changed:
            self._due_at = self._clock() + self._settings.every_s
            self._offer = offer
            self._changed.notify_all()

    def close(self, timeout_s: float) -> bool:
        """Write what was taken over last, then end; return whether that was done in time."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _restore(self, hot: Hot) -> None:
        found = self._generations.newest_first()
        if not found:
            return
        if self._generations.tries >= TRIES:
            aside = self._generations.put_aside()
            self._telemetry.checkpoint("quarantined")
            log.warning("checkpoint_quarantined", starts_that_failed=TRIES, files=[str(path) for path in aside])
            return
        origin = self._origin_of(hot)
        self._generations.begin_try()
        self._is_trying = any(self._resume(generation, origin) for generation in found)
        if not self._is_trying:
            self._generations.end_tries()

    def _resume(self, generation: Generation, origin: Origin) -> bool:
        """Go on from this one; return whether that was possible."""
        try:
            data = generation.read(self._most_bytes)
            tensors, age_s = decode(data, origin=origin, now=self._wall(), max_age_s=self._settings.max_age_s)
            memory = Memory.of(tensors)
        except (OSError, ValueError) as error:
            self._reject(error.reason if isinstance(error, CheckpointError) else "damaged", error, generation)
            return False
        self._stylizer.resume(memory.to(self._device))
        self._generations.spare(generation)
        self._telemetry.checkpoint("restored")
        log.info("checkpoint_restored", age_s=round(age_s, 1), file=str(generation.path))
        return True

    def _reject(self, reason: str, error: Exception, generation: Generation | None = None) -> None:
        self._telemetry.checkpoint("rejected")
        file = generation and str(generation.path)
        log.warning("checkpoint_rejected", reason=reason, error=str(error), file=file)

    def _run(self) -> None:
        try:
            while (offer := self._next_offer()) is not None:
                self._keep(offer)
        except Exception as error:  # noqa: BLE001 - the stream must go on, whatever is wrong here
            self._fail("failed", error, retry_in_s=None)

    def _next_offer(self) -> _Offer | None:
        with self._changed:
            self._changed.wait_for(lambda: self._offer is not None or self._is_over)
            offer, self._offer = self._offer, None
            return offer

    def _keep(self, offer: _Offer) -> None:
        try:
            if self._is_trying:  # there was a picture, or an orderly end without one
                self._generations.end_tries()
                self._is_trying = False
            if offer.tensors is None:
                return
            origin = self._origin_of(offer.hot)
            self._generations.write(encode(offer.tensors, origin, saved_at=offer.saved_at))
        except OSError as error:
            self._fail("disk_error", error, retry_in_s=RETRY_S)
        except PictureError as error:
            self._fail("checkpoint_failed", error, retry_in_s=RETRY_S)
        else:
            self._telemetry.checkpoint("written")
            self._telemetry.trouble("checkpoint", None)

    def _fail(self, event: str, error: Exception, *, retry_in_s: float | None) -> None:
        with self._changed:
            self._due_at = self._clock() + (math.inf if retry_in_s is None else retry_in_s)
        self._telemetry.checkpoint("failed")
        self._telemetry.trouble("checkpoint", "failed", error=str(error), retry_in_s=retry_in_s)
        log.warning(event, what="checkpoint", error=str(error), retry_in_s=retry_in_s)
