"""Frames over ZeroMQ: a source (SUB, PULL, REP, PAIR) and a sink (PUB, PUSH, REQ, PAIR).

Both ends hold at most a few frames and never wait for a peer for long, so that the newest frame wins.
"""

import dataclasses
import itertools
import time
from collections.abc import Iterator
from contextlib import closing
from threading import Event
from typing import Literal

import zmq

from protocols.curve import Curve
from protocols.errors import SinkError, SourceError, WireError
from protocols.frame import Frame, Rejected
from protocols.header import MAX_BYTES as HEADER_MAX_BYTES
from protocols.header import write_header
from protocols.link import Link
from protocols.notices import Notices
from protocols.ownership import Ownership
from protocols.sockets import Delivery, count_topics, failing_as, receive
from protocols.wire import Format, Limits, Message, decode, encode, topics

Pattern = Literal["sub", "pull", "rep", "pair"]
SinkPattern = Literal["pub", "push", "req", "pair"]

TOPIC_MAX_BYTES = 40
"""A subscription to more would be larger than the 64 bytes our own PUB socket takes from a peer."""
MAX_TOPICS = 1000
"""What all peers together may subscribe to. A viewer needs one topic or two; each costs libzmq up to 2 KiB."""

_ANSWER_MAX_BYTES = 64  # a viewer has nothing to say but what it subscribes to, and that it got a frame
_HANDSHAKE_MAX_BYTES = 512  # the limit counts for CURVE's handshake, too
_POLL_MS = 100
_SEND_TIMEOUT_MS = 500
_ANSWER_TIMEOUT_MS = 4000  # what NetGear waits; who leaves one that is about to answer on PAIR blocks it for good


class ZmqSource:
    """Frames from a ZeroMQ socket, each message in its order.

    A message without a frame is yielded as ``Rejected``. REP and PAIR answer every message at once with ``OK``, which
    is what a stock sender waits for (imageZMQ's, NetGear's). Frames of senders that do not count are counted here, a
    new epoch for each call of ``frames``. Of several senders at a bound socket one is heard (see ``Ownership``).

    One thing is not bounded: a message of endless parts grows within libzmq, which shows nothing of it before its end
    and counts neither its parts nor its bytes. Only who is let in can send one, so let in those with a key.

    Args:
        address: ``tcp://host:port`` or ``ipc://path``.
        pattern: of the socket.
        bind: listen at the address; otherwise connect to it.
        limits: what a message may cost.
        stall_timeout_s: no frame for so long is an error.
        topic: name of the stream to subscribe to; empty takes all. SUB only.
        curve: how senders prove who they are; None: they need not.
        notices: count what peers do.
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
        curve: Curve | None = None,
        notices: Notices | None = None,
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
        self.curve = curve
        self.notices = notices or Notices()
        self.endpoint = ""
        """Where the socket is bound or connected while frames are iterated; names the port chosen for port 0."""

    def frames(self, stop: Event) -> Iterator[Frame | Rejected]:
        """Open, yield until ``stop``, close.

        Raises:
            SourceError: ``in_use``, ``auth``, ``stalled`` or ``failed``.
        """
        owner = Ownership()
        try:
            with failing_as(SourceError, self.address), closing(self._open(owner)) as link:
                self.endpoint = link.endpoint
                yield from self._read(link, owner, stop)
        finally:
            self.endpoint = ""

    def _open(self, owner: Ownership) -> Link:
        return Link(
            self.address,
            pattern=self.pattern,
            bind=self.bind,
            curve=self.curve,
            notices=self.notices,
            prepare=self._prepare,
            on_left=owner.leave,
        )

    def _prepare(self, socket: zmq.Socket[bytes]) -> None:
        socket.maxmsgsize = self.limits.max_message_bytes
        if self.pattern == "sub":
            for topic in topics(self.topic) if self.topic else (b"",):
                socket.subscribe(topic)

    def _read(self, link: Link, owner: Ownership, stop: Event) -> Iterator[Frame | Rejected]:
        counter = _Counter()
        deadline = time.monotonic() + self.stall_timeout_s
        while not stop.is_set():
            came = link.socket.poll(_POLL_MS)
            if link.keep():
                owner.vacate()
            elif came:
                delivery = receive(link.socket, stop)
                item = self._decode(delivery, counter, owner) if delivery else None
                if item is not None:
                    yield item
                if isinstance(item, Frame):
                    deadline = time.monotonic() + self.stall_timeout_s
            if link.turned_away:
                raise SourceError(f"{self.endpoint} refuses our key", reason="auth")
            if time.monotonic() > deadline:
                message = f"no frame from {self.endpoint} for {self.stall_timeout_s:g} s"
                raise SourceError(message, reason="stalled")

    def _decode(self, delivery: Delivery, counter: "_Counter", owner: Ownership) -> Frame | Rejected:
        try:
            message = decode(delivery.parts, limits=self.limits, received_at=time.monotonic())
        except WireError as error:
            if error.reason == "goodbye":
                owner.leave(delivery.connection)
            return Rejected(error.reason, str(error))
        if self.bind and not owner.takes(delivery.connection):
            self.notices.add("source_conflict", f"{self.endpoint}: another sender is heard here")
            return Rejected("conflict", f"the frames of another sender are taken at {self.endpoint}")
        return message.frame if message.had_sequence else counter.number(message)


class ZmqSink:
    """Frames to a ZeroMQ socket.

    PUB never waits: a subscriber that does not keep up misses frames. PUSH waits half a second for a peer that takes
    the frame; REQ and PAIR wait four for its answer.

    Args:
        address: ``tcp://host:port`` or ``ipc://path``.
        pattern: of the socket.
        bind: listen at the address; otherwise connect to it.
        name: of the stream, which a SUB socket can subscribe to.
        format: raw BGR or JPEG, with our header or with NetGear's.
        quality: of the JPEG, 1 to 100.
        linger_s: how long ``close`` waits for the last frames to leave.
        curve: how viewers prove who they are; None: they need not.
        notices: count what peers do.
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
        curve: Curve | None = None,
        notices: Notices | None = None,
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
        self.curve = curve
        self.notices = notices or Notices()
        self._link: Link | None = None
        self._topics = 0

    @property
    def endpoint(self) -> str:
        """Where the socket is bound or connected; names the port chosen for port 0. Empty when not open."""
        return self._link.endpoint if self._link else ""

    def open(self) -> None:
        """Bind or connect.

        Raises:
            SinkError: ``in_use`` or ``failed``.
        """
        self.close()
        with failing_as(SinkError, self.address):
            self._link = Link(
                self.address,
                pattern=self.pattern,
                bind=self.bind,
                curve=self.curve,
                notices=self.notices,
                prepare=self._prepare,
            )

    def write(self, frame: Frame) -> None:
        """Hand the frame to the socket, stamped with the time and its age.

        Raises:
            SinkError: ``stalled`` if no peer takes it; ``auth``; ``failed``.
        """
        if self._link is None:
            raise SinkError(f"{self.address} is not open", reason="failed")
        if self._link.turned_away:
            raise SinkError(f"{self._link.endpoint} refuses our key", reason="auth")
        parts = encode(frame, name=self.name, format=self.format, quality=self.quality, pattern=self.pattern)
        with failing_as(SinkError, self._link.endpoint):
            self._keep(self._link)
            try:
                self._link.socket.send_multipart(parts, copy=False)
                if self.pattern in ("req", "pair"):
                    self._link.socket.recv_multipart()
            except zmq.Again:
                raise SinkError(f"nobody takes the frames at {self._link.endpoint}", reason="stalled") from None

    def close(self) -> None:
        """Wait up to ``linger_s`` for the last frames to leave, then let go."""
        link, self._link = self._link, None
        if link is not None:
            link.close(linger_s=self.linger_s)

    def _prepare(self, socket: zmq.Socket[bytes]) -> None:
        self._topics = 0
        socket.maxmsgsize = _ANSWER_MAX_BYTES if self.curve is None else _HANDSHAKE_MAX_BYTES
        socket.sndtimeo, socket.rcvtimeo = _SEND_TIMEOUT_MS, _ANSWER_TIMEOUT_MS

    def _keep(self, link: Link) -> None:
        """Cut off who may not watch any more, and all peers if they subscribe to too much."""
        if link.keep() or self.pattern != "pub":
            return
        self._topics = count_topics(link.socket, self._topics, at_most=MAX_TOPICS)
        if self._topics > MAX_TOPICS:
            self.notices.add("memory_guard", f"{link.endpoint}: more than {MAX_TOPICS} subscriptions")
            link.reopen()


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
