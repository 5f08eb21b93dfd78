"""The whole daemon, from its start to its exit code."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import psutil
import pytest
import structlog
import torch
from torch import Tensor

from models.descent import Budget
from models.sight import Sight
from models.stylizer import Stylized
from protocols.endpoints import Sink, Source
from protocols.errors import SinkError, SourceError
from protocols.frame import Frame, Rejected
from streamer import pipeline
from streamer.assemble import Parts
from streamer.config import Config, ConfigError, Http, Output
from streamer.daemon import Daemon
from streamer.ledger import Account
from streamer.mailbox import Mailbox
from streamer.notify import Notifier
from streamer.paint import Paint
from tests.endpoints import Item, RecordingSink, ScriptedSource, frame
from tests.tiny import tiny_weights

NO_PAGE = Http(listen="off")
FILM = [frame(number) for number in range(12)]


class Brush:
    """Paints a frame darker; calls ``before`` each time."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self._before = before

    def observe(self, content: Tensor) -> Sight:
        """See nothing but the frame."""
        return Sight(0, 0, content, None)

    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Return the frame at half its brightness."""
        self._before()
        return Stylized(
            sight.content / 2,
            budget.iterations,
            restarted=False,
            terms=None,
            failures=0,
            temporal_error=None,
            flow=None,
        )

    def reset(self) -> None:
        """Nothing is remembered."""


def settings(*, drain_timeout_s: float = 4.0) -> Config:
    """Return settings for a fast stream."""
    return Config(paint=Paint(fps=200, iterations=2), output=Output(drain_timeout_s=drain_timeout_s), http=NO_PAGE)


def daemon(
    source: Source,
    *sinks: Sink,
    brush: Brush | None = None,
    config: Config | None = None,
    service: Notifier | None = None,
) -> Daemon:
    """Return a daemon that runs these parts; the sinks are called "0", "1", and so on."""

    def assemble(_config: Config) -> Parts:
        named: Mapping[str, Sink] = {str(number): sink for number, sink in enumerate(sinks)}
        return Parts(source, named, brush or Brush(), torch.device("cpu"), 64)

    return Daemon(config or settings(), assemble=assemble, service=service)


@contextmanager
def running(made: Daemon) -> Iterator[list[int]]:
    """Run a daemon beside the test; at the end stop it. The list holds its exit code then."""
    code: list[int] = []
    thread = threading.Thread(target=lambda: code.append(made.run()), daemon=True)
    thread.start()
    try:
        yield code
    finally:
        made.stop()
        thread.join(20)
    assert not thread.is_alive()


def logged(log: list[Any], event: str) -> list[Any]:
    """Return the entries of one event."""
    return [entry for entry in log if entry["event"] == event]


def is_balanced(stats: Mapping[str, Any]) -> bool:
    """Return whether both identities hold in a ``stats`` event."""
    gone = stats["published"] + sum(stats["dropped"].values()) + stats["waiting"] + stats["painting"]
    sinks = stats["sinks"].values()
    return bool(stats["received"] == gone) and all(
        sink["handed"] == sink["written"] + sum(sink["dropped"].values()) + sink["in_flight"] for sink in sinks
    )


def explains_every_gap(written: list[Frame]) -> bool:
    """Return whether each gap in ``sequence`` is the growth of ``dropped``, as a receiver checks it."""
    fresh = [each for each in written if not each.stale]
    return all(
        after.sequence - before.sequence - 1 == after.dropped - before.dropped for before, after in pairwise(fresh)
    )


def test_every_frame_of_a_file_reaches_every_sink_and_the_daemon_ends() -> None:
    first, second = RecordingSink(), RecordingSink(opening_errors=[SinkError("not yet", reason="refused")])
    with structlog.testing.capture_logs() as log:
        assert daemon(ScriptedSource(FILM, live=False), first, second).run() == 0
    for sink in (first, second):
        assert [each.sequence for each in sink.written] == list(range(12))
        assert {each.dropped for each in sink.written} == {0}
        assert not sink.is_open
    (stats,) = logged(log, "stats")[-1:]
    assert (stats["state"], stats["received"], stats["published"], stats["dropped"]) == ("stopped", 12, 12, {})
    assert is_balanced(stats)


def test_a_live_stream_that_is_stopped_finishes_what_is_in_flight() -> None:
    sink = RecordingSink()
    made = daemon(ScriptedSource(FILM), sink)
    with structlog.testing.capture_logs() as log:
        with running(made) as code:
            sink.await_frames(1)
        assert code == [0]
    assert logged(log, "draining")[0]["signal"] == "stop"
    stats = logged(log, "stats")[-1]
    assert is_balanced(stats)
    assert stats["waiting"] == stats["painting"] == 0
    assert explains_every_gap(sink.written)
    assert not sink.is_open


def test_the_accounts_balance_at_every_moment_of_an_overloaded_stream() -> None:
    snapshots: list[Account] = []
    items: list[Item] = []
    painted = Semaphore(0)
    for number in range(0, 3000, 2):
        if number % 100 == 96:  # fifty frames come while one is painted
            items.append(painted.acquire)
        items += [frame(number), Rejected("shape", "bad")] if number % 6 == 0 else [frame(number)]

    def look() -> None:
        assert made._pipeline is not None
        snapshot = made._pipeline.telemetry.snapshot()
        snapshots.extend([snapshot.frames, *snapshot.sinks.values()])
        painted.release()

    source = ScriptedSource(items)
    steady, weak = RecordingSink(), RecordingSink(writing_errors=[SinkError("no", reason="failed"), None] * 5)
    made = daemon(source, steady, weak, brush=Brush(before=look))
    with structlog.testing.capture_logs() as log, running(made):
        steady.await_that(lambda written: bool(written) and written[-1].sequence >= 2998)
    assert len(snapshots) >= 3 * 30
    assert all(account.is_balanced for account in snapshots)
    stats = logged(log, "stats")[-1]
    assert is_balanced(stats)
    assert stats["received"] == 2000
    assert stats["dropped"]["shape"] == 500
    assert stats["lost"] == 1499 - 500
    for sink in (steady, weak):
        assert explains_every_gap(sink.written)
    final = steady.written[-1]
    # The place of each rejected message is one of those that are missing in the source's sequence.
    assert final.dropped == stats["lost"] + sum(stats["dropped"].values())


def test_a_lost_frame_is_a_bug_that_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaky(Mailbox[Frame]):
        def put(self, item: Frame) -> list[Frame]:
            return [] if item.sequence == 5 else super().put(item)

    monkeypatch.setattr(pipeline, "Mailbox", Leaky)
    sink = RecordingSink()
    with structlog.testing.capture_logs() as log:
        assert daemon(ScriptedSource(FILM, live=False), sink).run() == 1
    assert len(sink.written) == 11
    assert logged(log, "frames_unaccounted")[0]["count"] == 1


class AcceleratorError(RuntimeError):
    """As torch raises it when the GPU is gone."""


def fails_with(error: BaseException) -> Callable[[], None]:
    """Return a function that raises ``error``."""

    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "event"),
    [
        (ZeroDivisionError("bug"), 1, "failed"),
        (AcceleratorError("CUDA error: an illegal memory access"), 70, "engine_fatal_gpu"),
        (torch.OutOfMemoryError("CUDA out of memory"), 75, "resource_exhausted"),
        (MemoryError(), 75, "resource_exhausted"),
    ],
)
def test_an_error_while_painting_ends_the_daemon_with_its_code_and_a_traceback(
    error: BaseException, code: int, event: str
) -> None:
    sink = RecordingSink()
    with structlog.testing.capture_logs() as log:
        assert daemon(ScriptedSource(FILM), sink, brush=Brush(before=fails_with(error))).run() == code
    (entry,) = logged(log, event)
    assert (entry["part"], entry["exit_code"], entry["exc_info"]) == ("painter", code, error)
    stats = logged(log, "stats")[-1]
    assert stats["state"] == "failed"
    assert is_balanced(stats)
    assert stats["dropped"]["failed"] == 1
    assert stats["waiting"] == 0, "what nobody will paint is dropped, and says so"
    assert not sink.is_open


def test_a_bug_in_a_source_ends_the_daemon() -> None:
    with structlog.testing.capture_logs() as log:
        assert daemon(ScriptedSource([frame(0), KeyError("bug")]), RecordingSink()).run() == 1
    assert logged(log, "failed")[0]["part"] == "source"


def test_a_bug_in_a_sink_ends_the_daemon() -> None:
    with structlog.testing.capture_logs() as log:
        assert daemon(ScriptedSource(FILM), RecordingSink(writing_errors=[KeyError("bug")])).run() == 1
    assert logged(log, "failed")[0]["part"] == "0"
    assert is_balanced(logged(log, "stats")[-1])


def test_an_address_in_use_stops_the_start_before_the_source_is_opened() -> None:
    source, other = ScriptedSource(FILM), RecordingSink()
    taken = RecordingSink(opening_errors=[SinkError("tcp://127.0.0.1:5556 is in use", reason="in_use")])
    with structlog.testing.capture_logs() as log:
        assert daemon(source, other, taken).run() == 78
    assert source.openings == 0
    assert not other.is_open
    assert "tcp://127.0.0.1:5556 is in use" in logged(log, "failed")[0]["error"]


def test_once_a_source_that_cannot_be_opened_is_exit_69() -> None:
    source = ScriptedSource([SourceError("no route", reason="refused")], [frame(0)])
    assert daemon(source, RecordingSink(), config=Config(once=True, http=NO_PAGE)).run() == 69
    assert source.openings == 1


def test_settings_that_cannot_be_used_are_exit_78() -> None:
    def assemble(_config: Config) -> Parts:
        raise ConfigError("paint.style: no picture at /nowhere")

    with structlog.testing.capture_logs() as log:
        assert Daemon(settings(), assemble=assemble).run() == 78
    assert "/nowhere" in logged(log, "failed")[0]["error"]


def test_sigterm_during_the_start_neither_waits_for_it_nor_breaks_it_off() -> None:
    release, broken = Event(), []

    def assemble(_config: Config) -> Parts:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            release.wait()
        except BaseException as error:
            broken.append(error)
            raise
        raise ConfigError("too late")

    made = Daemon(settings(), assemble=assemble)
    with structlog.testing.capture_logs() as log:
        assert made.run() == 0
    assert made.is_stuck
    release.set()
    assert not broken
    assert [entry["event"] for entry in log] == ["starting", "draining", "stopped"]


def test_a_source_that_is_lost_comes_back_and_the_order_holds() -> None:
    gone = SourceError("gone", reason="eof")
    sink = RecordingSink()
    source = ScriptedSource([*FILM, gone], [frame(number, epoch=1) for number in range(3)])
    with structlog.testing.capture_logs() as log, running(daemon(source, sink)):
        sink.await_that(lambda written: bool(written) and written[-1].sequence == 14)
    numbers = [each.sequence for each in sink.written]
    assert numbers == sorted(set(numbers))
    assert len({each.epoch for each in sink.written}) == 1
    assert explains_every_gap(sink.written)
    assert logged(log, "stats")[-1]["reconnects"] == 1


def test_a_thread_that_is_stuck_does_not_keep_the_daemon_from_ending() -> None:
    release, begun = Event(), Event()

    def hang() -> None:
        begun.set()
        release.wait()

    made = daemon(ScriptedSource(FILM), RecordingSink(), brush=Brush(before=hang), config=settings(drain_timeout_s=0.2))
    with structlog.testing.capture_logs() as log:
        with running(made) as code:
            assert begun.wait(10)
        assert code == [0]
        assert made.is_stuck
        assert logged(log, "drain_timed_out")[0]["parts"] == ["painter"]
        release.set()


def test_threads_and_descriptors_are_what_they_were_after_a_run() -> None:
    def once() -> None:
        sink = RecordingSink()
        with running(daemon(ScriptedSource(FILM, [SourceError("x", reason="eof")]), sink)):
            sink.await_frames(1)

    process = psutil.Process()
    once()
    threads, descriptors = set(threading.enumerate()), process.num_fds()
    for _ in range(3):
        once()
    assert set(threading.enumerate()) == threads
    assert process.num_fds() == descriptors


def test_the_service_manager_hears_of_the_start_of_proven_progress_and_of_the_end(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as service:
        service.bind(str(address))
        service.settimeout(20)
        sink = RecordingSink()
        with running(daemon(ScriptedSource(FILM), sink, service=Notifier(str(address)))):
            heard = [service.recv(4096).decode()]
            while not heard[-1].startswith("STATUS="):
                heard.append(service.recv(4096).decode())
        service.settimeout(0)
        while not heard[-1].startswith("STOPPING"):
            heard.append(service.recv(4096).decode())
    assert heard[0].startswith("READY=1\nSTATUS=")
    assert "WATCHDOG=1" in heard
    assert "fps" in next(line for line in heard if line.startswith("STATUS="))
    assert heard[-1] == "STOPPING=1"


HANGING = """
import sys, threading
import torch
from models.sight import Sight
from streamer import daemon
from streamer.assemble import Parts
from streamer.config import Config, Http, Output
from tests.endpoints import RecordingSink, ScriptedSource, frame

class Brush:
    def observe(self, content):
        return Sight(0, 0, content, None)
    def paint(self, sight, budget):
        print("hanging", flush=True)
        threading.Event().wait()
    def reset(self):
        pass

parts = Parts(ScriptedSource([frame(0)]), {"out": RecordingSink()}, Brush(), torch.device("cpu"), 64)
daemon._assemble = lambda config: parts
sys.exit(daemon.run(Config(output=Output(drain_timeout_s=float(sys.argv[1])), http=Http(listen="off"))))
"""


def hanging(drain_timeout_s: float) -> subprocess.Popen[str]:
    """Return a daemon whose painter is stuck for ever."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, str(drain_timeout_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "hanging\n"
    return process


def test_a_second_signal_ends_the_process_at_once() -> None:
    with hanging(60) as process:
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGTERM)
        assert process.wait(1) == -signal.SIGTERM


def test_a_process_with_a_stuck_painter_ends_after_its_drain_timeout() -> None:
    with hanging(0.2) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.fixture
def deepmovie(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the real program, painting the built-in scene with a tiny network."""
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    command = [
        *(sys.executable, "-m", "streamer", "run", "test:#size=64x48", "null:", "--log-format", "json"),
        *("--weights", str(weights), "--size", "64", "--style", "starry", "--listen", "off"),
    ]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:
        yield process
        process.kill()


def lines(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what the process logs."""
    assert process.stderr is not None
    for line in process.stderr:
        yield json.loads(line)


@pytest.mark.parametrize("moment", ["starting", "device_fallback", "started", "source_opened", "stats"])
def test_sigterm_ends_the_program_with_exit_0_whatever_it_is_doing(
    deepmovie: subprocess.Popen[bytes], moment: str
) -> None:
    log = lines(deepmovie)
    for entry in log:
        if entry["event"] == moment:
            deepmovie.send_signal(signal.SIGTERM)
            break
    rest = list(log)
    assert deepmovie.wait(20) == 0, rest
    assert rest[-1]["event"] == "stopped"
    if moment == "starting":  # while nothing is in flight, there is nothing to wait for
        assert [entry["event"] for entry in rest] == ["draining", "stopped"]
    assert not [entry for entry in rest if entry["level"] in ("error", "critical")]
    assert all(is_balanced(entry) for entry in rest if entry["event"] == "stats")
