"""Frames over real sockets: in order, bounded in time and memory, whatever the peers do."""

import dataclasses
import itertools
import json
import os
import random
import signal
import socket as sockets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from protocols.errors import SinkError, SourceError
from protocols.frame import Frame, Painting, Rejected
from protocols.sockets import receive
from protocols.wire import Limits, decode, encode
from protocols.zeromq import ZmqSink, ZmqSource
from tests.protocols.listener import PATIENCE_S, Listener, wait_until

ANYWHERE = "tcp://127.0.0.1:*"
SMALL = Limits(max_pixels=64 * 64, min_side_px=2, max_message_bytes=65536)


def frame(sequence: int = 0, *, height: int = 16, width: int = 16, epoch: int = 5) -> Frame:
    image = np.full((height, width, 3), (sequence % 256, 100, 200), np.uint8)
    return Frame(image, sequence, sequence / 25, 1.7e9 + sequence, time.monotonic(), epoch, painting=Painting(3))


@contextmanager
def peer(kind: int, address: str) -> Iterator[zmq.Socket[bytes]]:
    """Yield a plain socket connected to the address."""
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.linger, socket.reconnect_ivl = 1000, 10
        socket.sndtimeo = socket.rcvtimeo = round(PATIENCE_S * 1000)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(address)
        yield socket


@contextmanager
def opened(sink: ZmqSink) -> Iterator[ZmqSink]:
    sink.open()
    try:
        yield sink
    finally:
        sink.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def free_port() -> int:
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        return socket.bind_to_random_port("tcp://127.0.0.1")


# -- from sink to source ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["raw", "jpeg"])
@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_pushed_frames_arrive_in_order_with_their_facts(form: Any, scheme: str, tmp_path: Path) -> None:
    address = ANYWHERE if scheme == "tcp" else f"ipc://{tmp_path}/frames"
    with (
        Listener(ZmqSource(address, pattern="pull", bind=True)) as listener,
        opened(ZmqSink(listener.endpoint, pattern="push", bind=False, name="cam", format=form)) as sink,
    ):
        for sequence in range(20):
            sink.write(frame(sequence))
        received = [listener.next_frame() for _ in range(20)]
    assert [item.sequence for item in received] == list(range(20))
    assert {item.epoch for item in received} == {5}
    assert received[7].painting == Painting(3)
    assert received[7].captured_at == 1.7e9 + 7
    assert np.abs(received[7].image.astype(int) - (7, 100, 200)).max() <= 2


def test_a_published_stream_is_received_by_its_topic_alone() -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
        publisher.bind(ANYWHERE)
        numbers = itertools.count()

        def publish() -> None:
            for name in ("cam", "cam1", "cam10"):
                publisher.send_multipart(encode(frame(next(numbers)), name=name))

        with Listener(ZmqSource(publisher.getsockopt_string(zmq.LAST_ENDPOINT), topic="cam1")) as listener:
            wait_until(lambda: listener.heard, "the subscription", meanwhile=publish)
            for _ in range(5):
                publish()
                assert listener.next_frame().sequence % 3 == 1


def test_the_longest_topic_passes_our_own_publisher_s_limit() -> None:
    name = "x" * 30
    with opened(ZmqSink(ANYWHERE, name=name)) as sink, Listener(ZmqSource(sink.endpoint, topic=name)) as listener:
        wait_until(lambda: listener.heard, "the subscription", meanwhile=lambda: sink.write(frame()))
    with pytest.raises(ValueError, match="topic"):
        ZmqSource(ANYWHERE, topic="x" * 31)


def test_ipv6_is_served() -> None:
    try:
        sockets.create_server(("::1", 0), family=sockets.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with (
        Listener(ZmqSource("tcp://[::1]:*", pattern="pull", bind=True)) as listener,
        opened(ZmqSink(listener.endpoint, pattern="push", bind=False)) as sink,
    ):
        sink.write(frame(1))
        assert listener.next_frame().sequence == 1


def test_frames_without_numbers_are_counted_in_an_epoch_of_their_own() -> None:
    header, payload = json.dumps({"msg": "x", "dtype": "uint8", "shape": [16, 16, 3]}).encode(), bytes(768)
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True)
    epochs = []
    for _ in range(2):
        with Listener(source) as listener, peer(zmq.PUSH, listener.endpoint) as sender:
            for _ in range(3):
                sender.send_multipart([header, payload])
            received = [listener.next_frame() for _ in range(3)]
        assert [item.sequence for item in received] == [0, 1, 2]
        assert received[0].pts == 0 < received[2].pts
        assert abs(received[0].captured_at - time.time()) < PATIENCE_S
        epochs.append({item.epoch for item in received})
    assert [len(epoch) for epoch in epochs] == [1, 1]
    assert epochs[0] != epochs[1]


# -- strangers --------------------------------------------------------------------------------------------------------


def malformed(rng: random.Random) -> list[bytes]:
    """Return a message that holds no frame: one of the ways, by chance."""
    header, payload = (bytes(part) for part in encode(frame(), name="x"))
    facts = json.loads(header)
    key = rng.choice(["seq", "epoch", "pts", "captured_at", "dropped", "iterations", "v", "msg", "shape", "dtype"])
    wrong = rng.choice([-(2.0**70), 2**70, "x", [[]], {}, True, "é" * 99])
    number = rng.choice(["NaN", "1e999", "-1e999", "9" * 400, "[" * 300])
    ways = [
        [header],
        [header, payload, b""],
        [header, payload, b"", b"", b""],
        [b""] * rng.randrange(1, 9),
        [header[: rng.randrange(len(header))], payload],
        [header, payload[: rng.randrange(len(payload))]],
        [rng.randbytes(rng.randrange(1, 200)), payload],
        [json.dumps(facts | {key: [wrong]}).encode(), payload],
        [header.replace(b"0.0", number.encode(), 1), payload],
        [json.dumps(facts | {"msg": None, "format": wrong}).encode(), payload],
        [b'{"msg": "x"}', b"\xff\xd8" + rng.randbytes(rng.randrange(300))],
        [b'{"msg": "x"}', rng.randbytes(rng.randrange(300))],
        [header + b" " * 1024, payload],
    ]
    return rng.choice(ways)


def test_ten_thousand_malformed_messages_are_each_rejected_and_the_good_frames_between_arrive() -> None:
    rng, total, every = random.Random(7), 10_000, 500
    found: Counter[str] = Counter()
    sequences: list[int] = []
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True, limits=SMALL, stall_timeout_s=PATIENCE_S)
    with Listener(source) as listener, peer(zmq.PUSH, listener.endpoint) as sender:
        for index in range(total):
            sender.send_multipart(malformed(rng))
            if index % every == every - 1:
                sender.send_multipart(encode(frame(index), name="x"))
        for _ in range(total + total // every):
            item = listener.next()
            if isinstance(item, Rejected):
                found[item.reason] += 1
            else:
                sequences.append(item.sequence)
    assert sequences == list(range(every - 1, total, every))
    assert found.total() == total
    assert set(found) >= {"parts", "header", "version", "shape", "dtype", "length", "decode"}


@pytest.mark.parametrize("count", [1, 3, 5, 100_000])
def test_a_message_of_another_number_of_parts_is_rejected(count: int) -> None:
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True)
    with Listener(source) as listener, peer(zmq.PUSH, listener.endpoint) as sender:
        sender.send_multipart([b"x"] * count)
        sender.send_multipart(encode(frame(1), name="x"))
        rejected = listener.next()
        assert isinstance(rejected, Rejected)
        assert rejected.reason == "parts"
        assert listener.next_frame().sequence == 1


def test_of_endless_parts_three_are_kept() -> None:
    with zmq.Context() as context, context.socket(zmq.PULL) as receiver:
        receiver.bind(ANYWHERE)
        with peer(zmq.PUSH, receiver.getsockopt_string(zmq.LAST_ENDPOINT)) as sender:
            sender.send_multipart([b"x"] * 10_000)
            assert receiver.poll(round(PATIENCE_S * 1000))
            delivery = receive(receiver, threading.Event())
        assert delivery is not None
        assert [bytes(part) for part in delivery.parts] == [b"x"] * 3


def test_a_message_over_the_limit_costs_only_its_sender() -> None:
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True, limits=Limits(max_message_bytes=2**20))
    with (
        Listener(source) as listener,
        peer(zmq.PUSH, listener.endpoint) as good,
        peer(zmq.PUSH, listener.endpoint) as bad,
    ):
        good.send_multipart(encode(frame(0), name="x"))
        assert listener.next_frame().sequence == 0
        for sequence in range(1, 11):
            bad.send_multipart([b"{}", bytes(2**21)], copy=False)
            good.send_multipart(encode(frame(sequence), name="x"))
        assert [listener.next_frame().sequence for _ in range(10)] == list(range(1, 11))


def test_random_bytes_at_the_port_do_not_stop_the_frames() -> None:
    rng = random.Random(3)
    with Listener(ZmqSource(ANYWHERE, pattern="pull", bind=True)) as listener:
        port = int(listener.endpoint.rsplit(":", 1)[1])
        for _ in range(50):
            with sockets.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as raw:
                raw.sendall(rng.randbytes(200))
        with peer(zmq.PUSH, listener.endpoint) as sender:
            sender.send_multipart(encode(frame(1), name="x"))
            while not isinstance(item := listener.next(), Frame):
                pass
        assert item.sequence == 1


def test_rep_answers_every_request_also_a_malformed_one() -> None:
    with Listener(ZmqSource(ANYWHERE, pattern="rep", bind=True)) as listener:
        with peer(zmq.REQ, listener.endpoint) as sender:
            messages: list[list[bytes | memoryview]] = [[b"nonsense"], [b""] * 9, encode(frame(1), name="x")]
            for parts in messages:
                sender.send_multipart(parts)
                assert sender.recv() == b"OK"
        assert [type(listener.next()) for _ in range(3)] == [Rejected, Rejected, Frame]


def test_rep_leaves_no_request_without_an_answer_when_it_closes() -> None:
    source, stop = ZmqSource(f"tcp://127.0.0.1:{free_port()}", pattern="rep", bind=True), threading.Event()
    with peer(zmq.REQ, source.address) as first, peer(zmq.REQ, source.address) as second:
        first.send_multipart(encode(frame(1), name="x"))
        second.send_multipart(encode(frame(2), name="x"))
        items = source.frames(stop)
        assert isinstance(next(items), Frame)
        # The other request may still be on its way into the socket.
        time.sleep(0.2)
        stop.set()
        assert next(items, None) is None
        assert first.recv() == second.recv() == b"OK"


# -- time -------------------------------------------------------------------------------------------------------------


def test_silence_is_a_stall() -> None:
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True, stall_timeout_s=0.2)
    began_at = time.monotonic()
    with pytest.raises(SourceError) as caught:
        next(source.frames(threading.Event()))
    assert caught.value.reason == "stalled"
    assert time.monotonic() - began_at >= 0.2


def test_malformed_messages_are_no_sign_of_life() -> None:
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True, stall_timeout_s=0.2)
    with Listener(source) as listener, peer(zmq.PUSH, listener.endpoint) as sender:
        wait_until(lambda: listener.error, "the stall", meanwhile=lambda: send_unless_full(sender, b"nonsense"))
    assert listener.error is not None
    assert listener.error.reason == "stalled"


def send_unless_full(socket: zmq.Socket[bytes], part: bytes) -> None:
    with suppress(zmq.Again):
        socket.send(part, zmq.NOBLOCK)


def test_a_consumer_that_takes_its_time_is_no_stall() -> None:
    source = ZmqSource(f"tcp://127.0.0.1:{free_port()}", pattern="pull", bind=True, stall_timeout_s=1.0)
    with peer(zmq.PUSH, source.address) as sender:
        for sequence in range(2):
            sender.send_multipart(encode(frame(sequence), name="x"))
        stop = threading.Event()
        items = source.frames(stop)
        next(items)
        time.sleep(1.3)  # what is tested: time that passes in the consumer
        assert isinstance(next(items), Frame)
        stop.set()
        assert list(items) == []


def test_a_source_ends_within_a_second_of_stop() -> None:
    with Listener(ZmqSource(ANYWHERE, pattern="pull", bind=True, stall_timeout_s=PATIENCE_S)) as listener:
        listener.stop.set()
        asked_at = time.monotonic()
        listener.join()
    assert time.monotonic() - asked_at < 1.0


def test_push_without_a_peer_gives_up_within_a_second() -> None:
    with opened(ZmqSink(f"tcp://127.0.0.1:{free_port()}", pattern="push", bind=False)) as sink:
        began_at = time.monotonic()
        with pytest.raises(SinkError) as caught:
            sink.write(frame())
        assert time.monotonic() - began_at < 1.0
        closing_at = time.monotonic()
    assert caught.value.reason == "stalled"
    assert time.monotonic() - closing_at < 1.0


def test_pub_without_a_subscriber_costs_nothing() -> None:
    with opened(ZmqSink(ANYWHERE)) as sink:
        for sequence in range(100):
            sink.write(frame(sequence))


def test_the_last_frames_leave_before_a_sink_is_closed() -> None:
    picture = frame(1, height=2304, width=4096)
    with Listener(ZmqSource(ANYWHERE, pattern="pull", bind=True)) as listener:
        with opened(ZmqSink(listener.endpoint, pattern="push", bind=False, linger_s=PATIENCE_S)) as sink:
            sink.write(picture)
            sink.write(picture)
        assert [listener.next_frame().image.shape for _ in range(2)] == [(2304, 4096, 3)] * 2


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_an_address_in_use_is_named(scheme: str, tmp_path: Path) -> None:
    address = ANYWHERE if scheme == "tcp" else f"ipc://{tmp_path}/frames"
    with opened(ZmqSink(address)) as owner:
        with pytest.raises(SinkError, match="is in use") as sink_error:
            ZmqSink(owner.endpoint).open()
        with pytest.raises(SourceError, match=owner.endpoint.replace("*", ".")) as source_error:
            next(ZmqSource(owner.endpoint, pattern="pull", bind=True).frames(threading.Event()))
        assert (sink_error.value.reason, source_error.value.reason) == ("in_use", "in_use")
        with Listener(ZmqSource(owner.endpoint)) as listener:
            wait_until(lambda: listener.heard, "the owner's frames", meanwhile=lambda: owner.write(frame()))


@pytest.mark.parametrize(
    "address", ["tcp://192.0.2.1:5999", "tcp://nowhere.invalid:5999", "ipc:///nowhere/at/all", "x"]
)
def test_an_address_that_cannot_be_bound_is_an_error(address: str) -> None:
    with pytest.raises(SinkError) as caught:
        ZmqSink(address).open()
    assert caught.value.reason == "failed"
    assert address in str(caught.value)


def test_a_sink_that_is_not_open_says_so_and_close_is_harmless() -> None:
    sink = ZmqSink(ANYWHERE)
    sink.close()
    with pytest.raises(SinkError, match="not open"):
        sink.write(frame())


@pytest.mark.parametrize("name", ["x" * 600, "two\nlines", "\ud800"])
def test_a_name_that_no_header_can_carry_is_refused_at_once(name: str) -> None:
    with pytest.raises(ValueError, match=r"name|msg"):
        ZmqSink(ANYWHERE, name=name)


def test_nothing_stays_open_after_two_hundred_lives() -> None:
    def live() -> None:
        with opened(ZmqSink(ANYWHERE)) as sink:
            with pytest.raises(SinkError):
                ZmqSink(sink.endpoint).open()
            with pytest.raises(SourceError):
                next(ZmqSource(sink.endpoint, pattern="pull", bind=True).frames(threading.Event()))
            stop = threading.Event()
            stop.set()
            assert list(ZmqSource(sink.endpoint).frames(stop)) == []

    live()
    before = descriptors(), threading.active_count()
    for _ in range(200):
        live()
    assert (descriptors(), threading.active_count()) == before


# -- a subscriber that stops for good ---------------------------------------------------------------------------------

SUBSCRIBER = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"")
socket.connect(sys.argv[1])
while True:
    socket.recv_multipart()
    print("got", flush=True)
"""


@contextmanager
def stopped_subscriber(sink: ZmqSink, picture: Frame) -> Iterator[None]:
    """Yield while a process that has received a frame, and was then stopped, is subscribed."""
    with subprocess.Popen([sys.executable, "-c", SUBSCRIBER, sink.endpoint], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        hears = threading.Thread(target=process.stdout.readline)
        hears.start()
        wait_until(lambda: not hears.is_alive(), "the subscriber", meanwhile=lambda: sink.write(picture))
        process.send_signal(signal.SIGSTOP)
        yield
        process.kill()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_stopped_subscribers_cost_the_others_nothing_and_memory_stays_bounded() -> None:
    picture = frame(height=720, width=1280)
    growth_bytes, received, slowest_s = [], [], 0.0
    with (
        opened(ZmqSink(ANYWHERE, linger_s=0)) as sink,
        stopped_subscriber(sink, picture),
        stopped_subscriber(sink, picture),
        peer(zmq.SUB, sink.endpoint) as live,
    ):
        wait_until(lambda: live.poll(5), "the subscription", meanwhile=lambda: sink.write(picture))
        while live.poll(200):
            live.recv_multipart(copy=False)
        before_bytes = resident_bytes()
        for sequence in range(150):
            began_at = time.monotonic()
            sink.write(dataclasses.replace(picture, sequence=sequence, received_at=began_at))
            slowest_s = max(slowest_s, time.monotonic() - began_at)
            parts = [part.buffer for part in live.recv_multipart(copy=False)]
            received.append(decode(parts, limits=Limits(), received_at=0.0).frame.sequence)
            growth_bytes.append(resident_bytes() - before_bytes)
    assert received == list(range(150))
    assert slowest_s < 1.0
    # Two subscribers are stopped and one is alive; each may hold a high-water mark of frames in the publisher.
    assert max(growth_bytes) < 12 * picture.image.nbytes
