"""What is said once a second."""

import structlog

from streamer.notify import Notifier
from streamer.pulse import Pulse
from streamer.stats import Reporter
from streamer.telemetry import Telemetry


class Service(Notifier):
    """A service manager in this process."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def _send(self, *assignments: str) -> bool:
        self.heard.extend(assignments)
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_watchdog_is_fed_while_every_loop_moves_and_starved_when_one_does_not() -> None:
    clock, service = Clock(), Service()
    pulses = {"source": Pulse(clock=clock), "painter": Pulse(clock=clock)}
    reporter = Reporter(Telemetry(), pulses, service)
    for pulse in pulses.values():
        pulse.expect(2)
    reporter.feed_watchdog()
    assert service.heard == ["WATCHDOG=1"]
    clock.now = 3
    pulses["source"].expect(2)
    with structlog.testing.capture_logs() as log:
        reporter.feed_watchdog()
        reporter.feed_watchdog()
    assert service.heard == ["WATCHDOG=1"]
    assert log == [{"event": "watchdog_withheld", "loops": ["painter"], "log_level": "error"}]
    pulses["painter"].expect(2)
    reporter.feed_watchdog()
    assert service.heard == ["WATCHDOG=1"] * 2


def test_a_storm_of_rejected_messages_is_one_line_a_second() -> None:
    telemetry = Telemetry()
    reporter = Reporter(telemetry, {}, Service())
    for number in range(1000):
        telemetry.reject("shape", f"bad {number}")
    with structlog.testing.capture_logs() as log:
        reporter.report()
        reporter.report()
    warnings = [entry for entry in log if entry["event"] == "frames_rejected"]
    assert [(entry["count"], entry["last_error"]) for entry in warnings] == [(1000, "bad 999")]


def test_iterations_thrown_away_are_one_line_a_second() -> None:
    telemetry = Telemetry()
    reporter = Reporter(telemetry, {}, Service())
    telemetry.discard(3)
    telemetry.discard(2)
    with structlog.testing.capture_logs() as log:
        reporter.report()
        reporter.report()
    assert [entry["iterations"] for entry in log if entry["event"] == "engine_nonfinite"] == [5]
    assert [entry["nonfinite"] for entry in log if entry["event"] == "stats"] == [5, 5]


def test_the_status_is_updated_with_each_report() -> None:
    service = Service()
    Reporter(Telemetry(), {}, service).report()
    assert service.heard == ["STATUS=starting: 0.0 fps"]
