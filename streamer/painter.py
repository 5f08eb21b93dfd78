"""The painting thread: frame, tensor, stylizer, frame."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from typing import Protocol

import structlog
import torch
from torch import Tensor

from models.descent import Budget
from models.stylizer import Stylized
from protocols.frame import Frame, Painting
from streamer.governor import Governor
from streamer.ledger import Place
from streamer.mailbox import Closed, Mailbox
from streamer.pixels import to_pixels, to_tensor, working_size
from streamer.pulse import Pulse
from streamer.sizing import Sizing
from streamer.telemetry import Telemetry

HEARTBEAT_S = 1.0
IDLE_PATIENCE_S = 5.0
FIRST_STEP_PATIENCE_S = 60.0

log = structlog.get_logger()


class Stylizer(Protocol):
    """What paints: a ``models.stylizer.Stylizer``."""

    def step(self, content: Tensor, budget: Budget) -> Stylized:
        """Paint the next frame, 1 x 3 x H x W."""
        ...

    def reset(self) -> None:
        """Forget the last one."""
        ...


class Outlet(Protocol):
    """Where painted frames are handed on: a ``SinkWorker``."""

    def hand(self, frame: Frame) -> None:
        """Take over a frame."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


class Painter:
    """Paints what is in the inbox until it is closed and empty, then closes the outlets.

    Args:
        inbox: frames to paint.
        outlets: each gets every painted frame.
        stylizer: the picture's memory is in there.
        governor: when to begin, and how much to spend.
        telemetry: counts frames.
        live: send the last picture again while no new one comes, and forget it after ``resume_window_s``.
        size: long side of the painted picture in pixels; smaller frames stay as they are. It is reduced for a while
            when the device runs out of memory.
        device: where to paint.
        resume_window_s: the longest gap between two frames over which the painting goes on.
        stop: what is in flight now is finished, as quickly as can be.
        pulse: shows that the loop moves.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        *,
        inbox: Mailbox[Frame],
        outlets: Sequence[Outlet],
        stylizer: Stylizer,
        governor: Governor,
        telemetry: Telemetry,
        live: bool,
        size: int,
        device: torch.device | str,
        resume_window_s: float,
        stop: Event,
        pulse: Pulse | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox = inbox
        self._outlets = outlets
        self._stylizer = stylizer
        self._governor = governor
        self._telemetry = telemetry
        self._live = live
        self._sizing = Sizing(size, clock=clock)
        self._device = device
        self._resume_window_s = resume_window_s
        self._stop = stop
        self._clock = clock
        self._published = 0
        self._last: Frame | None = None
        self._sent_at = clock()
        self._received_at: float | None = None
        self._patience_s = FIRST_STEP_PATIENCE_S
        self.pulse = pulse or Pulse()

    def run(self) -> None:
        """Paint until the inbox is closed and empty."""
        try:
            while True:
                self._await_tick()
                frame, waited = self._await_frame()
                self._work(frame, self._budget(waited=waited))
        except Closed:
            pass
        finally:
            self.pulse.rest()
            for outlet in self._outlets:
                outlet.close()

    def _await_tick(self) -> None:
        while (pause_s := self._governor.pause_s()) > 0 and not self._stop.is_set():
            self._keep_alive()
            self._stop.wait(min(pause_s, self._until_heartbeat_s()))

    def _await_frame(self) -> tuple[Frame, bool]:
        """Return the next frame, and whether it had to be waited for.

        Raises:
            Closed: none will come.
        """
        frame, waited = self._inbox.take_within(0), False
        while frame is None:
            self._keep_alive()
            frame, waited = self._inbox.take_within(self._until_heartbeat_s()), True
        return frame, waited

    def _keep_alive(self) -> None:
        """Send the last picture once more if nothing went out for a second, so that late joiners see one."""
        self.pulse.expect(IDLE_PATIENCE_S)
        if self._until_heartbeat_s() > 0:
            return
        self._sent_at = self._clock()
        if self._last is not None and self._live and not self._stop.is_set():
            self._hand(replace(self._last, stale=True))
            self._telemetry.repeat()

    def _until_heartbeat_s(self) -> float:
        return max(0.0, self._sent_at + HEARTBEAT_S - self._clock())

    def _budget(self, *, waited: bool) -> Budget:
        budget = self._governor.begin(waited=waited)
        return Budget(1, self._clock()) if self._stop.is_set() else budget

    def _work(self, frame: Frame, budget: Budget) -> None:
        """Paint and publish one frame, and account for it whatever happens."""
        self._telemetry.frames.begin()
        began = self._clock()
        self.pulse.expect(self._patience_s)
        try:
            painted = self._paint(frame, budget)
        except BaseException:
            self._telemetry.frames.drop("failed", Place.WORKING)
            raise
        if painted is None:
            self._telemetry.frames.drop("nonfinite", Place.WORKING)
            return
        self._publish(painted)
        self._governor.finish(painted.painting.iterations if painted.painting else 0)
        # A step may take four times as long as the longest before it, which is slowly forgotten.
        self._patience_s = max(IDLE_PATIENCE_S, 4 * (self._clock() - began), 0.9 * self._patience_s)

    def _paint(self, frame: Frame, budget: Budget) -> Frame | None:
        """Return the painted frame; None if it is not fit to be seen."""
        self._forget_old_picture(frame)
        stylized = self._stylized(frame, budget)
        self._telemetry.discard(stylized.failures)
        if not bool(torch.isfinite(stylized.image).all()):
            log.error("engine_nonfinite", sequence=frame.sequence)
            self._stylizer.reset()
            return None
        return replace(
            frame,
            image=to_pixels(stylized.image),
            dropped=frame.sequence - self._published,
            painting=Painting(stylized.iterations, stylized.restarted, stylized.temporal_error),
        )

    def _stylized(self, frame: Frame, budget: Budget) -> Stylized:
        """Paint at the largest size for which the device has memory.

        Raises:
            torch.OutOfMemoryError: it has too little even for the smallest.
        """
        while True:
            size = self._sizing.size()
            try:
                stylized = self._stylizer.step(to_tensor(frame.image, size=size, device=self._device), budget)
            except torch.OutOfMemoryError as error:
                height, width = working_size(*frame.image.shape[:2], size=size)
                if not self._sizing.step_down(long_side=max(height, width)):
                    raise
                reason = str(error).partition("\n")[0]
            else:
                self._telemetry.trouble("memory", "size_reduced" if self._sizing.is_reduced else None)
                return stylized
            # Here the exception is gone, and with it the tensors that its traceback held.
            log.warning("engine_oom", width=width, height=height, next_size=self._sizing.size(), error=reason)
            self._stylizer.reset()
            torch.cuda.empty_cache()

    def _forget_old_picture(self, frame: Frame) -> None:
        last, self._received_at = self._received_at, frame.received_at
        if self._live and last is not None and frame.received_at - last > self._resume_window_s:
            log.info("painting_restarted", gap_s=round(frame.received_at - last, 1))
            self._stylizer.reset()

    def _publish(self, frame: Frame) -> None:
        self._hand(frame)
        self._telemetry.publish(frame)
        self._published += 1
        self._last, self._sent_at = frame, self._clock()

    def _hand(self, frame: Frame) -> None:
        self.pulse.rest()  # a sink that every frame must reach may make us wait
        for outlet in self._outlets:
            outlet.hand(frame)
