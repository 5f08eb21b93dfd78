"""Counters, latencies and state: what every thread reports to."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import RLock
from typing import Literal, get_args

from protocols.frame import Frame
from protocols.notices import Event, Notice, Notices
from streamer.ledger import Account, Ledger
from streamer.trouble import Trouble

Checkpoint = Literal["written", "failed", "restored", "rejected", "quarantined"]
"""What may become of a checkpoint."""

WINDOW_S = 10.0
WINDOW_FRAMES = 4096


class State(StrEnum):
    """What the daemon is doing, in one word."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    DEGRADED = "degraded"
    SOURCE_LOST = "source_lost"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity spreads over the last seconds; None while there is none."""

    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the percentiles of ``values`` by nearest rank."""
        return cls(*(percentile(values, share) for share in (0.50, 0.95, 0.99)))


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest of ``values`` that at least ``share`` of them do not exceed; None if there are none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that is measured, at one moment."""

    state: State
    troubles: Mapping[str, Trouble]
    """What is wrong, by part."""
    frames: Account
    sinks: Mapping[str, Account]
    lost: int
    """Frames that never arrived: gaps in the source's sequence."""
    reconnects: int
    heartbeats: int
    cuts: int
    """Paintings that were begun afresh."""
    nonfinite: int
    """Iterations thrown away because their energy or gradient was not finite."""
    fps: float
    """Frames published per second, over the last 10 s."""
    iterations: float | None
    """Mean per frame, over the last 10 s."""
    age: Spread
    """Seconds from a frame's arrival here to its publication."""
    captured_age: Spread
    """Seconds from a frame's capture, by the wall clocks of both machines, to its publication."""
    rejected: int
    """Messages that held no frame; among the dropped ones, too."""
    rejection: str | None
    """Why the last of them did not."""
    notices: Mapping[Event, Notice] = field(default_factory=dict)
    """What ZeroMQ peers did, by event."""
    reloads: Mapping[str, int] = field(default_factory=dict)
    """How often the settings were read again, by what came of it."""
    checkpoints: Mapping[str, int] = field(default_factory=dict)
    """How often the picture was kept for the next start, or taken up from the last one, by what came of it."""


@dataclass(frozen=True, slots=True)
class _Published:
    at: float
    age_s: float
    captured_age_s: float
    iterations: int


@dataclass(frozen=True, slots=True)
class _Began:
    """A trouble, by the clock."""

    reason: str
    error: str
    since: float
    retry_at: float | None

    def seen(self, part: str, now: float) -> Trouble:
        retry_in_s = None if self.retry_at is None else max(0.0, self.retry_at - now)
        return Trouble(part, self.reason, now - self.since, self.error, retry_in_s)


@dataclass(slots=True)
class _Counts:
    lost: int = 0
    reconnects: int = 0
    heartbeats: int = 0
    cuts: int = 0
    nonfinite: int = 0
    rejected: int = 0
    rejection: str | None = None
    reloads: Counter[str] = field(default_factory=lambda: Counter(applied=0, rejected=0))
    checkpoints: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(get_args(Checkpoint), 0)))
    troubles: dict[str, _Began] = field(default_factory=dict)


class Telemetry:
    """What every thread reports to, under one lock.

    Args:
        sinks: their names.
        notices: count what ZeroMQ peers do.
        clock: monotonic, seconds.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        sinks: Iterable[str] = (),
        *,
        notices: Notices | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._lock = RLock()
        self._notices = notices or Notices()
        self._clock = clock
        self._wall = wall
        self._began = clock()
        self._phase = State.STARTING
        self._is_paused = False
        self._counts = _Counts()
        self._window: deque[_Published] = deque(maxlen=WINDOW_FRAMES)
        self.frames = Ledger(self._lock)
        self.sinks = {name: Ledger(self._lock) for name in sinks}

    def enter(self, phase: State) -> None:
        """The daemon runs, drains, stopped or failed."""
        with self._lock:
            self._phase = phase

    def add_sink(self, name: str) -> None:
        """Another sink is written to; if it has the name of an earlier one, it goes on with its account."""
        with self._lock:
            self.sinks.setdefault(name, Ledger(self._lock))

    def remove_sink(self, name: str) -> Account:
        """A sink is written to no more; return its last account."""
        with self._lock:
            self._counts.troubles.pop(name, None)
            return self.sinks.pop(name).account()

    def reload(self, result: Literal["applied", "rejected"]) -> None:
        """The settings were read again."""
        with self._lock:
            self._counts.reloads[result] += 1

    def checkpoint(self, result: Checkpoint) -> None:
        """The picture was kept for the next start, or taken up from the last one, or was to be."""
        with self._lock:
            self._counts.checkpoints[result] += 1

    def pause(self, *, is_paused: bool) -> None:
        """Somebody wants no frames painted, or does again."""
        with self._lock:
            self._is_paused = is_paused

    def reject(self, reason: str, error: str) -> None:
        """A message came that held no frame."""
        with self._lock:
            self.frames.refuse(reason)
            self._counts.rejected += 1
            self._counts.rejection = error

    def publish(self, frame: Frame) -> None:
        """The frame being painted was handed to every sink."""
        with self._lock:
            self.frames.finish()
            iterations = frame.painting.iterations if frame.painting else 0
            self._counts.cuts += bool(frame.painting and frame.painting.cut)
            now = self._clock()
            self._window.append(_Published(now, now - frame.received_at, self._wall() - frame.captured_at, iterations))

    def repeat(self) -> None:
        """The last picture was sent again."""
        with self._lock:
            self._counts.heartbeats += 1

    def discard(self, iterations: int) -> None:
        """So many iterations gave no finite number."""
        with self._lock:
            self._counts.nonfinite += iterations

    def lose(self, count: int) -> None:
        """So many frames never arrived."""
        with self._lock:
            self._counts.lost += count

    def reconnect(self) -> None:
        """The source is opened again."""
        with self._lock:
            self._counts.reconnects += 1

    def trouble(self, part: str, reason: str | None, *, error: str = "", retry_in_s: float | None = None) -> None:
        """Something is wrong with ``part``, or still; None: no longer."""
        with self._lock:
            before = self._counts.troubles.pop(part, None)
            if reason is None:
                return
            now = self._clock()
            since = before.since if before else now
            retry_at = None if retry_in_s is None else now + retry_in_s
            self._counts.troubles[part] = _Began(reason, error, since, retry_at)

    def snapshot(self) -> Snapshot:
        """Return all numbers of one moment."""
        with self._lock:
            now = self._clock()
            recent = [published for published in self._window if now - published.at < WINDOW_S]
            counts = self._counts
            return Snapshot(
                state=self._state(),
                troubles={part: began.seen(part, now) for part, began in counts.troubles.items()},
                frames=self.frames.account(),
                sinks={name: ledger.account() for name, ledger in self.sinks.items()},
                lost=counts.lost,
                reconnects=counts.reconnects,
                heartbeats=counts.heartbeats,
                cuts=counts.cuts,
                nonfinite=counts.nonfinite,
                fps=len(recent) / max(min(WINDOW_S, now - self._began), 1e-3),
                iterations=sum(published.iterations for published in recent) / len(recent) if recent else None,
                age=Spread.of([published.age_s for published in recent]),
                captured_age=Spread.of([published.captured_age_s for published in recent]),
                rejected=counts.rejected,
                rejection=counts.rejection,
                notices=self._notices.counts(),
                reloads=dict(counts.reloads),
                checkpoints=dict(counts.checkpoints),
            )

    def _state(self) -> State:
        if self._phase is not State.RUNNING:
            return self._phase
        if "source" in self._counts.troubles:
            return State.SOURCE_LOST
        if self._is_paused:
            return State.PAUSED
        if self._counts.troubles:
            return State.DEGRADED
        return State.RUNNING if self.frames.account().done else State.STARTING
