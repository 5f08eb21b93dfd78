"""The next frame is looked at while the last one is painted, the newest still wins, and no frame is lost on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import torch

from models.sight import Sight
from protocols.frame import Frame
from streamer.assemble import Parts
from streamer.config import Config, Http
from streamer.daemon import Daemon
from streamer.engine import make_engine
from streamer.mailbox import Closed, Mailbox
from streamer.paint import Paint
from streamer.scout import Scout
from tests.endpoints import RecordingSink, ScriptedSource, frame
from tests.tiny import tiny_weights

LONG_S = 30.0


def look(source: Frame) -> Sight:
    """Return a sight that tells which frame it is of."""
    return Sight(source.sequence, 0, torch.zeros(1, 3, 16, 16), None)


@contextmanager
def running(scout: Scout, inbox: Mailbox[Frame]) -> Iterator[Thread]:
    thread = Thread(target=scout.run)
    thread.start()
    try:
        yield thread
    finally:
        inbox.close()
        scout.clear()
        thread.join(LONG_S)
        assert not thread.is_alive()


def take(scout: Scout) -> int:
    taken = scout.take_within(LONG_S)
    assert taken is not None
    sight = scout.sight_of(taken)
    assert sight is not None
    assert sight.number == taken.sequence
    return taken.sequence


def test_the_next_frame_is_looked_at_while_the_last_one_is_painted() -> None:
    looked = Event()

    def noticed(source: Frame) -> Sight:
        if source.sequence == 1:
            looked.set()
        return look(source)

    inbox: Mailbox[Frame] = Mailbox(2, waits=True)
    scout = Scout(inbox, noticed)
    with running(scout, inbox):
        inbox.put(frame(0))
        inbox.put(frame(1))
        assert take(scout) == 0
        assert looked.wait(LONG_S)  # and nobody has asked for it yet
        assert take(scout) == 1


def test_of_a_live_source_the_newest_frame_is_looked_at_just_in_time() -> None:
    now = [0.0]
    inbox: Mailbox[Frame] = Mailbox(1, waits=False)
    scout = Scout(inbox, look, clock=lambda: now[0])
    with running(scout, inbox):
        inbox.put(frame(0))
        assert take(scout) == 0
        now[0] = 60.0  # the painting took a minute; so will the next one
        inbox.put(frame(1))
        assert take(scout) == 1
        for number in range(2, 9):
            inbox.put(frame(number))
        assert take(scout) == 8


def test_a_frame_that_does_not_come_in_time_is_none() -> None:
    inbox: Mailbox[Frame] = Mailbox(1, waits=False)
    scout = Scout(inbox, look)
    with running(scout, inbox):
        assert scout.take_within(0.01) is None
        inbox.put(frame(0))
        assert take(scout) == 0
        assert scout.sight_of(frame(7)) is None


def test_what_is_inside_can_be_taken_after_the_inbox_was_closed() -> None:
    inbox: Mailbox[Frame] = Mailbox(2, waits=True)
    scout = Scout(inbox, look)
    with running(scout, inbox):
        inbox.put(frame(0))
        inbox.put(frame(1))
        inbox.close()
        assert [take(scout), take(scout)] == [0, 1]
        with pytest.raises(Closed):
            scout.take_within(LONG_S)


def test_a_look_that_fails_ends_the_scout_and_those_who_wait_for_it() -> None:
    def fail(source: Frame) -> Sight:
        raise ValueError(source.sequence)

    inbox: Mailbox[Frame] = Mailbox(1, waits=False)
    scout = Scout(inbox, fail)
    inbox.put(frame(3))
    with pytest.raises(ValueError, match="3"):
        scout.run()
    with pytest.raises(Closed):
        scout.take_within(LONG_S)


def painted(film: list[Frame], weights: Path, *, looks_ahead: bool) -> RecordingSink:
    """Return what a daemon made of a film, each frame of it."""
    paint = Paint(weights=str(weights), iterations=2)
    sink = RecordingSink()

    def assemble(_config: Config) -> Parts:
        stylizer = make_engine(paint, device=torch.device("cpu"), size=64).stylizer()
        source = ScriptedSource(film, live=False)
        return Parts(source, {"out": sink}, stylizer, torch.device("cpu"), 64, looks_ahead=looks_ahead)

    config = Config(paint=paint, http=Http(listen="off"), once=True)
    assert Daemon(config, assemble=assemble).run() == 0
    return sink


def test_a_daemon_that_looks_ahead_paints_the_same_film(tmp_path: Path) -> None:
    film = [frame(number) for number in range(12)]
    weights = tiny_weights(tmp_path / "w.safetensors")
    ahead, plain = (painted(film, weights, looks_ahead=each) for each in (True, False))
    assert [each.sequence for each in ahead.written] == [each.sequence for each in plain.written] == list(range(12))
    for ours, theirs in zip(ahead.written, plain.written, strict=True):
        assert (ours.image == theirs.image).all()
