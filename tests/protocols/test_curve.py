"""Who may come in over the network, with real sockets: chosen keys and nobody else, also while things break.

``[row N]`` in the output of ``pytest -rP`` is the figure of one row of the fault table.
"""

import dataclasses
import socket as sockets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import zmq

from protocols.curve import AllowList, Keyring
from protocols.errors import SinkError, SourceError
from protocols.keys import KeyPair, make_pair, write_pair
from protocols.link import Link
from protocols.notices import Notices
from protocols.wire import Limits, decode, encode
from protocols.zeromq import ZmqSink, ZmqSource
from tests.end_to_end.figures import figure
from tests.protocols.listener import PATIENCE_S, Listener, wait_until
from tests.protocols.test_zeromq import ANYWHERE, frame, opened

STRANGERS_MESSAGES = 1000
STRANGE = 10**6


class House:
    """A daemon's keys on disk, and the keys of those who know it."""

    def __init__(self, folder: Path) -> None:
        self.folders = {name: folder / name for name in ("feeders", "viewers")}
        for path in self.folders.values():
            path.mkdir()
        own, self.public = write_pair(make_pair(), folder / "hall")
        self.keyring = Keyring.read(own, **self.folders)

    def admit(self, name: str, *, to: str) -> KeyPair:
        """Let in a new key; it counts at once."""
        pair = make_pair()
        write_pair(pair, self.folders[to] / name)
        (self.folders[to] / f"{name}.key").unlink()
        self._read(to)
        return pair

    def revoke(self, name: str, *, at: str) -> None:
        """Let it out again."""
        (self.folders[at] / f"{name}.pub").unlink()
        self._read(at)

    def _read(self, folder: str) -> None:
        allowed: AllowList = getattr(self.keyring, folder)
        allowed.replace(allowed.read())

    def source(self, pattern: Any = "pull") -> ZmqSource:
        """Return a source that listens."""
        curve = self.keyring.for_source()
        return ZmqSource(ANYWHERE, pattern=pattern, bind=True, curve=curve, stall_timeout_s=PATIENCE_S)

    def sink(self) -> ZmqSink:
        """Return a sink that listens."""
        return ZmqSink(ANYWHERE, curve=self.keyring.for_sink(), linger_s=0)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@contextmanager
def stranger(kind: int, address: str, **options: Any) -> Iterator[zmq.Socket[bytes]]:
    """Yield a plain pyzmq socket connected to the address."""
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.linger, socket.sndhwm, socket.immediate = 0, 10, kind == zmq.PUSH
        for name, value in options.items():
            setattr(socket, name, value)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(address)
        yield socket


def known(house: House, pair: KeyPair) -> dict[str, bytes]:
    """Return the options of a pyzmq socket that has a key and knows the daemon's."""
    return {
        "curve_publickey": pair.public,
        "curve_secretkey": pair.secret,
        "curve_serverkey": house.keyring.own.public,
    }


def counted(end: ZmqSource | ZmqSink, event: str) -> int:
    """Return how often it happened."""
    return sum(notice.count for name, notice in end.notices.counts().items() if name == event)


def send_for(socket: zmq.Socket[bytes], until: Any, numbers: Iterator[int]) -> None:
    """Send frames until something holds."""

    def send() -> None:
        with suppress(zmq.Again):
            socket.send_multipart(encode(frame(next(numbers)), name="x"), zmq.NOBLOCK)

    wait_until(until, "what the frames are for", meanwhile=send)


# -- in and out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["pull", "rep", "sub", "pair"])
def test_our_own_sink_feeds_our_own_source_whatever_the_pattern(house: House, pattern: Any) -> None:
    other = Keyring(house.admit("door", to="feeders"), AllowList(), AllowList())
    sends: Any = {"pull": "push", "rep": "req", "sub": "pub", "pair": "pair"}[pattern]
    with Listener(house.source(pattern=pattern)) as listener:
        curve = other.for_sink(house.public)
        with opened(ZmqSink(listener.endpoint, pattern=sends, bind=False, curve=curve)) as sink:
            wait_until(lambda: listener.heard, "a frame", meanwhile=lambda: sink.write(frame(7)))
        assert listener.next_frame().sequence == 7


def test_a_listed_viewer_sees_what_we_publish_and_a_feeder_does_not(house: House) -> None:
    viewer, feeder = house.admit("screen", to="viewers"), house.admit("door", to="feeders")
    with (
        opened(house.sink()) as sink,
        stranger(zmq.SUB, sink.endpoint, **known(house, viewer)) as good,
        stranger(zmq.SUB, sink.endpoint, **known(house, feeder)) as bad,
    ):
        wait_until(lambda: good.poll(5), "the viewer's frame", meanwhile=lambda: sink.write(frame(3)))
        wait_until(lambda: counted(sink, "peer_auth_failed"), "the refusal")
        for _ in range(20):
            sink.write(frame(3))
        assert not bad.poll(200)
        header = decode(good.recv_multipart(), limits=Limits(), received_at=0.0)
    assert header.frame.sequence == 3
    [refusal] = [each for name, each in sink.notices.counts().items() if name == "peer_auth_failed"]
    assert feeder.public.decode() in refusal.detail


def test_a_listed_feeder_that_says_nothing_keeps_nobody_waiting(house: House) -> None:
    silent = house.admit("silent", to="feeders")
    with Listener(house.source()) as listener, zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        arrivals = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        for name, value in known(house, silent).items():
            setattr(socket, name, value)
        socket.connect(listener.endpoint)
        assert arrivals.poll(round(PATIENCE_S * 1000))
        threading.Event().wait(0.3)  # libzmq tells its reader of the key; nothing shows that it did
        listener.stop.set()
        listener.join()
        socket.disable_monitor()
        arrivals.close()


@pytest.mark.parametrize("with_keys", [False, True])
def test_raw_720p_frames_arrive_as_they_were_sent(house: House, with_keys: bool) -> None:  # noqa: FBT001 - a parameter
    other, frames = Keyring(house.admit("door", to="feeders"), AllowList(), AllowList()), 30
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    source = house.source()
    source.curve = source.curve if with_keys else None
    with Listener(source) as listener:
        curve = other.for_sink(house.public) if with_keys else None
        sink = ZmqSink(listener.endpoint, pattern="push", bind=False, curve=curve)
        with opened(sink):
            began_at, began_cpu = time.monotonic(), time.process_time()
            for number in range(frames):
                sink.write(dataclasses.replace(frame(number), image=image))
                assert np.array_equal(listener.next_frame().image, image)
            took_s, cpu_s = time.monotonic() - began_at, time.process_time() - began_cpu
    figure("720p", keys=with_keys, frames_per_s=frames / took_s, cpu_ms_per_frame=cpu_s / frames * 1000)


# -- strangers (row 28) -----------------------------------------------------------------------------------------------


def test_of_a_thousand_messages_of_strangers_none_is_delivered(house: House) -> None:
    friend = house.admit("door", to="feeders")
    viewer = house.admit("screen", to="viewers")
    unlisted, wrong_server = make_pair(), make_pair()
    ways: dict[str, dict[str, Any]] = {
        "unlisted": known(house, unlisted),
        "viewer": known(house, viewer),
        "null": {},
        "plain": {"plain_username": b"door", "plain_password": b"x"},
        "other server key": known(house, friend) | {"curve_serverkey": wrong_server.public},
    }
    source = house.source()
    sent, numbers = 0, count()
    with Listener(source) as listener, ExitStack() as stack:
        bad = [
            stack.enter_context(stranger(zmq.PUSH, listener.endpoint, **way, immediate=False)) for way in ways.values()
        ]
        good = stack.enter_context(stranger(zmq.PUSH, listener.endpoint, **known(house, friend)))
        good.sndtimeo = round(PATIENCE_S * 1000)
        port = int(listener.endpoint.rsplit(":", 1)[1])
        while sent < STRANGERS_MESSAGES:
            for socket in bad:
                with suppress(zmq.Again):
                    socket.send_multipart(encode(frame(STRANGE), name="x"), zmq.NOBLOCK)
            with sockets.create_connection(("127.0.0.1", port)) as raw:
                raw.sendall(b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + bytes(100))  # a handshake that is none
            sent += len(bad) + 1
            if sent % 60 == 0:
                good.send_multipart(encode(frame(next(numbers)), name="x"))
        wait_until(lambda: counted(source, "peer_auth_failed") >= len(ways), "all refusals")
        good.send_multipart(encode(frame(last := next(numbers)), name="x"))
        delivered = [listener.next() for _ in range(last + 1)]
        assert not listener.heard
    figure("row 28", strangers_sent=sent, delivered=0, refusals=counted(source, "peer_auth_failed"))
    assert [getattr(item, "sequence", item) for item in delivered] == list(range(last + 1))


# -- the one who answers dies (row 29) --------------------------------------------------------------------------------


class Deadly(dict[bytes, str]):
    """Keys that end the thread that looks one up."""

    def get(self, *_: object) -> NoReturn:
        raise SystemExit("looked up")


def test_nobody_comes_in_while_nobody_answers_and_who_is_listed_comes_in_within_a_second_after(house: House) -> None:
    friend, unlisted, rounds = house.admit("door", to="feeders"), make_pair(), 50
    source, waits_s, numbers = house.source(), list[float](), count()
    allowed, good_keys = house.keyring.feeders, house.keyring.feeders.keys
    with Listener(source) as listener:
        for number in range(1, rounds + 1):
            allowed.replace(Deadly(good_keys))
            with stranger(zmq.PUSH, listener.endpoint, **known(house, unlisted), immediate=False) as bad:
                bad.send_multipart(encode(frame(STRANGE), name="x"), zmq.NOBLOCK)
                wait_until(lambda number=number: counted(source, "zap_handler_down") >= number, "the death")  # type: ignore[misc]
                died_at = time.monotonic()
                allowed.replace(good_keys)
                with stranger(zmq.PUSH, listener.endpoint, **known(house, friend)) as good:
                    send_for(good, lambda: listener.heard, numbers)
                waits_s.append(time.monotonic() - died_at)
            while listener.heard:
                assert listener.next_frame().sequence != STRANGE
    figure("row 29", deaths=rounds, strangers_accepted=0, friend_in_max_s=max(waits_s))
    assert max(waits_s) < 1.0


def test_a_socket_whose_door_is_gone_for_good_lets_nobody_in(house: House) -> None:
    friend = house.admit("door", to="feeders")
    link = Link(
        ANYWHERE,
        pattern="pull",
        bind=True,
        curve=house.keyring.for_source(),
        notices=Notices(),
        prepare=lambda _: None,
    )
    with closing(link):
        link._door.close()
        with stranger(zmq.PUSH, link.endpoint, **known(house, friend), immediate=False) as good:
            good.send_multipart(encode(frame(), name="x"), zmq.NOBLOCK)
            assert not link.socket.poll(3000), "longer than a handshake may take"


# -- a key is taken back (row 30) -------------------------------------------------------------------------------------


def test_a_feeder_whose_key_is_revoked_is_cut_off_at_once_and_the_other_one_is_back_within_a_second(
    house: House,
) -> None:
    pairs = {name: house.admit(name, to="feeders") for name in ("bad", "good")}
    source = house.source()
    with ExitStack() as stack:
        listener = stack.enter_context(Listener(source))
        bad, good = (
            stack.enter_context(stranger(zmq.PUSH, listener.endpoint, **known(house, pairs[name]), reconnect_ivl=100))
            for name in ("bad", "good")
        )
        numbers = count()
        send_for(bad, lambda: listener.heard, numbers)
        revoked_at = time.monotonic()
        house.revoke("bad", at="feeders")
        wait_until(lambda: counted(source, "peer_revoked"), "the cut")
        cut_s = time.monotonic() - revoked_at
        while listener.heard:
            listener.next()

        def both() -> None:
            for socket, sequence in ((bad, STRANGE), (good, next(numbers))):
                with suppress(zmq.Again):
                    socket.send_multipart(encode(frame(sequence), name="x"), zmq.NOBLOCK)

        wait_until(lambda: listener.heard, "the good feeder", meanwhile=both)
        gap_s = time.monotonic() - revoked_at
        wait_until(lambda: counted(source, "peer_auth_failed"), "its try to come back", meanwhile=both)
        received = list[int]()
        while listener.heard:
            received.append(listener.next_frame().sequence)
    figure("row 30", side="feeders", cut_s=cut_s, others_gap_s=gap_s, frames_after_revocation=received.count(STRANGE))
    assert STRANGE not in received
    assert cut_s < 1.0
    assert gap_s < 1.0


def test_a_viewer_whose_key_is_revoked_sees_no_further_frame_and_the_others_go_on_within_a_second(house: House) -> None:
    pairs = {name: house.admit(name, to="viewers") for name in ("bad", "good")}
    seen: dict[str, list[tuple[float, int]]] = {name: [] for name in pairs}
    sink = house.sink()
    with opened(sink), ExitStack() as stack:
        eyes = {
            name: stack.enter_context(stranger(zmq.SUB, sink.endpoint, **known(house, pair)))
            for name, pair in pairs.items()
        }
        numbers = count()

        def publish() -> None:
            sink.write(frame(next(numbers)))
            for name, socket in eyes.items():
                while socket.poll(0):
                    message = decode(socket.recv_multipart(), limits=Limits(), received_at=0.0)
                    seen[name].append((time.monotonic(), message.frame.sequence))

        wait_until(lambda: all(len(each) > 5 for each in seen.values()), "both viewers", meanwhile=publish)
        house.revoke("bad", at="viewers")
        first_after = next(numbers)
        revoked_at, before = time.monotonic(), len(seen["good"])
        wait_until(lambda: len(seen["good"]) > before + 20, "the good viewer", meanwhile=publish)
        wait_until(lambda: counted(sink, "peer_auth_failed"), "its try to come back", meanwhile=publish)
    times = [at for at, _ in seen["good"]]
    gap_s = max(after - before for before, after in pairwise(times) if after > revoked_at)
    late = [number for _, number in seen["bad"] if number > first_after]
    figure("row 30", side="viewers", others_gap_s=gap_s, frames_after_revocation=len(late))
    assert late == []
    assert gap_s < 1.0
    assert counted(sink, "peer_revoked") == 1


# -- we are the stranger ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["pub", "push"])
def test_a_sink_whose_key_is_refused_says_so_and_comes_in_once_it_is_listed(house: House, pattern: Any) -> None:
    ours = Keyring(make_pair(), AllowList(), AllowList())
    takes: Any = {"pub": "sub", "push": "pull"}[pattern]
    errors: list[str] = []
    with Listener(house.source(pattern=takes)) as listener:
        sink = ZmqSink(listener.endpoint, pattern=pattern, bind=False, curve=ours.for_sink(house.public), linger_s=0)

        def send() -> None:
            try:
                sink.write(frame(1))
            except SinkError as error:
                errors.append(error.reason)
                sink.open()

        with opened(sink):
            wait_until(lambda: "auth" in errors, "the refusal", meanwhile=send)
            house.keyring.feeders.replace({ours.own.public: "door"})
            wait_until(lambda: listener.heard, "a frame", meanwhile=send)


def test_a_source_whose_key_is_refused_says_so(house: House) -> None:
    ours = Keyring(make_pair(), AllowList(), AllowList())
    with opened(house.sink()) as sink:
        source = ZmqSource(sink.endpoint, curve=ours.for_source(house.public), stall_timeout_s=PATIENCE_S)
        with pytest.raises(SourceError, match="refuses our key") as caught:
            next(source.frames(threading.Event()))
    assert caught.value.reason == "auth"
