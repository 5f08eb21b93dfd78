"""VidGear's own NetGear at the other end, both ways; and its header, byte for byte."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import zmq
from vidgear.gears import NetGear

from protocols.errors import SinkError, WireError
from protocols.frame import Frame, Rejected
from protocols.wire import Limits, decode, encode
from protocols.zeromq import ZmqSink, ZmqSource
from tests.protocols.listener import PATIENCE_S, Listener, wait_until
from tests.protocols.test_zeromq import ANYWHERE, free_port, opened

BGR = np.full((32, 48, 3), (200, 100, 20), np.uint8)
RGB = np.ascontiguousarray(BGR[..., ::-1])
PATTERNS: list[tuple[int, Any, Any]] = [(0, "pair", "pair"), (1, "rep", "req"), (2, "sub", "pub")]
"""What NetGear calls it, our source's socket, our sink's."""


RECEIVER = """
import json, sys
from vidgear.gears import NetGear
port, pattern, both_ways = sys.argv[1:]
options = {"bidirectional_mode": True} if both_ways else {}
gear = NetGear(port=port, address="127.0.0.1", pattern=int(pattern), receive_mode=True, **options)
print("ready", flush=True)
while (got := gear.recv()) is not None:
    message, image = got if both_ways else (None, got)
    print(json.dumps([message, list(image.shape), image[0, 0].tolist()]), flush=True)
"""
"""A process of its own, as a NetGear that receives aborts its process now and then when it is closed."""


@contextmanager
def sender(address: str, *, pattern: int, **options: Any) -> Iterator[Any]:
    """Yield a NetGear that sends; in its words who receives binds, whatever the pattern."""
    host, port = address.removeprefix("tcp://").split(":")
    gear = NetGear(address=host, port=port, pattern=pattern, **options)
    try:
        yield gear
    finally:
        gear.close()


class Receiver:
    """A NetGear that receives, and what it has received."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._process = process
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def heard(self) -> bool:
        return not self._lines.empty()

    def next(self) -> Any:
        return json.loads(self._lines.get(timeout=PATIENCE_S))

    def await_ready(self) -> None:
        assert self._lines.get(timeout=PATIENCE_S) == "ready\n"

    def join(self) -> None:
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)


@contextmanager
def receiver(address: str, *, pattern: int, both_ways: bool = False) -> Iterator[Receiver]:
    """Yield a NetGear that receives, in a process that is killed at the end."""
    arguments = [address.rpartition(":")[2], str(pattern), "yes" if both_ways else ""]
    command = [sys.executable, "-c", RECEIVER, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        found = Receiver(process)
        try:
            found.await_ready()
            yield found
        finally:
            process.kill()
            found.join()


def is_the_picture(received: Any) -> bool:
    _, shape, pixel = received
    return shape == list(BGR.shape) and bool(np.abs(np.array(pixel) - BGR[0, 0]).max() <= 3)


def picture(sequence: int = 4) -> Frame:
    return Frame(RGB, sequence, 0.5, 0.0, time.monotonic(), epoch=3)


def persist(sink: ZmqSink, frame: Frame) -> None:
    """Write a frame; open the sink anew if it fails, as the daemon does."""
    try:
        sink.write(frame)
    except SinkError:
        sink.open()


def looks_like(image: Any, other: Any) -> bool:
    return bool(image.shape == other.shape and np.abs(image.astype(int) - other.astype(int)).max() <= 3)


@pytest.mark.parametrize("jpeg", [False, True])
@pytest.mark.parametrize(("number", "pattern", "_sends"), PATTERNS)
def test_a_netgear_sender_feeds_our_source(number: int, pattern: Any, _sends: str, jpeg: bool) -> None:  # noqa: FBT001 - a parameter
    with (
        Listener(ZmqSource(ANYWHERE, pattern=pattern, bind=True)) as listener,
        sender(listener.endpoint, pattern=number, jpeg_compression=jpeg) as gear,
    ):
        received, began = [], time.monotonic()
        for _ in range(5):
            wait_until(lambda: listener.heard, "a frame", meanwhile=lambda: gear.send(BGR))
            received.append(listener.next_frame())
        took_s = time.monotonic() - began
    assert [frame.sequence for frame in received] == list(range(5))
    assert all(looks_like(frame.image, RGB) for frame in received)
    assert took_s < 4, "a sender that gets no answer waits 4 s and counts its tries"


@pytest.mark.parametrize("form", ["netgear", "netgear-jpeg"])
@pytest.mark.parametrize(("number", "_takes", "pattern"), PATTERNS)
def test_our_sink_feeds_a_netgear_receiver(number: int, _takes: str, pattern: Any, form: Any) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        receiver(address, pattern=number) as gear,
        opened(ZmqSink(address, pattern=pattern, bind=False, format=form, quality=95, linger_s=0)) as sink,
    ):
        for _ in range(5):
            wait_until(lambda: gear.heard, "a frame", meanwhile=lambda: persist(sink, picture()))
            assert is_the_picture(gear.next())


def test_our_facts_are_the_message_that_a_bidirectional_receiver_reads() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        receiver(address, pattern=1, both_ways=True) as gear,
        opened(ZmqSink(address, pattern="req", bind=False, format="netgear", name="hall", linger_s=0)) as sink,
    ):
        wait_until(lambda: gear.heard, "a frame", meanwhile=lambda: persist(sink, picture(7)))
        received = gear.next()
    assert is_the_picture(received)
    assert {"msg": "hall", "seq": 7, "epoch": 3, "pts": 0.5, "stale": False}.items() <= received[0].items()
    assert not {"shape", "dtype", "format"} & set(received[0])


def test_a_netgear_receiver_that_is_gone_is_a_stall_and_a_new_one_is_found() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with opened(ZmqSink(address, pattern="pair", bind=False, format="netgear", linger_s=0)) as sink:
        with receiver(address, pattern=0) as gear:
            wait_until(lambda: gear.heard, "a frame", meanwhile=lambda: persist(sink, picture()))
            assert is_the_picture(gear.next())
        with pytest.raises(SinkError) as caught:
            sink.write(picture())
        assert caught.value.reason == "stalled"
        with receiver(address, pattern=0) as gear:
            wait_until(lambda: gear.heard, "a frame", meanwhile=lambda: persist(sink, picture()))
            assert is_the_picture(gear.next())


def test_a_sender_that_ends_says_so_and_another_one_is_heard_at_once() -> None:
    with Listener(ZmqSource(ANYWHERE, pattern="rep", bind=True)) as listener:
        for _ in range(2):
            with sender(listener.endpoint, pattern=1) as gear:
                gear.send(BGR)
                assert isinstance(listener.next(), Frame)
            goodbye = listener.next()
            assert isinstance(goodbye, Rejected)
            assert goodbye.reason == "goodbye"


# -- bytes ------------------------------------------------------------------------------------------------------------

RAW = (
    b'{"terminate_flag": false, "compression": false, "message": null, "pattern": "2", "dtype": "uint8", '
    b'"shape": [32, 48, 3]}'
)


def test_vidgear_s_header_is_the_one_we_know() -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.subscribe(b"")
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with sender(f"tcp://127.0.0.1:{port}", pattern=2, jpeg_compression=False) as gear:
            wait_until(lambda: socket.poll(5), "a frame", meanwhile=lambda: gear.send(BGR))
            header, payload = socket.recv_multipart()
    assert header == RAW
    assert payload == BGR.tobytes()
    assert looks_like(decode([header, payload], limits=Limits(), received_at=0.0).frame.image, RGB)


def test_our_header_is_the_one_vidgear_writes_but_for_the_message() -> None:
    ours = json.loads(bytes(encode(Frame(RGB, 1, 0.0, 0.0, 0.0), name="x", format="netgear", pattern="pub")[0]))
    assert ours | {"message": None} == json.loads(RAW)
    assert list(ours) == list(json.loads(RAW))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"terminate_flag": True}, "header"),
        ({"terminate_flag": "no"}, "header"),
        ({"compression": None}, "header"),
        ({"compression": [1]}, "header"),
        ({"compression": {}}, "decode"),
        ({"dtype": "object"}, "dtype"),
        ({"dtype": ""}, "dtype"),
        ({"shape": [32, 48]}, "shape"),
        ({"shape": [32, 48, 4]}, "shape"),
        ({"shape": [2**40, 2**40, 3]}, "pixels"),
        ({"shape": [64, 48, 3]}, "length"),
        ({"message": "x" * 1024}, "header"),
    ],
)
def test_a_netgear_header_that_lies_is_refused(changes: dict[str, Any], reason: str) -> None:
    header = json.dumps(json.loads(RAW) | changes).encode()
    with pytest.raises(WireError) as caught:
        decode([header, BGR.tobytes()], limits=Limits(), received_at=0.0)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("part", "reason"),
    [(b'{"terminate_flag": true}', "goodbye"), (b'{"terminate_flag": 1}', "parts"), (b"[]", "parts"), (b"{", "parts")],
)
def test_a_goodbye_is_a_message_of_one_part(part: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        decode([part], limits=Limits(), received_at=0.0)
    assert caught.value.reason == reason
