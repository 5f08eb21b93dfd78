"""A socket, its context and its door: opened, kept and closed together."""

from collections.abc import Callable
from contextlib import ExitStack

import zmq

from protocols.curve import Curve
from protocols.door import Door
from protocols.notices import Notices
from protocols.sockets import answer_the_rest, attach, make_socket


class Link:
    """One open end. A context belongs to it and goes with it, so that nothing stays behind when it is closed.

    Args:
        address: ``tcp://host:port`` or ``ipc://path``.
        pattern: of the socket.
        bind: listen at the address; otherwise connect to it.
        curve: how peers prove who they are; None: they need not.
        notices: count what peers do.
        prepare: sets what must be set before the socket is attached.
        on_left: called, in another thread, with the descriptor of a connection that has ended.

    Raises:
        zmq.ZMQError: not now; nothing stays open.
    """

    socket: zmq.Socket[bytes]
    """Another one after each ``reopen``."""

    def __init__(
        self,
        address: str,
        *,
        pattern: str,
        bind: bool,
        curve: Curve | None,
        notices: Notices,
        prepare: Callable[[zmq.Socket[bytes]], None],
        on_left: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._pattern = pattern
        self._bind = bind
        self._curve = curve
        self._notices = notices
        self._prepare = prepare
        self._on_left = on_left
        self.endpoint = self._open(address)

    def keep(self) -> bool:
        """Cut off who came in and is not allowed any more; return whether somebody was.

        libzmq cannot cut off a single peer. All are, and those who may come back do so within half a second.
        """
        gone = self._door.revoked()
        if gone:
            self._notices.add("peer_revoked", f"{self.endpoint}: {', '.join(sorted(gone.values()))}")
            self.reopen()
        return bool(gone)

    @property
    def turned_away(self) -> bool:
        """Whether the one we connect to refuses our key; nothing will come until the link is opened anew."""
        return self._door.turned_away

    def reopen(self) -> None:
        """Let go of all peers, and of all that libzmq keeps of them; come back at the same address.

        Raises:
            zmq.ZMQError: not now; nothing stays open.
        """
        self.close()
        self._open(self.endpoint)

    def close(self, *, linger_s: float = 0.0) -> None:
        """Wait so long for the last messages to leave, then let go. Harmless when closed."""
        if not self.socket.closed:
            self.socket.linger = round(linger_s * 1000)
            answer_the_rest(self.socket)
        self._closing.close()

    def _open(self, address: str) -> str:
        """Return the endpoint."""
        with ExitStack() as closing:
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            closing.callback(context.destroy)  # with what a door that could not be hung left open
            self.socket = make_socket(context, self._pattern, address)
            closing.callback(self.socket.close)
            self._prepare(self.socket)
            if self._curve is not None:
                self._curve.lock(self.socket)
            self._door = Door(
                context,
                self.socket,
                address=address,
                allowed=self._curve.allowed if self._curve else None,
                notices=self._notices,
                on_left=self._on_left,
            )
            closing.callback(self._door.close)
            endpoint = attach(self.socket, address, bind=self._bind)
            self._closing = closing.pop_all()
        return endpoint
