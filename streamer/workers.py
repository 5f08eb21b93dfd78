"""A thread's work around one endpoint: open, move frames, and try again when it fails.

Another worker can take over while the stream goes on: it begins when the one before it has let go.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from threading import Event

import structlog

from protocols.endpoints import Sink, Source
from protocols.errors import SinkError, SourceError
from protocols.frame import Frame, Rejected
from streamer.backoff import Backoff
from streamer.exits import Exit, FatalError
from streamer.ledger import Place
from streamer.mailbox import Closed, Mailbox
from streamer.pulse import Pulse
from streamer.telemetry import Telemetry
from streamer.timeline import Timeline

HAND_OVER_S = 5.0
"""How long to wait for a source that does not let go, before the next one is opened beside it."""
_LOOK_S = 0.1

log = structlog.get_logger()


class SourceWorker:
    """Reads a source into the inbox. At the end of the source it closes the inbox.

    Args:
        source: where frames come from. A live one is opened again when it fails or ends; a file never is.
        inbox: where they go.
        timeline: numbers them.
        telemetry: counts them.
        stop: ends the work.
        once: a live source is not opened again either.
        patience_s: the longest that a source may take for one frame, its opening included.
        pulse: shows that the loop moves.
        backoff: how long to wait between two tries.
        after: the worker to take over from.
    """

    def __init__(
        self,
        source: Source,
        *,
        inbox: Mailbox[Frame],
        timeline: Timeline,
        telemetry: Telemetry,
        stop: Event,
        patience_s: float,
        once: bool = False,
        pulse: Pulse | None = None,
        backoff: Backoff | None = None,
        after: "SourceWorker | None" = None,
    ) -> None:
        self._source = source
        self._inbox = inbox
        self._timeline = timeline
        self._telemetry = telemetry
        self._stop = stop
        self._patience_s = patience_s
        self._once = once
        self._backoff = backoff or Backoff()
        self._after = after
        self._is_open = self._is_relieved = False
        self._came = 0
        self.pulse = pulse or Pulse()
        self.over = Event()
        """The source is closed."""

    def end(self) -> None:
        """Stop reading; there is no other end for a live source."""
        self._stop.set()

    def retire(self) -> None:
        """Stop reading; another worker goes on filling the inbox."""
        self._is_relieved = True
        self._stop.set()

    def run(self) -> None:
        """Read until the end.

        Raises:
            FatalError: the source failed, and it is not one that is opened again.
        """
        try:
            self._await_turn()
            while not self._stop.is_set():
                loss = self._read()
                if loss is None:
                    log.info("source_ended", frames=self._came)
                    return
                if not self._stop.is_set():
                    self._recover(loss)
        finally:
            self.pulse.rest()
            if not self._is_relieved:
                self._inbox.close()
            self.over.set()

    def _await_turn(self) -> None:
        """Wait for the one before us to let go."""
        if self._after is not None:
            self.pulse.expect(2 * HAND_OVER_S)
            _await(self._after.over, stop=self._stop, within_s=HAND_OVER_S)
            self._after = None

    def _read(self) -> SourceError | None:
        """Read until the source is lost; return why, or None where ending is the end."""
        self._is_open = False
        self.pulse.expect(self._patience_s)
        try:
            for item in self._source.frames(self._stop):
                if self._is_relieved:
                    break
                self._take_in(item)
                self.pulse.expect(self._patience_s)
        except SourceError as error:
            return error
        if self._source.live and not (self._once and self._came):
            return SourceError("the source ended", reason="eof")
        return None

    def _take_in(self, item: Frame | Rejected) -> None:
        if isinstance(item, Rejected):
            self._timeline.reject()
            self._telemetry.reject(item.reason, item.error)
            return
        if not self._is_open:
            self._opened(item)
        self._came += 1
        lost = self._timeline.lost
        frame = self._timeline.place(item)
        self._backoff.succeed()
        if frame is None:
            self._telemetry.frames.refuse("stale" if item.stale else "late")
            return
        self._telemetry.lose(self._timeline.lost - lost)
        self._telemetry.frames.enter()
        self.pulse.rest()
        for dropped in self._inbox.put(frame):
            self._telemetry.frames.drop("draining" if dropped is frame else "busy", Place.WAITING)

    def _opened(self, frame: Frame) -> None:
        height, width = frame.image.shape[:2]
        self._is_open = True
        self._telemetry.trouble("source", None)
        log.info("source_opened", width=width, height=height)

    def _recover(self, loss: SourceError) -> None:
        """Wait before the next try."""
        if self._once or not self._source.live:
            raise FatalError(f"the source failed ({loss.reason}): {loss}", code=Exit.UNAVAILABLE)
        pause_s = self._backoff.fail(patient=loss.reason == "auth")
        self._telemetry.trouble("source", loss.reason, error=str(loss), retry_in_s=pause_s)
        log.warning("source_lost", reason=loss.reason, error=str(loss), retry_in_s=round(pause_s, 2))
        self.pulse.rest()
        if not self._stop.wait(pause_s):
            self._telemetry.reconnect()


class SinkWorker:
    """Writes frames from its own outbox to one sink, so that a stuck sink delays nobody.

    The frame that goes out says how many before it this sink's readers did not get: those nobody painted, those that
    gave way in the outbox, and those the sink failed on.

    Args:
        sink: where frames go. It is opened again whenever it fails.
        name: for people; also its name in the telemetry.
        live: the newest frame wins; otherwise each frame is tried until it is through.
        telemetry: counts frames.
        stop: ends the waiting for a failed sink.
        patience_s: the longest that the sink may take to open or to write.
        pulse: shows that the loop moves.
        backoff: how long to wait between two tries.
        on_tried: called after the first try to open the sink, unless that is fatal.
        late: the stream runs already, so that an address in use is waited for, as everything else is.
        after: the worker to take over from: same address, same readers, one count of what they missed.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        name: str,
        live: bool,
        telemetry: Telemetry,
        stop: Event,
        patience_s: float = 30.0,
        pulse: Pulse | None = None,
        backoff: Backoff | None = None,
        on_tried: Callable[[], None] = lambda: None,
        late: bool = False,
        after: "SinkWorker | None" = None,
    ) -> None:
        self._sink = sink
        self._live = live
        self._telemetry = telemetry
        self._ledger = telemetry.sinks[name]
        self._outbox: Mailbox[Frame] = Mailbox(2, waits=not live)
        self._stop = stop
        self._patience_s = patience_s
        self._backoff = backoff or Backoff()
        self._pause_s = 0.0
        self._is_open = False
        self._was_tried = late
        self._on_tried = on_tried
        self._after = after
        self._delivered = self._missing = 0
        self._last_sequence = -1
        self.name = name
        self.pulse = pulse or Pulse()
        self.over = Event()
        """The sink is closed."""

    def hand(self, frame: Frame) -> None:
        """Take over a frame from the painter; returns at once if live."""
        self._ledger.enter()
        for dropped in self._outbox.put(frame):
            self._ledger.drop("draining" if dropped is frame else "busy", Place.WAITING)

    def close(self) -> None:
        """Write what waits, then end: no more frames will be handed over."""
        self._outbox.close()

    def hurry(self) -> None:
        """Wait no longer for a sink that failed."""
        self._stop.set()

    def retire(self) -> None:
        """Write what waits if the sink is open, then end: others get the frames from now on."""
        self.hurry()
        self.close()

    def run(self) -> None:
        """Write until the end.

        Raises:
            FatalError: the sink's address was in use at the start.
        """
        frame: Frame | None = None
        try:
            self._await_turn()
            while self._stay_open():
                frame = frame or self._take()
                if self._write(frame):
                    frame = None
        except Closed:
            pass
        finally:
            self._end(frame)

    def _await_turn(self) -> None:
        """Wait for the one before us to let go, however long it takes; go on with its counts."""
        if self._after is not None:
            self.pulse.expect(self._patience_s)
            _await(self._after.over, stop=self._stop)
            self._delivered, self._last_sequence = self._after._delivered, self._after._last_sequence
            self._after = None

    def _stay_open(self) -> bool:
        """Return whether the sink is open, after as many tries as it takes; False when told to stop meanwhile."""
        while not self._is_open:
            self.pulse.rest()
            if self._stop.wait(self._pause_s):
                return False
            self._open()
            if not self._was_tried:
                self._was_tried = True
                self._on_tried()
        return True

    def _open(self) -> None:
        self.pulse.expect(self._patience_s)
        try:
            self._sink.open()
        except SinkError as error:
            if error.reason == "in_use" and not self._was_tried:
                raise FatalError(f"{self.name}: {error}", code=Exit.CONFIGURATION) from None
            self._fail(error)
            return
        self._is_open = True
        self._telemetry.trouble(self.name, None)
        log.info("sink_opened", sink=self.name)

    def _take(self) -> Frame:
        """Return the next frame, however long it takes.

        Raises:
            Closed: none will come.
        """
        self.pulse.rest()
        frame = self._outbox.take()
        self._ledger.begin()
        return frame

    def _write(self, frame: Frame) -> bool:
        """Write ``frame``; return whether it is dealt with, that is unless it must be tried again."""
        is_new = frame.sequence > self._last_sequence
        if is_new:
            self._missing = frame.sequence - self._delivered
        self.pulse.expect(self._patience_s)
        try:
            self._sink.write(replace(frame, dropped=self._missing))
        except SinkError as error:
            self._fail(error)
            if self._live:
                self._ledger.drop(error.reason, Place.WORKING)
            return self._live
        self._ledger.finish()
        self._backoff.succeed()
        self._delivered += is_new
        self._last_sequence = frame.sequence
        return True

    def _fail(self, error: SinkError) -> None:
        self._is_open = False
        self._close()
        self._pause_s = self._backoff.fail(patient=error.reason == "auth")
        self._telemetry.trouble(self.name, error.reason, error=str(error), retry_in_s=self._pause_s)
        retry_in_s = round(self._pause_s, 2)
        log.warning("sink_lost", sink=self.name, reason=error.reason, error=str(error), retry_in_s=retry_in_s)

    def _close(self) -> None:
        try:
            self._sink.close()
        except SinkError as error:
            log.warning("sink_close_failed", sink=self.name, reason=error.reason, error=str(error))

    def _end(self, frame: Frame | None) -> None:
        """Close everything; account for what did not get through."""
        self._outbox.close()
        if frame is not None:
            self._ledger.drop("draining", Place.WORKING)
        for _ in self._outbox.clear():
            self._ledger.drop("draining", Place.WAITING)
        self.pulse.expect(self._patience_s)
        self._close()
        self.pulse.rest()
        self.over.set()


def _await(event: Event, *, stop: Event, within_s: float = math.inf) -> None:
    """Wait for an event, until told to stop, for so long at most."""
    deadline = time.monotonic() + within_s
    while not (event.wait(_LOOK_S) or stop.is_set()) and time.monotonic() < deadline:
        continue
