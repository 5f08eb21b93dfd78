"""ZeroMQ sockets that are bounded in memory and time."""

import errno
import socket as sockets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event

import zmq

from protocols.errors import TransportError

HIGH_WATER_MARK = 2
_PARTS_KEPT = 3  # enough to see that there are too many
_REPLY_LINGER_MS = 200
_UNREAD_MAX = 100
_TYPES = {
    "sub": zmq.SUB,
    "pull": zmq.PULL,
    "rep": zmq.REP,
    "pair": zmq.PAIR,
    "pub": zmq.XPUB,  # a PUB socket that shows what its peers subscribe to
    "push": zmq.PUSH,
    "req": zmq.REQ,
}
UNKNOWN = -1
_ANSWERED = (zmq.REP, zmq.PAIR)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came."""

    parts: list[memoryview]
    """The first few of them."""
    connection: int
    """Descriptor of the connection it came through, or ``UNKNOWN``."""


def make_socket(context: zmq.Context[zmq.Socket[bytes]], pattern: str, address: str) -> zmq.Socket[bytes]:
    """Return a socket that is bounded in memory and time; everything here must be set before it is attached."""
    socket = context.socket(_TYPES[pattern])
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = HIGH_WATER_MARK
    socket.heartbeat_ivl, socket.heartbeat_timeout = 1000, 3000
    socket.handshake_ivl = 2000
    socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 5000
    socket.immediate = pattern == "push"
    socket.ipv6 = "[" in address
    return socket


@contextmanager
def failing_as(error: type[TransportError], address: str) -> Iterator[None]:
    """Raise ``error`` for what libzmq raises."""
    try:
        yield
    except zmq.ZMQError as failure:
        if failure.errno == errno.EADDRINUSE:
            raise error(f"{address} is in use", reason="in_use") from None
        raise error(f"{address}: {failure.strerror}", reason="failed") from None


def attach(socket: zmq.Socket[bytes], address: str, *, bind: bool) -> str:
    """Bind or connect and return the endpoint."""
    if not bind:
        socket.connect(address)
    elif _ipc_in_use(address):
        raise zmq.ZMQError(errno.EADDRINUSE)
    else:
        socket.bind(address)
    return socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")


def _ipc_in_use(address: str) -> bool:
    """Return whether somebody listens at an ``ipc://`` address; libzmq would take it away from them."""
    if not address.startswith("ipc://"):
        return False
    path = address.removeprefix("ipc://")
    with sockets.socket(sockets.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect("\0" + path[1:] if path.startswith("@") else path)
        except OSError:
            return False
    return True


def receive(socket: zmq.Socket[bytes], stop: Event) -> Delivery | None:
    """Return the next message without its later parts; None if there is none, or if stopped within it.

    A socket that polls as readable may have none: where peers show a key, libzmq reports each as a message of its own,
    and then keeps it to itself.

    REP and PAIR answer here, so that a sender never waits for what we do with its frame.
    """
    parts: list[memoryview] = []
    try:
        first = part = socket.recv(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None
    while True:
        if len(parts) < _PARTS_KEPT:
            parts.append(part.buffer)
        if not part.more:
            break
        if stop.is_set():
            return None
        part = socket.recv(copy=False)
    if socket.type in _ANSWERED:
        with suppress(zmq.Again):  # on PAIR, if the sender is gone or reads no answers
            socket.send(b"OK", zmq.NOBLOCK)
    return Delivery(parts, _connection(first))


def _connection(part: zmq.Frame) -> int:
    try:
        return int(part.get(zmq.SRCFD))
    except zmq.ZMQError:  # its peer speaks the first version of the protocol, or something else altogether
        return UNKNOWN


def answer_the_rest(socket: zmq.Socket[bytes]) -> None:
    """Free the senders whose request nobody will look at: a stock imageZMQ sender waits for its answer for ever."""
    if socket.type not in _ANSWERED:
        return
    socket.linger = _REPLY_LINGER_MS
    unread = 0
    while socket.poll(0) and unread < _UNREAD_MAX:
        receive(socket, Event())
        unread += 1


def count_topics(socket: zmq.Socket[bytes], topics: int, *, at_most: int) -> int:
    """Return how many topics the peers of a PUB socket subscribe to; stops at one more than ``at_most``.

    Args:
        socket: its news are read.
        topics: how many there were before.
        at_most: reading so much news is too much, too, whatever it is: what is not read stays in memory.
    """
    for _ in range(at_most):
        try:
            news = socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return topics
        topics += {b"\1": 1, b"\0": -1}.get(news[:1], 0)
    return at_most + 1
