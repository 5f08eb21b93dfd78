"""The threads around one source and one sink."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from threading import Event

import pytest
import structlog
from structlog.typing import EventDict

from protocols.errors import SinkError, SourceError
from protocols.frame import Frame, Rejected
from streamer.backoff import Backoff
from streamer.exits import Exit, FatalError
from streamer.mailbox import Closed, Mailbox
from streamer.telemetry import State, Telemetry
from streamer.timeline import Timeline
from streamer.workers import SinkWorker, SourceWorker
from tests.endpoints import RecordingSink, ScriptedSource, frame

OUT = "out"


def at_once() -> Backoff:
    """Return a back-off that never waits."""
    return Backoff(rng=lambda: 0.0)


class Intake:
    """A source worker and what it works with."""

    def __init__(self, source: ScriptedSource, *, once: bool = False, backoff: Backoff | None = None) -> None:
        self.stop = Event()
        self.telemetry = Telemetry()
        self.inbox: Mailbox[Frame] = Mailbox(100, waits=not source.live)
        self.worker = SourceWorker(
            source,
            inbox=self.inbox,
            timeline=Timeline(epoch=0),
            telemetry=self.telemetry,
            stop=self.stop,
            patience_s=10,
            once=once,
            backoff=backoff or at_once(),
        )

    def take(self, count: int) -> list[Frame]:
        """Run until so many frames came, then stop."""
        thread = threading.Thread(target=self.worker.run, daemon=True)
        thread.start()
        taken = [self.inbox.take() for _ in range(count)]
        self.stop.set()
        thread.join(10)
        assert not thread.is_alive()
        return taken


def test_a_failing_source_is_opened_again_and_its_frames_arrive() -> None:
    failure = SourceError("camera is away", reason="refused")
    source = ScriptedSource([failure], [frame(10), failure], [frame(11), frame(12)])
    intake = Intake(source)
    with structlog.testing.capture_logs() as log:
        taken = intake.take(3)
    assert [each.sequence for each in taken] == [0, 1, 2]
    assert source.openings == 3
    assert intake.telemetry.snapshot().reconnects == 2
    assert [event["event"] for event in log] == ["source_lost", "source_opened", "source_lost", "source_opened"]
    assert log[0]["reason"] == "refused"
    assert log[0]["retry_in_s"] == 0


def test_a_live_source_that_ends_is_lost_and_opened_again() -> None:
    intake = Intake(ScriptedSource([frame(0)], [frame(0, epoch=1)]))
    with structlog.testing.capture_logs() as log:
        taken = intake.take(2)
    assert [each.sequence for each in taken] == [0, 1]
    assert log[1]["reason"] == "eof"


def test_the_state_says_that_the_source_is_lost_until_a_frame_comes() -> None:
    seen: list[State] = []
    source = ScriptedSource([SourceError("gone", reason="stalled")], [lambda: seen.append(state()), frame(0)])
    intake = Intake(source)
    intake.telemetry.enter(State.RUNNING)

    def state() -> State:
        return intake.telemetry.snapshot().state

    intake.take(1)
    assert seen == [State.SOURCE_LOST]
    assert not intake.telemetry.snapshot().troubles


def test_the_end_of_a_file_is_the_end() -> None:
    source = ScriptedSource([frame(0), frame(1)], live=False)
    intake = Intake(source)
    intake.worker.run()
    assert [intake.inbox.take().sequence for _ in range(2)] == [0, 1]
    with pytest.raises(Closed):
        intake.inbox.take()
    assert source.openings == 1


def test_a_file_that_fails_is_not_read_again_from_its_beginning() -> None:
    source = ScriptedSource([frame(0), SourceError("damaged", reason="format")], live=False)
    intake = Intake(source)
    with pytest.raises(FatalError, match="damaged") as error:
        intake.worker.run()
    assert error.value.code is Exit.UNAVAILABLE
    assert source.openings == 1
    assert intake.inbox.take().sequence == 0


def test_once_means_that_a_source_that_cannot_be_opened_ends_the_run() -> None:
    source = ScriptedSource([SourceError("no such camera", reason="not_found")], [frame(0)])
    with pytest.raises(FatalError, match="no such camera") as error:
        Intake(source, once=True).worker.run()
    assert error.value.code is Exit.UNAVAILABLE
    assert source.openings == 1


def test_once_means_that_a_live_source_may_end() -> None:
    intake = Intake(ScriptedSource([frame(0)], [frame(1)]), once=True)
    intake.worker.run()
    assert intake.inbox.clear()[0].sequence == 0


def test_a_wrong_password_is_not_tried_again_soon_and_stopping_does_not_wait_for_it() -> None:
    lost = Event()

    class Watched(Backoff):
        def fail(self, *, patient: bool = False) -> float:
            lost.set()
            return super().fail(patient=patient)

    intake = Intake(ScriptedSource([SourceError("401", reason="auth")]), backoff=Watched())
    with structlog.testing.capture_logs() as log:
        thread = threading.Thread(target=intake.worker.run, daemon=True)
        thread.start()
        assert lost.wait(10)
        intake.stop.set()
        thread.join(3)
        assert not thread.is_alive()
    assert log[0]["retry_in_s"] >= 4


def test_messages_without_a_frame_and_frames_that_come_twice_are_counted() -> None:
    source = ScriptedSource(
        [frame(0), Rejected("shape", "too many sides"), frame(1), frame(1), frame(0, stale=True), frame(4)]
    )
    intake = Intake(source)
    taken = intake.take(3)
    snapshot = intake.telemetry.snapshot()
    assert [each.sequence for each in taken] == [0, 2, 5]
    assert snapshot.frames.came == 6
    assert snapshot.frames.dropped == {"shape": 1, "late": 1, "stale": 1}
    assert (snapshot.lost, snapshot.rejection) == (2, "too many sides")


def test_the_newest_of_a_fast_live_source_wins() -> None:
    done = Event()
    intake = Intake(ScriptedSource([*(frame(sequence) for sequence in range(150)), done.set]))
    thread = threading.Thread(target=intake.worker.run, daemon=True)
    thread.start()
    assert done.wait(10)
    intake.stop.set()
    thread.join(10)
    assert [each.sequence for each in intake.inbox.clear()] == list(range(50, 150))
    account = intake.telemetry.snapshot().frames
    assert account.dropped == {"busy": 50}
    assert account.is_balanced


def test_what_comes_after_the_inbox_was_closed_is_dropped_and_counted() -> None:
    source = ScriptedSource([frame(0)], live=False)
    intake = Intake(source)
    intake.inbox.close()
    intake.worker.run()
    assert intake.telemetry.snapshot().frames.dropped == {"draining": 1}


def test_a_bug_in_a_source_is_not_hidden_by_another_try() -> None:
    source = ScriptedSource([frame(0), ZeroDivisionError("bug")], [frame(1)])
    intake = Intake(source)
    with pytest.raises(ZeroDivisionError):
        intake.worker.run()
    assert source.openings == 1
    intake.inbox.take()
    with pytest.raises(Closed):
        intake.inbox.take()


class Outlet:
    """A sink worker and what it works with."""

    def __init__(self, sink: RecordingSink, *, live: bool = True, backoff: Backoff | None = None) -> None:
        self.stop = Event()
        self.tried = Event()
        self.telemetry = Telemetry([OUT])
        self.worker = SinkWorker(
            sink,
            name=OUT,
            live=live,
            telemetry=self.telemetry,
            stop=self.stop,
            backoff=backoff or at_once(),
            on_tried=self.tried.set,
        )

    @contextmanager
    def running(self) -> Iterator[SinkWorker]:
        """Run the worker; at the end let it finish."""
        thread = threading.Thread(target=self.worker.run, daemon=True)
        thread.start()
        assert self.tried.wait(10)
        try:
            yield self.worker
        finally:
            self.worker.close()
            thread.join(10)
        assert not thread.is_alive()

    @property
    def dropped(self) -> dict[str, int]:
        """Frames dropped, by reason; and a look at the account."""
        account = self.telemetry.snapshot().sinks[OUT]
        assert account.is_balanced
        assert account.in_flight == 0
        return dict(account.dropped)


def explains_every_gap(written: list[Frame]) -> bool:
    """Return whether each gap in ``sequence`` is the growth of ``dropped``, as a receiver checks it."""
    return all(
        after.sequence - before.sequence - 1 == after.dropped - before.dropped for before, after in pairwise(written)
    )


def test_what_is_handed_over_is_written_in_order_before_the_sink_is_closed() -> None:
    sink = RecordingSink()
    outlet = Outlet(sink, live=False)
    with outlet.running() as worker:
        for sequence in range(20):
            worker.hand(frame(sequence))
    assert [each.sequence for each in sink.written] == list(range(20))
    assert (sink.openings, sink.closings) == (1, 1)
    assert outlet.dropped == {}


def test_a_stuck_sink_delays_nobody_and_its_gaps_are_explained() -> None:
    gate = Event()
    sink = RecordingSink(gate=gate)
    outlet = Outlet(sink)
    with outlet.running() as worker:
        for sequence in range(50):
            worker.hand(frame(sequence))
        gate.set()
        sink.await_that(lambda written: bool(written) and written[-1].sequence == 49)
        worker.hand(frame(50))
    assert explains_every_gap(sink.written)
    assert outlet.dropped == {"busy": 51 - len(sink.written)}
    assert len(sink.written) <= 4


def test_a_live_frame_that_a_sink_fails_on_is_dropped_and_the_next_one_goes_out() -> None:
    sink = RecordingSink(writing_errors=[None, SinkError("full", reason="disk")])
    outlet = Outlet(sink)
    with outlet.running() as worker:
        worker.hand(frame(0))
        sink.await_frames(1)
        worker.hand(frame(1))
        sink.await_openings(2)
        worker.hand(frame(2))
        worker.hand(frame(3))
    assert [(each.sequence, each.dropped) for each in sink.written] == [(0, 0), (2, 1), (3, 1)]
    assert outlet.dropped == {"disk": 1}


def test_a_frame_of_a_file_is_tried_until_it_is_through() -> None:
    full = SinkError("full", reason="disk")
    sink = RecordingSink(opening_errors=[full], writing_errors=[None, full, full])
    outlet = Outlet(sink, live=False)
    with structlog.testing.capture_logs() as log, outlet.running() as worker:
        for sequence in range(10):
            worker.hand(frame(sequence))
    assert [each.sequence for each in sink.written] == list(range(10))
    assert {each.dropped for each in sink.written} == {0}
    assert outlet.dropped == {}
    assert [event["event"] for event in log] == ["sink_lost", "sink_opened", *(["sink_lost", "sink_opened"] * 2)]


def test_frames_that_nobody_painted_are_part_of_what_a_sink_reports_as_dropped() -> None:
    sink = RecordingSink()
    with Outlet(sink, live=False).running() as worker:
        for sequence in (2, 3, 7):
            worker.hand(frame(sequence))
    assert [each.dropped for each in sink.written] == [2, 2, 5]


def test_a_picture_sent_again_reports_the_same_as_the_first_time() -> None:
    sink = RecordingSink()
    with Outlet(sink, live=False).running() as worker:
        for each in (frame(4), frame(4, stale=True), frame(4, stale=True), frame(5)):
            worker.hand(each)
    assert [each.dropped for each in sink.written] == [4, 4, 4, 4]


def test_an_address_in_use_at_the_start_is_fatal_and_named() -> None:
    outlet = Outlet(RecordingSink(opening_errors=[SinkError("tcp://127.0.0.1:5556 is in use", reason="in_use")]))
    with pytest.raises(FatalError, match=r"tcp://127\.0\.0\.1:5556 is in use") as error:
        outlet.worker.run()
    assert error.value.code is Exit.CONFIGURATION
    assert not outlet.tried.is_set()


def test_an_address_in_use_later_is_tried_again() -> None:
    in_use = SinkError("in use", reason="in_use")
    sink = RecordingSink(opening_errors=[SinkError("away", reason="refused"), in_use, in_use])
    outlet = Outlet(sink)
    with outlet.running() as worker:
        worker.hand(frame(0))
        sink.await_frames(1)
    assert sink.openings == 4
    assert not outlet.telemetry.snapshot().troubles


def test_stopping_ends_the_wait_for_a_failed_sink_and_frees_who_waits_for_it() -> None:
    def events(log: list[EventDict]) -> list[str]:
        return [event["event"] for event in log]

    sink = RecordingSink(opening_errors=[SinkError("away", reason="refused")] * 3)
    outlet = Outlet(sink, live=False, backoff=Backoff(rng=lambda: 1e6))
    handed = Event()

    def hand() -> None:
        for sequence in range(5):
            outlet.worker.hand(frame(sequence))
        handed.set()

    with structlog.testing.capture_logs() as log, outlet.running():
        threading.Thread(target=hand, daemon=True).start()
        outlet.stop.set()
        assert handed.wait(10)
    assert "sink_lost" in events(log)
    assert outlet.dropped == {"draining": 5}
    assert sink.written == []


def test_a_sink_that_fails_to_close_is_reported_and_nothing_more() -> None:
    class Stubborn(RecordingSink):
        def close(self) -> None:
            raise SinkError("cannot flush", reason="disk")

    with structlog.testing.capture_logs() as log, Outlet(Stubborn()).running():
        pass
    assert log[-1]["event"] == "sink_close_failed"
