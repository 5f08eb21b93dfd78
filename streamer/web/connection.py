"""One connection: its head comes within 5 s, and who does not read for 5 s is cut."""

import asyncio
import sys
from asyncio import BaseTransport, TimerHandle, Transport
from collections.abc import Callable
from typing import cast

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from streamer.web.door import MAX_CONNECTIONS, MAX_SURPLUS, Door

HEAD_S = 5.0
STUCK_S = 5.0


class Stuck:
    """Cuts a connection whose peer takes nothing of what waits for it."""

    def __init__(self, transport: Transport, *, on_cut: Callable[[], object]) -> None:
        self._transport = transport
        self._on_cut = on_cut
        self._timer: TimerHandle | None = None

    def begin(self) -> None:
        """Something waits."""
        self.end()
        size = self._transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(STUCK_S, self._look, size)

    def end(self) -> None:
        """Nothing waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def is_running(self) -> bool:
        """Whether something waits."""
        return self._timer is not None

    def abort(self) -> None:
        """Throw away what waits, and close."""
        self._transport.abort()

    def _look(self, size: int) -> None:
        if self._transport.get_write_buffer_size() < size:
            self.begin()
            return
        self._on_cut()
        self.abort()


class Watched(asyncio.Protocol):
    """A connection whose peer must read. A subclass names its ``door``."""

    door: Door
    client: tuple[str, int] | None
    _stuck: Stuck | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin to look whether the peer reads."""
        transport = cast(Transport, transport)
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=1, low=0)  # what the kernel does not take at once makes us wait
        client = self.client[0] if self.client else ""
        self._stuck = Stuck(transport, on_cut=lambda: self.door.cut_off(client))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._moves()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer does not take what we send."""
        super().pause_writing()
        if self._stuck is not None:
            self._stuck.begin()

    def resume_writing(self) -> None:
        """It took it."""
        self._moves()
        super().resume_writing()

    def abort_if_stuck(self) -> None:
        """Do not wait for a peer who does not read: the daemon ends."""
        if self._stuck is not None and self._stuck.is_running:
            self._stuck.abort()

    def _moves(self) -> None:
        if self._stuck is not None:
            self._stuck.end()


class Connection(Watched, H11Protocol):
    """HTTP."""

    _head_timer: TimerHandle | None = None

    @staticmethod
    def count_viewers() -> int:
        """Return how many of the connections are viewers; a subclass knows."""
        raise NotImplementedError

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin to wait for the head; more connections than there may be are told so, many more are closed."""
        super().connection_made(transport)
        surplus = len(self.connections) - self.count_viewers() - MAX_CONNECTIONS
        if surplus > MAX_SURPLUS:
            self.door.reject("connections")
            self.transport.abort()
            return
        if surplus > 0:
            self.app_state = {**self.app_state, "surplus": True}
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Go on with the head, or be done with it."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_timer is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Tell what is wrong with a request that is none."""
        self.door.reject("malformed")
        error = sys.exception()
        too_long = isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431
        super().send_400_response("the head is too long" if too_long else msg)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._too_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        self.door.reject("slow_head")
        self.transport.abort()


class LiveConnection(Watched, WebSocketsSansIOProtocol):
    """A WebSocket; it takes over from a `Connection`."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send, and return when the peer took it: what is sent next is then the newest."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # refused; uvicorn takes that for a mistake of ours and logs it
        await self.writable.wait()
