"""More peers than there should be: two producers, a crowd that says nothing, one that subscribes to everything.

``[row N]`` in the output of ``pytest -rP`` is the figure of one row of the fault table.
"""

import itertools
import json
import socket as sockets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import zmq

from protocols.frame import Frame, Rejected
from protocols.ownership import SILENCE_S, Ownership
from protocols.wire import encode
from protocols.zeromq import MAX_TOPICS, ZmqSink, ZmqSource
from tests.end_to_end.figures import MIB, figure
from tests.protocols.listener import PATIENCE_S, Listener, wait_until
from tests.protocols.test_zeromq import ANYWHERE, frame, opened, peer

# -- two producers on one source (row 27) -----------------------------------------------------------------------------


def push(socket: zmq.Socket[bytes], sequence: int, *, epoch: int) -> None:
    with suppress(zmq.Again):
        socket.send_multipart(encode(frame(sequence, epoch=epoch), name="x"), zmq.NOBLOCK)


def epochs_of(listener: Listener) -> Iterator[int | str]:
    """Yield the epoch of each frame that came, and the reason of each message that was none."""
    while listener.heard:
        item = listener.next()
        yield item.epoch if isinstance(item, Frame) else item.reason


def test_of_two_producers_one_is_heard_until_it_is_silent_and_their_frames_never_mix() -> None:
    numbers, seen = itertools.count(), list[int | str]()
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True, stall_timeout_s=PATIENCE_S)
    with (
        Listener(source) as listener,
        peer(zmq.PUSH, listener.endpoint) as first,
        peer(zmq.PUSH, listener.endpoint) as second,
    ):
        wait_until(lambda: listener.heard, "the first one", meanwhile=lambda: push(first, next(numbers), epoch=1))
        while seen.count("conflict") < 50:
            push(first, next(numbers), epoch=1)
            push(second, next(numbers), epoch=2)
            threading.Event().wait(0.005)
            seen += epochs_of(listener)
        together = [each for each in seen if each != "conflict"]
        silent_since = time.monotonic()
        seen.clear()
        while 2 not in seen:
            push(second, next(numbers), epoch=2)
            threading.Event().wait(0.02)
            seen += epochs_of(listener)
        taken_over_s = time.monotonic() - silent_since
        seen.clear()
        push(first, next(numbers), epoch=1)
        wait_until(lambda: "conflict" in seen, "the conflict", meanwhile=lambda: seen.extend(epochs_of(listener)))
    figure("row 27", frames=len(together), of_the_second=together.count(2), taken_over_after_s=taken_over_s,
           conflicts=source.notices.counts()["source_conflict"].count)  # fmt: skip
    assert set(together) == {1}
    assert SILENCE_S - 0.5 < taken_over_s < SILENCE_S + 1.5
    assert 1 not in seen


@pytest.mark.parametrize("counted", [True, False])
def test_a_producer_that_leaves_makes_room_at_once(counted: bool) -> None:  # noqa: FBT001 - a parameter
    message = encode(frame(epoch=1), name="x")
    if not counted:
        message = [json.dumps({"msg": "x", "dtype": "uint8", "shape": [16, 16, 3]}).encode(), message[1]]
    source = ZmqSource(ANYWHERE, pattern="pull", bind=True, stall_timeout_s=PATIENCE_S)
    with Listener(source) as listener, ExitStack() as rest:
        producer, began = rest.enter_context(peer(zmq.PUSH, listener.endpoint)), time.monotonic()
        for number in range(1, 4):
            producer.send_multipart(message)
            assert isinstance(listener.next(), Frame)
            # The next one is there before this one leaves: else it could be given the same descriptor.
            following = rest.enter_context(peer(zmq.PUSH, listener.endpoint))
            following.send_multipart(message)
            assert isinstance(listener.next(), Rejected)
            producer.close()
            wait_until(lambda number=number: left(source) == number, "its leaving")  # type: ignore[misc]
            producer = following
        assert time.monotonic() - began < SILENCE_S


def left(source: ZmqSource) -> int:
    """Return how many peers have left."""
    notice = source.notices.counts().get("peer_disconnected")
    return notice.count if notice else 0


def test_ownership_is_kept_by_frames_and_lost_by_silence_by_leaving_and_when_all_are_let_go() -> None:
    now = 0.0
    owner = Ownership(clock=lambda: now)
    assert owner.takes(7)
    for _ in range(5):
        now += SILENCE_S - 0.1
        assert not owner.takes(8)
        assert owner.takes(7)
    now += SILENCE_S + 0.1
    assert owner.takes(8)
    assert not owner.takes(7)
    owner.leave(7)
    assert not owner.takes(7)
    owner.leave(8)
    assert owner.takes(7)
    owner.vacate()
    assert owner.takes(8)


# -- a crowd that says nothing (row 31) -------------------------------------------------------------------------------

CROWDED = """
import resource, sys, threading
from protocols.frame import Frame, Rejected
from protocols.zeromq import ZmqSource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
source = ZmqSource("tcp://127.0.0.1:*", pattern="pull", bind=True, stall_timeout_s=60)
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set())).start()
def tell():
    while not source.endpoint:
        stop.wait(0.01)
    print(source.endpoint, flush=True)
threading.Thread(target=tell).start()
for item in source.frames(stop):
    if isinstance(item, Frame):
        print(item.sequence, flush=True)
print(source.notices.counts()["peer_handshake_timeout"].count, flush=True)
"""
IDLERS = 500


def test_a_good_peer_comes_in_through_a_crowd_that_says_nothing() -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-c", CROWDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
        ExitStack() as crowd,
    ):
        assert process.stdout
        assert process.stdin
        endpoint = process.stdout.readline().strip()
        port = int(endpoint.rpartition(":")[2])
        for _ in range(IDLERS):
            idler = crowd.enter_context(sockets.socket())
            idler.setblocking(False)  # noqa: FBT003 - how sockets call it
            idler.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        with peer(zmq.PUSH, endpoint) as good:
            good.send_multipart(encode(frame(9), name="x"))
            assert process.stdout.readline() == "9\n"
            waited_s = time.monotonic() - began
        process.stdin.close()
        timeouts = int(process.stdout.readline())
    figure("row 31", idlers=IDLERS, descriptors=128, good_peer_in_s=waited_s, timeouts_counted=timeouts)
    assert waited_s < 10.0
    assert timeouts > 0


# -- one that subscribes to everything (row 33) -----------------------------------------------------------------------

FLOODED = """
import json, os, sys, time
from protocols.zeromq import ZmqSink
from tests.protocols.test_zeromq import frame, resident_bytes
sink = ZmqSink("tcp://127.0.0.1:*", linger_s=0)
sink.open()
sink.write(frame())
print(sink.endpoint, flush=True)
peak, before, number = 0, resident_bytes(), 0
while not os.read(0, 1) == b"q":
    sink.write(frame(number))
    number += 1
    peak = max(peak, resident_bytes() - before)
    notice = sink.notices.counts().get("memory_guard")
    print(json.dumps([notice.count if notice else 0, peak]), flush=True)
"""
TOPICS = 100_000


@contextmanager
def publisher() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Yield the address of a sink in a process of its own that writes a frame for each byte it reads."""
    with subprocess.Popen(
        [sys.executable, "-c", FLOODED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().strip(), process
        process.communicate("q")


def test_a_flood_of_subscriptions_ends_with_a_fresh_socket_and_the_viewer_goes_on() -> None:
    with publisher() as (address, process), peer(zmq.SUB, address) as viewer:
        assert process.stdin
        assert process.stdout

        def write() -> tuple[int, int]:
            assert process.stdin
            assert process.stdout
            process.stdin.write("w")
            process.stdin.flush()
            guarded, peak = json.loads(process.stdout.readline())
            return guarded, peak

        wait_until(lambda: viewer.poll(5), "the viewer", meanwhile=write)
        with peer(zmq.SUB, address) as flooder:
            flooder.sndhwm = 0
            began = time.monotonic()
            for number in range(TOPICS):
                flooder.subscribe(f"{number:050d}")
            wait_until(lambda: write()[0], "the guard")
            noticed_s = time.monotonic() - began
        while viewer.poll(0):
            viewer.recv_multipart()
        wait_until(lambda: viewer.poll(5), "the viewer again", meanwhile=write)
        back_s = time.monotonic() - began
        peak_mib = write()[1] / MIB
    figure("row 33", topics=TOPICS, noticed_s=noticed_s, viewer_back_s=back_s, peak_mib=peak_mib)
    assert peak_mib < 16


def test_an_ordinary_viewer_may_change_what_it_subscribes_to_for_ever() -> None:
    with opened(ZmqSink(ANYWHERE, linger_s=0)) as sink, peer(zmq.SUB, sink.endpoint) as viewer:
        for number in range(3 * MAX_TOPICS):
            viewer.subscribe(f"{number}")
            viewer.unsubscribe(f"{number}")
            if number % 100 == 0:
                sink.write(frame(number))
        while viewer.poll(0):
            viewer.recv_multipart()
        wait_until(lambda: viewer.poll(5), "a frame", meanwhile=lambda: sink.write(frame()))
    assert not sink.notices.counts().get("memory_guard")
