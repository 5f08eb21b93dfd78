"""The thread beside a socket: asked by libzmq who may come in (ZAP, RFC 27), told by it who was refused or left."""

import errno
import os
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from protocols.curve import ZAP_DOMAIN, AllowList
from protocols.keys import KEY_BYTES, PublicKeys
from protocols.notices import Notices

ZAP_ADDRESS = "inproc://zeromq.zap.01"
RESTART_S = 0.01

_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
_WATCHED = _REFUSED | zmq.EVENT_DISCONNECTED
_NEVER_SPOKE = {0, errno.EAGAIN, errno.ETIMEDOUT}


class Door:
    """Answers for a socket who may come in, and counts who may not and who leaves.

    libzmq lets nobody in while it gets no answer. So nobody comes in while this thread is down; it comes back at once,
    and who asked meanwhile is answered then.

    Args:
        context: of the socket.
        socket: not attached yet.
        address: for people.
        allowed: whose key is taken; None: the socket asks for none.
        notices: count what happens.
        on_left: called, in the thread of the door, with the descriptor of a connection that has ended.

    Raises:
        zmq.ZMQError: no more sockets.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        socket: zmq.Socket[bytes],
        *,
        address: str,
        allowed: AllowList | None,
        notices: Notices,
        on_left: Callable[[int], None],
    ) -> None:
        self._socket = socket
        self._address = address
        self._asks = allowed is not None
        self._allowed = allowed or AllowList()
        self._notices = notices
        self._on_left = on_left
        self._lock = Lock()
        self._admitted: PublicKeys = {}
        self._was_refused = False
        self.turned_away = False
        """The one we connect to refuses our key; libzmq does not try again."""
        self._closed = Event()
        # No REP: that takes no further question before it has answered, and the thread may end in between.
        self._zap = context.socket(zmq.ROUTER)
        if self._asks:
            self._zap.bind(ZAP_ADDRESS)
        self._monitor = socket.get_monitor_socket(_WATCHED | zmq.EVENT_MONITOR_STOPPED)
        self._thread = Thread(target=self._run, name="door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; must come before the socket is closed."""
        self._closed.set()
        self._socket.disable_monitor()
        self._thread.join()
        self._monitor.close()
        self._zap.close()

    def revoked(self) -> PublicKeys:
        """Return the keys that came in and are not allowed any more, with their names; they are forgotten here."""
        with self._lock:
            gone = {key: name for key, name in self._admitted.items() if key not in self._allowed.keys}
            self._admitted = {key: name for key, name in self._admitted.items() if key not in gone}
        return gone

    def _run(self) -> None:
        while not self._closed.is_set():
            began_at = time.monotonic()
            try:
                self._serve()
            except BaseException as error:  # noqa: BLE001 - whatever ends the thread, the door must be served again
                self._notices.add("zap_handler_down", f"{self._address}: {type(error).__name__}: {error}")
                # Soon, as who asks waits; but in no tight loop.
                self._closed.wait(max(0.0, began_at + RESTART_S - time.monotonic()))

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._zap, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._zap in ready:
                asker, empty, *request = self._zap.recv_multipart()
                self._zap.send_multipart([asker, empty, *self._answer(request)])
            if self._monitor in ready:
                message = recv_monitor_message(self._monitor)
                if message["event"] == zmq.EVENT_MONITOR_STOPPED:
                    return
                self._note(int(message["event"]), int(message["value"]))

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Return whether the peer may come in. Its key becomes its ``User-Id``, which each of its messages carries."""
        version, number, domain, address, _, mechanism, *credentials = request
        is_known = mechanism == b"CURVE" and domain == ZAP_DOMAIN and len(credentials) == 1
        if not is_known or len(credentials[0]) != KEY_BYTES:
            return [version, number, b"400", b"expected CURVE", b"", b""]
        key = z85.encode(credentials[0])
        if self._admit(key):
            return [version, number, b"200", b"", key, b""]
        who = f"{address.decode('ascii', 'replace')} with the public key {key.decode()}, which is not listed"
        self._notices.add("peer_auth_failed", f"{self._address}: {who}")
        return [version, number, b"400", b"not listed", b"", b""]

    def _admit(self, key: bytes) -> bool:
        name = self._allowed.keys.get(key)
        if name is None:
            return False
        with self._lock:
            self._admitted = {**self._admitted, key: name}
        # Between the two looks the list may have been replaced; then `revoked` sees the key, too.
        return key in self._allowed.keys

    def _note(self, event: int, value: int) -> None:
        """Count an event of the monitor. A refused peer gives two: why it was refused, and that it is gone."""
        if event == zmq.EVENT_DISCONNECTED:
            if not self._was_refused:
                self._notices.add("peer_disconnected", self._address)
            self._was_refused = False
            self._on_left(value)
            return
        self._was_refused = True
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            why = "said nothing" if value in _NEVER_SPOKE else os.strerror(value)
            self._notices.add("peer_handshake_timeout", f"{self._address}: a peer {why}")
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            self._notices.add("peer_auth_failed", f"{self._address}: {_protocol_error(value)}")
        elif not self._asks:  # else it was counted when it was answered, with the key
            self.turned_away = True
            self._notices.add("peer_auth_failed", f"{self._address}: our own key is refused ({value})")


def _protocol_error(value: int) -> str:
    if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return "a peer with another security mechanism (CURVE is asked for, or none)"
    if value == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
        return "a peer that expects another server key"
    return f"a peer that breaks the protocol of ZeroMQ ({value:#x})"
