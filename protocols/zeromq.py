"""Frames over ZeroMQ: a source (SUB, PULL, REP) and a sink (PUB, PUSH).

Both ends hold at most a few frames and never wait for a peer for long, so that the newest frame wins. A context belongs
to one open end and goes with it: nothing stays behind when a source is reopened a thousand times.
"""

import dataclasses
import itertools
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event
from typing import Literal

import zmq

from protocols.errors import SinkError, SourceError, WireError
from protocols.frame import Frame, Rejected
from protocols.header import MAX_BYTES as HEADER_MAX_BYTES
from protocols.header import write_header
from protocols.sockets import answer_the_rest, attach, failing_as, make_socket, receive_parts
from protocols.wire import Format, Limits, Message, decode, encode, topics

Pattern = Literal["sub", "pull", "rep"]
SinkPattern = Literal["pub", "push"]

TOPIC_MAX_BYTES = 40
"""A subscription to more would be larger than the 64 bytes our own PUB socket takes from a peer."""

_POLL_MS = 100
_SEND_TIMEOUT_MS = 500


class ZmqSource:
    """Frames from a ZeroMQ socket, each message in its order.

    A message without a frame is yielded as ``Rejected``. REP answers every request at once with ``OK``, which is what a
    stock imageZMQ sender waits for. Frames of senders that do not count are counted here, a new epoch for each call of
    ``frames``.

    Args:
        address: ``tcp://host:port`` or ``ipc://path``.
        pattern: of the socket.
        bind: listen at the address; otherwise connect to it.
        limits: what a message may cost.
        stall_timeout_s: no frame for so long is an error.
        topic: name of the stream to subscribe to; empty takes all. SUB only.
    """

    live = True

    def __init__(
        self,
        address: str,
        *,
        pattern: Pattern = "sub",
        bind: bool = False,
        limits: Limits | None = None,
        stall_timeout_s: float = 3.0,
        topic: str = "",
    ) -> None:
        if topic and pattern != "sub":
            raise ValueError(f"only sub has topics, got {pattern}")
        if max(map(len, topics(topic))) > TOPIC_MAX_BYTES:
            raise ValueError(f"a topic may have about {TOPIC_MAX_BYTES - 10} letters, got {topic!r}")
        self.address = address
        self.pattern = pattern
        self.bind = bind
        self.limits = limits or Limits()
        self.stall_timeout_s = stall_timeout_s
        self.topic = topic
        self.endpoint = ""
        """Where the socket is bound or connected while frames are iterated; names the port chosen for port 0."""

    def frames(self, stop: Event) -> Iterator[Frame | Rejected]:
        """Open, yield until ``stop``, close.

        Raises:
            SourceError: ``in_use``, ``stalled`` or ``failed``.
        """
        counter = _Counter()
        with failing_as(SourceError, self.address), self._open() as socket:
            deadline = time.monotonic() + self.stall_timeout_s
            while not stop.is_set():
                if socket.poll(_POLL_MS):
                    parts = receive_parts(socket, stop)
                    if parts is None:
                        return
                    item = self._decode(parts, counter)
                    yield item
                    if isinstance(item, Frame):
                        deadline = time.monotonic() + self.stall_timeout_s
                if time.monotonic() > deadline:
                    message = f"no frame from {self.endpoint} for {self.stall_timeout_s:g} s"
                    raise SourceError(message, reason="stalled")

    @contextmanager
    def _open(self) -> Iterator[zmq.Socket[bytes]]:
        with zmq.Context() as context, closing(make_socket(context, self.pattern, self.address)) as socket:
            socket.maxmsgsize = self.limits.max_message_bytes
            if self.pattern == "sub":
                for topic in topics(self.topic) if self.topic else (b"",):
                    socket.subscribe(topic)
            self.endpoint = attach(socket, self.address, bind=self.bind)
            try:
                yield socket
            finally:
                self.endpoint = ""
                if self.pattern == "rep":
                    answer_the_rest(socket)

    def _decode(self, parts: list[memoryview], counter: "_Counter") -> Frame | Rejected:
        try:
            message = decode(parts, limits=self.limits, received_at=time.monotonic())
        except WireError as error:
            return Rejected(error.reason, str(error))
        return message.frame if message.had_sequence else counter.number(message)


class ZmqSink:
    """Frames to a ZeroMQ socket.

    PUB never waits: a subscriber that does not keep up misses frames. PUSH waits half a second for a peer that takes
    the frame.

    Args:
        address: ``tcp://host:port`` or ``ipc://path``.
        pattern: of the socket.
        bind: listen at the address; otherwise connect to it.
        name: of the stream, which a SUB socket can subscribe to.
        format: raw BGR or JPEG.
        quality: of the JPEG, 1 to 100.
        linger_s: how long ``close`` waits for the last frames to leave.
    """

    def __init__(
        self,
        address: str,
        *,
        pattern: SinkPattern = "pub",
        bind: bool = True,
        name: str = "deepmovie",
        format: Format = "raw",  # noqa: A002 - the word of the URL option and of the header
        quality: int = 90,
        linger_s: float = 2.0,
    ) -> None:
        if len(write_header({"msg": name})) > HEADER_MAX_BYTES // 2:
            raise ValueError(f"a name may have about {HEADER_MAX_BYTES // 2 - 10} letters, got {name!r}")
        self.address = address
        self.pattern = pattern
        self.bind = bind
        self.name = name
        self.format: Format = format
        self.quality = quality
        self.linger_s = linger_s
        self.endpoint = ""
        """Where the socket is bound or connected while open; names the port chosen for port 0."""
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None

    def open(self) -> None:
        """Bind or connect.

        Raises:
            SinkError: ``in_use`` or ``failed``.
        """
        self.close()
        try:
            with failing_as(SinkError, self.address):
                self._context = zmq.Context()
                self._socket = make_socket(self._context, self.pattern, self.address)
                self._socket.maxmsgsize = 64  # a peer has nothing to say but what it subscribes to
                self._socket.sndtimeo = _SEND_TIMEOUT_MS
                self.endpoint = attach(self._socket, self.address, bind=self.bind)
        except SinkError:
            self.close()
            raise

    def write(self, frame: Frame) -> None:
        """Hand the frame to the socket, stamped with the time and its age.

        Raises:
            SinkError: ``stalled`` if no peer takes it; ``failed``.
        """
        if self._socket is None:
            raise SinkError(f"{self.address} is not open", reason="failed")
        parts = encode(frame, name=self.name, format=self.format, quality=self.quality)
        with failing_as(SinkError, self.endpoint):
            try:
                self._socket.send_multipart(parts, copy=False)
            except zmq.Again:
                raise SinkError(f"nobody takes the frames at {self.endpoint}", reason="stalled") from None

    def close(self) -> None:
        """Wait up to ``linger_s`` for the last frames to leave, then let go."""
        if self._socket is not None:
            self._socket.close(linger=round(self.linger_s * 1000))
        if self._context is not None:
            self._context.term()
        self._socket = self._context = None
        self.endpoint = ""


class _Counter:
    """Numbers and times for the frames of a sender that gives none."""

    def __init__(self) -> None:
        self._epoch = time.time_ns() // 1_000_000
        self._sequences = itertools.count()
        self._began_at: float | None = None

    def number(self, message: Message) -> Frame:
        frame = message.frame
        if self._began_at is None:
            self._began_at = frame.received_at
        return dataclasses.replace(
            frame,
            sequence=next(self._sequences),
            epoch=self._epoch,
            pts=frame.received_at - self._began_at,
            captured_at=time.time(),
        )
