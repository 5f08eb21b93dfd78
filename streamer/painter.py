"""The painting thread: when a frame is painted, what goes out, and what becomes of each frame."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event, Lock
from typing import Protocol

import structlog

from models.descent import Budget
from models.stylizer import Stylized
from protocols.frame import Frame
from streamer.canvas import Canvas, Painted, Wet
from streamer.control import Control
from streamer.governor import Governor
from streamer.idle import Hold, Idle
from streamer.lagging import Prompt, Window
from streamer.ledger import Place
from streamer.mailbox import Closed, Mailbox
from streamer.paint import Hot
from streamer.pulse import Pulse
from streamer.scout import Inbox, Scout
from streamer.telemetry import Telemetry

HEARTBEAT_S = 1.0
IDLE_PATIENCE_S = 5.0
FIRST_STEP_PATIENCE_S = 60.0
RELEASE_PAUSE_S = 0.02
"""After each of several frames that leave at once: a live sink has room for two."""

log = structlog.get_logger()


class Outlet(Protocol):
    """Where painted frames are handed on: a ``SinkWorker``."""

    def hand(self, frame: Frame) -> None:
        """Take over a frame."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


class Keeper(Protocol):
    """Who keeps what the stylizer remembers for the next process: a ``streamer.keeper.Keeper``."""

    def offer(self, hot: Hot) -> None:
        """Look whether it is time to take that over; ``hot`` is what the last frame was painted with."""
        ...

    def take(self, hot: Hot) -> None:
        """Take it over: no more frames come."""
        ...


class Watcher(Protocol):
    """Who looks on: the page."""

    def show(self, source: Frame, painted: Frame, stylized: Stylized) -> None:
        """See a picture that was just handed to the sinks; must return at once.

        A picture that goes out again while no new frame comes is shown again, too; ``painted.stale`` says so then, and
        ``source`` and ``stylized`` belong to the frame that it was made from.
        """
        ...


class Painter:
    """Paints what is in the inbox until it is closed and empty, then closes the outlets.

    Args:
        inbox: frames to paint.
        scout: looks at the frames of the inbox ahead; None: the canvas looks at each when it is painted.
        outlets: each gets every painted frame.
        canvas: where frames are painted; the picture's memory is in there.
        window: where painted frames wait for their future.
        control: asked before each frame what to do.
        governor: when to begin, and how much to spend.
        telemetry: counts frames.
        live: send a picture once a second while no new frame comes, and forget it after ``resume_window_s``.
        idle: which picture that is.
        keeper: takes over what the stylizer remembers; None: it is lost when the process ends.
        resume_window_s: the longest gap between two frames over which the painting goes on.
        silence_s: what waits for its future waits no longer when no frame came for so long.
        stop: what is in flight now is finished, as quickly as can be.
        pulse: shows that the loop moves.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        *,
        inbox: Mailbox[Frame],
        scout: Scout | None = None,
        outlets: Sequence[Outlet],
        canvas: Canvas,
        window: Window | None = None,
        control: Control,
        governor: Governor,
        telemetry: Telemetry,
        live: bool,
        idle: Idle | None = None,
        keeper: Keeper | None = None,
        resume_window_s: float,
        silence_s: float = 3.0,
        stop: Event,
        pulse: Pulse | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox: Inbox = scout or inbox
        self._scout = scout
        self._outlets = outlets
        self._canvas = canvas
        self._window = Prompt() if window is None else window
        self._control = control
        self._governor = governor
        self._telemetry = telemetry
        self._live = live
        self._idle = idle or Hold()
        self._keeper = keeper
        self._resume_window_s = resume_window_s
        self._silence_s = silence_s
        self._stop = stop
        self._clock = clock
        self._watchers: list[Watcher] = []
        self._is_over = False
        self._redirecting, self._between = Lock(), Event()
        self._hot, self._paused = control.current, False
        self._published = 0
        self._last: Painted | None = None
        self._sent_at = clock()
        self._received_at: float | None = None
        self._patience_s = FIRST_STEP_PATIENCE_S
        self.pulse = pulse or Pulse()

    def watch(self, watcher: Watcher) -> None:
        """Show every picture to ``watcher`` from now on; before the start."""
        self._watchers.append(watcher)

    def redirect(self, outlets: Sequence[Outlet]) -> None:
        """Hand to these from the next picture on."""
        with self._redirecting:
            self._outlets = outlets
            if self._is_over:
                for outlet in outlets:
                    outlet.close()

    def run(self) -> None:
        """Paint until the inbox is closed and empty."""
        try:
            while True:
                self._await_tick()
                frame, waited = self._await_frame()
                self._heed()
                if self._paused and self._live:
                    self._telemetry.frames.drop("paused", Place.WAITING)
                else:
                    self._await_resumed()
                    self._work(frame, self._budget(waited=waited))
        except Closed:
            self._release()
            if self._keeper:
                self._keeper.take(self._hot)
        finally:
            self.pulse.rest()
            for _ in range(self._telemetry.frames.account().working):
                self._telemetry.frames.drop("failed", Place.WORKING)
            with self._redirecting:
                self._is_over = True
            for outlet in self._outlets:
                outlet.close()

    def _heed(self) -> None:
        """Do from now on as the control says."""
        orders = self._control.orders()
        self._hot, self._paused = orders.hot, orders.paused
        self._governor.adapt(fps=self._hot.fps, iterations=self._hot.iterations)
        self._telemetry.pause(is_paused=self._paused)
        if orders.afresh:
            self._canvas.reset()
        if self._paused and self._live:
            self._release()

    def _await_tick(self) -> None:
        """Wait until a frame may be begun."""
        self._heed()
        while (pause_s := self._governor.pause_s()) > 0 and not self._stop.is_set():
            self._keep_alive(Hold())
            self._stop.wait(min(pause_s, self._until_heartbeat_s()))
        self._await_resumed()

    def _await_resumed(self) -> None:
        """While painting is paused, let a file's frames wait for it to go on."""
        while self._paused and not self._live and not self._stop.is_set():
            self._keep_alive(Hold())
            self._control.await_resumed(self._until_heartbeat_s())
            self._heed()

    def _await_frame(self) -> tuple[Frame, bool]:
        """Return the next frame, and whether it had to be waited for.

        Raises:
            Closed: none will come.
        """
        frame, waited = self._inbox.take_within(0), False
        while frame is None:
            self._keep_alive(Hold() if self._paused else self._idle)
            frame, waited = self._inbox.take_within(0 if self._improve() else self._until_heartbeat_s()), True
        return frame, waited

    def _keep_alive(self, idle: Idle) -> None:
        """Send a picture if nothing went out for a second, so that late joiners see one."""
        self.pulse.expect(IDLE_PATIENCE_S)
        if self._until_heartbeat_s() > 0:
            return
        self._heed()
        self._sent_at = self._clock()
        if self._last is not None and self._received_at is not None and self._live and not self._stop.is_set():
            self._hand(self._last, idle.picture(self._last, self._hot, heard_at=self._received_at))
            self._telemetry.repeat()

    def _improve(self) -> bool:
        """Use the time until a frame comes; return whether that was of use."""
        if not self._live or self._paused or self._stop.is_set():
            return False
        if len(self._window) or self._last is None:
            return self._release_in_silence()
        self.pulse.expect(self._patience_s)
        better = self._idle.spend(self._last, self._hot)
        if better is not None:
            self._last = better
            self._window.refine(better.stylized)
        return better is not None

    def _release_in_silence(self) -> bool:
        """Publish what waits for its future once the source has been silent for long; return whether it was."""
        if self._received_at is None or self._clock() - self._received_at < self._silence_s:
            return False
        return self._release()

    def _release(self) -> bool:
        """Publish what waits for its future, as that does not come; return whether there was any."""
        frames = self._window.release()
        for wet in frames:
            self._publish(wet)
            if self._live:
                self._between.wait(RELEASE_PAUSE_S)
        return bool(frames)

    def _until_heartbeat_s(self) -> float:
        return max(0.0, self._sent_at + HEARTBEAT_S - self._clock())

    def _budget(self, *, waited: bool) -> Budget:
        budget = self._governor.begin(waited=waited)
        return Budget(1, self._clock()) if self._stop.is_set() else budget

    def _work(self, frame: Frame, budget: Budget) -> None:
        """Paint one frame, and publish it or those whose future it was."""
        self._telemetry.frames.begin()
        began = self._clock()
        self.pulse.expect(self._patience_s)
        self._forget_old_picture(frame)
        sight = self._scout.sight_of(frame) if self._scout else None
        first, again = self._window.share(budget)
        wet = self._canvas.stylize(frame, first, self._hot, at_s=frame.pts, sight=sight)
        if wet is None:
            self._telemetry.frames.drop("nonfinite", Place.WORKING)
            return
        leaving = self._window.add(wet, again)
        for each in leaving.frames:
            self._publish(each)
        self._governor.finish(leaving.iterations)
        # A step may take four times as long as the longest before it, which is slowly forgotten.
        self._patience_s = max(IDLE_PATIENCE_S, 4 * (self._clock() - began), 0.9 * self._patience_s)

    def _forget_old_picture(self, frame: Frame) -> None:
        last, self._received_at = self._received_at, frame.received_at
        if self._live and last is not None and frame.received_at - last > self._resume_window_s:
            log.info("painting_restarted", gap_s=round(frame.received_at - last, 1))
            self._canvas.reset()

    def _publish(self, wet: Wet) -> None:
        painted = self._canvas.finish(wet)
        frame = replace(painted.frame, dropped=painted.source.sequence - self._published)
        self._hand(painted, frame)
        self._telemetry.publish(frame)
        self._control.painted(frame, wet.hot)
        self._published += 1
        self._last, self._sent_at = painted, self._clock()
        if self._keeper:
            self._keeper.offer(self._hot)

    def _hand(self, painted: Painted, frame: Frame) -> None:
        self.pulse.rest()  # a sink that every frame must reach may make us wait
        for outlet in self._outlets:
            outlet.hand(frame)
        for watcher in self._watchers:
            watcher.show(painted.source, frame, painted.stylized)
