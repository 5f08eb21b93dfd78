"""Every frame is accounted for."""

import re
import threading
from dataclasses import replace

import pytest

from protocols.frame import Painting
from streamer.ledger import Account, Place
from streamer.stats import facts, status
from streamer.telemetry import WINDOW_FRAMES, Snapshot, Spread, State, Telemetry, percentile
from tests.endpoints import frame


def painted(telemetry: Telemetry, *, iterations: int = 3, cut: bool = False, age_s: float = 0.0) -> None:
    """Let one frame, received ``age_s`` ago, go all the way."""
    telemetry.frames.enter()
    telemetry.frames.begin()
    now = telemetry._clock()
    telemetry.publish(replace(frame(0, received_at=now - age_s), painting=Painting(iterations, cut)))


def test_each_move_takes_a_frame_from_one_place_to_another() -> None:
    telemetry = Telemetry()
    for _ in range(5):
        telemetry.frames.enter()
    telemetry.frames.drop("busy", Place.WAITING)
    telemetry.frames.begin()
    telemetry.frames.finish()
    telemetry.frames.begin()
    telemetry.frames.drop("nonfinite", Place.WORKING)
    telemetry.frames.begin()
    telemetry.reject("shape", "bad")
    account = telemetry.snapshot().frames
    assert account == Account(came=6, waiting=1, working=1, done=1, dropped={"busy": 1, "nonfinite": 1, "shape": 1})
    assert account.is_balanced


def test_a_frame_cannot_leave_a_place_where_none_is() -> None:
    telemetry = Telemetry()
    with pytest.raises(RuntimeError, match="waiting"):
        telemetry.frames.begin()
    telemetry.frames.enter()
    with pytest.raises(RuntimeError, match="working"):
        telemetry.frames.finish()


def test_an_account_that_misses_a_frame_is_not_balanced() -> None:
    assert Account(came=3, waiting=0, working=1, done=1, dropped={"busy": 1}).is_balanced
    assert not Account(came=3, waiting=0, working=0, done=1, dropped={"busy": 1}).is_balanced
    assert not Account(came=3, waiting=1, working=1, done=1, dropped={"busy": 1}).is_balanced


def test_the_accounts_are_balanced_at_every_moment_while_threads_move_frames() -> None:
    telemetry = Telemetry(["out"])
    busy = threading.Event()
    seen: list[Snapshot] = []

    def watch() -> None:
        while not busy.is_set():
            seen.append(telemetry.snapshot())

    def move() -> None:
        for turn in range(2000):
            telemetry.frames.enter()
            telemetry.sinks["out"].enter()
            telemetry.sinks["out"].begin()
            if turn % 3:
                telemetry.frames.begin()
                telemetry.frames.finish()
                telemetry.sinks["out"].finish()
            else:
                telemetry.frames.drop("busy", Place.WAITING)
                telemetry.sinks["out"].drop("failed", Place.WORKING)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    movers = [threading.Thread(target=move) for _ in range(3)]
    for mover in movers:
        mover.start()
    for mover in movers:
        mover.join()
    busy.set()
    watcher.join()
    assert len(seen) > 10
    assert all(account.is_balanced for snapshot in seen for account in (snapshot.frames, *snapshot.sinks.values()))
    assert telemetry.snapshot().frames.in_flight == 0


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert Spread.of(values) == Spread(50, 95, 99)
    assert Spread.of([7.0]) == Spread(7, 7, 7)
    assert Spread.of([]) == Spread(None, None, None)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_rates_and_ages_speak_of_the_last_ten_seconds() -> None:
    clock = Clock()
    telemetry = Telemetry(clock=clock)
    painted(telemetry, iterations=100, age_s=5.0)
    clock.now += 20
    for _ in range(50):
        clock.now += 0.1
        painted(telemetry, iterations=4, age_s=0.2)
    snapshot = telemetry.snapshot()
    assert snapshot.fps == pytest.approx(5.0)
    assert snapshot.iterations == 4
    assert snapshot.age.p99 == pytest.approx(0.2)
    assert snapshot.frames.done == 51


def test_the_memory_of_a_fast_stream_is_bounded() -> None:
    telemetry = Telemetry(clock=Clock())
    for _ in range(WINDOW_FRAMES + 10):
        painted(telemetry)
    assert len(telemetry._window) == WINDOW_FRAMES


def test_the_state_tells_what_is_wrong() -> None:
    telemetry = Telemetry(["out"])

    def state() -> State:
        return telemetry.snapshot().state

    assert state() is State.STARTING
    telemetry.enter(State.RUNNING)
    assert state() is State.STARTING, "nothing was published yet"
    painted(telemetry)
    assert state() is State.RUNNING
    telemetry.trouble("out", "disk")
    assert state() is State.DEGRADED
    telemetry.trouble("source", "stalled")
    assert state() is State.SOURCE_LOST
    assert "source: stalled" in status(telemetry.snapshot())
    telemetry.trouble("source", None)
    telemetry.trouble("out", None)
    assert state() is State.RUNNING
    telemetry.enter(State.DRAINING)
    assert state() is State.DRAINING


def test_the_status_tells_state_rate_iterations_and_age() -> None:
    telemetry = Telemetry()
    painted(telemetry, iterations=3, age_s=0.25)
    assert re.fullmatch(r"starting: \d+\.\d fps, 3\.0 iterations, 2[5-9]\d ms old", status(telemetry.snapshot()))


def test_a_trouble_tells_since_when_why_and_when_it_is_tried_again() -> None:
    clock = Clock()
    telemetry = Telemetry(clock=clock)

    def told(part: str) -> str:
        return str(telemetry.snapshot().troubles[part])

    telemetry.trouble("source", "eof", error="the source ended", retry_in_s=0)
    assert told("source") == "source lost 0 s ago, trying again now: the source ended"
    clock.now += 8
    telemetry.trouble("source", "refused", error="connection refused", retry_in_s=8)
    clock.now += 4
    assert told("source") == "source lost 12 s ago, trying again in 4 s: connection refused"
    clock.now += 5
    assert "trying again now" in told("source")
    telemetry.trouble("device", "fallback")
    assert told("device") == "the GPU does not work; painting on the CPU"
    telemetry.trouble("source", None)
    telemetry.trouble("source", "stalled")
    assert told("source") == "source lost 0 s ago: stalled", "a new trouble, counted afresh"


def test_the_stats_line_shows_both_identities() -> None:
    telemetry = Telemetry(["out"])
    painted(telemetry, cut=True)
    telemetry.frames.enter()
    telemetry.frames.enter()
    telemetry.frames.drop("busy", Place.WAITING)
    telemetry.sinks["out"].enter()
    line = facts(telemetry.snapshot())
    assert (line["received"], line["published"], line["dropped"], line["waiting"]) == (3, 1, {"busy": 1}, 1)
    assert line["cuts"] == 1
    assert line["sinks"] == {"out": {"handed": 1, "written": 0, "dropped": {}, "in_flight": 1}}
