"""What is said once a second: to the log, to the service manager and to its watchdog."""

from collections.abc import Mapping

import structlog

from streamer.ledger import Account
from streamer.notify import Notifier
from streamer.pulse import Pulse
from streamer.telemetry import Snapshot, Telemetry

log = structlog.get_logger()


class Reporter:
    """Tells the truth about one stream.

    Args:
        telemetry: what was counted.
        pulses: the proof that each loop moves, by name.
        service: the service manager.
    """

    def __init__(self, telemetry: Telemetry, pulses: Mapping[str, Pulse], service: Notifier) -> None:
        self._telemetry = telemetry
        self._pulses = pulses
        self._service = service
        self._overdue: list[str] = []
        self._rejected = 0
        self._nonfinite = 0
        self._noticed: dict[str, int] = {}

    def ready(self) -> None:
        """The start is complete."""
        self._service.ready(status(self._telemetry.snapshot()))

    def feed_watchdog(self) -> None:
        """Feed the watchdog if every loop moves; say so when one does not."""
        overdue = [name for name, pulse in self._pulses.items() if pulse.is_overdue]
        if not overdue:
            self._service.watchdog()
        elif overdue != self._overdue:
            log.error("watchdog_withheld", loops=overdue)
        self._overdue = overdue

    def report(self) -> None:
        """Log the numbers; update the status."""
        snapshot = self._telemetry.snapshot()
        log.info("stats", **facts(snapshot))
        self._service.status(status(snapshot))
        if snapshot.rejected > self._rejected:
            log.warning("frames_rejected", count=snapshot.rejected - self._rejected, last_error=snapshot.rejection)
        self._rejected = snapshot.rejected
        if snapshot.nonfinite > self._nonfinite:
            log.warning("engine_nonfinite", iterations=snapshot.nonfinite - self._nonfinite)
        self._nonfinite = snapshot.nonfinite
        for event, notice in snapshot.notices.items():
            if notice.count > self._noticed.get(event, 0):
                log.warning(event, count=notice.count - self._noticed.get(event, 0), last=notice.detail)
            self._noticed[event] = notice.count


def facts(snapshot: Snapshot) -> dict[str, object]:
    """Return the numbers for one log line: received = published + dropped + waiting + painting."""
    frames = snapshot.frames
    return {
        "state": snapshot.state.value,
        "received": frames.came,
        "published": frames.done,
        "dropped": dict(frames.dropped),
        "waiting": frames.waiting,
        "painting": frames.working,
        "lost": snapshot.lost,
        "fps": round(snapshot.fps, 2),
        "iterations": _rounded(snapshot.iterations, 2),
        "age_p50_ms": _milliseconds(snapshot.age.p50),
        "age_p95_ms": _milliseconds(snapshot.age.p95),
        "age_p99_ms": _milliseconds(snapshot.age.p99),
        "captured_age_p50_ms": _milliseconds(snapshot.captured_age.p50),
        "captured_age_p95_ms": _milliseconds(snapshot.captured_age.p95),
        "cuts": snapshot.cuts,
        "heartbeats": snapshot.heartbeats,
        "nonfinite": snapshot.nonfinite,
        "reconnects": snapshot.reconnects,
        "sinks": {name: _sink(account) for name, account in snapshot.sinks.items()},
    }


def status(snapshot: Snapshot) -> str:
    """Return one line for people."""
    troubles = ", ".join(f"{part}: {trouble.reason}" for part, trouble in snapshot.troubles.items())
    iterations = "" if snapshot.iterations is None else f", {snapshot.iterations:.1f} iterations"
    age = "" if snapshot.age.p50 is None else f", {1000 * snapshot.age.p50:.0f} ms old"
    return f"{snapshot.state.value}{f' ({troubles})' if troubles else ''}: {snapshot.fps:.1f} fps{iterations}{age}"


def _sink(account: Account) -> dict[str, object]:
    """Return the numbers of one sink: handed = written + dropped + in flight."""
    return {
        "handed": account.came,
        "written": account.done,
        "dropped": dict(account.dropped),
        "in_flight": account.in_flight,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
