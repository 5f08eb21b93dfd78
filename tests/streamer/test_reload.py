"""Who reads the settings again, and when: with real files, and a taker that says what it gets."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from streamer import reload
from streamer.config import Config, ConfigError
from streamer.exchange import Change
from streamer.reload import Reloader
from streamer.settings import Inputs
from streamer.telemetry import Telemetry

NOTHING = Change((), ())


class Taker:
    """Takes settings up; before it does, the test may do something."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.before: Callable[[], None] = lambda: None
        self._changed = threading.Condition()

    def __call__(self, config: Config) -> Change:
        self.before()
        with self._changed:
            self.taken.append(config.paint.fps)
            self._changed.notify_all()
        return NOTHING

    def await_last(self, fps: float) -> None:
        """Return when these settings were taken up last."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.taken[-1:] == [fps], 20), self.taken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "door.toml"


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def reloader(path: Path, taker: Taker, telemetry: Telemetry) -> Iterator[Reloader]:
    """Yield one that waits to be asked."""
    made = Reloader(Inputs(path, {}, {}), taker, telemetry, settle_s=0.01)
    made.start()
    yield made
    made.close(20)


def write(path: Path, fps: float) -> None:
    draft = path.with_suffix(".new")
    draft.write_text(f"[paint]\nfps = {fps}\n")
    draft.replace(path)


def test_a_file_that_changes_while_it_is_taken_up_is_taken_up_again_without_asking(
    path: Path, taker: Taker, reloader: Reloader
) -> None:
    def change() -> None:
        if not taker.taken:
            write(path, 2)

    taker.before = change
    write(path, 1)
    reloader.reload()
    taker.await_last(2)
    assert taker.taken == [1, 2]


def test_who_asks_while_the_file_is_read_gets_what_is_in_it_afterwards(
    path: Path, taker: Taker, reloader: Reloader
) -> None:
    begun, release = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert release.wait(20)

    write(path, 1)
    taker.before = hold
    reloader.ask()
    assert begun.wait(20)
    for _ in range(100):
        reloader.ask()
    taker.before = lambda: None
    release.set()
    assert reloader.reload() == NOTHING
    assert taker.taken in ([1, 1], [1, 1, 1]), "a hundred questions have one answer"


def test_a_file_that_never_stops_changing_is_refused(
    path: Path, taker: Taker, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "PATIENCE_S", 1.5)
    made, over = Reloader(Inputs(path, {}, {}), taker, telemetry, settle_s=0.5), threading.Event()
    write(path, 1)

    def scribble() -> None:
        while not over.wait(0.01):
            write(path, 2)

    scribbler = threading.Thread(target=scribble)
    scribbler.start()
    made.start()
    try:
        with pytest.raises(ConfigError, match=r"door\.toml did not stop changing for 1\.5 s"):
            made.reload()
    finally:
        over.set()
        scribbler.join()
    taker.await_last(2)
    made.close(20)


def test_a_bug_in_what_takes_them_up_is_told_and_the_next_ones_are_read(
    path: Path, taker: Taker, reloader: Reloader, telemetry: Telemetry
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    write(path, 1)
    taker.before = fail
    with structlog.testing.capture_logs() as log, pytest.raises(ConfigError, match="a bug: ZeroDivisionError"):
        reloader.reload()
    assert [entry["event"] for entry in log] == ["reload_failed", "reload_rejected"]
    taker.before = lambda: None
    assert reloader.reload() == NOTHING
    assert telemetry.snapshot().reloads == {"applied": 1, "rejected": 1}


def test_who_waits_for_an_answer_is_told_when_the_daemon_ends(path: Path, taker: Taker) -> None:
    made = Reloader(Inputs(path, {}, {}), taker, Telemetry())
    answers: list[str] = []

    def ask() -> None:
        with pytest.raises(ConfigError) as caught:
            made.reload()
        answers.append(str(caught.value))

    thread = threading.Thread(target=ask)
    thread.start()
    made.close(20)
    thread.join(20)
    assert "the daemon ends" in answers[0]
