"""Frames to a media server: pushed over RTSP or RTMP, by a process that can be killed at any moment."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from protocols.errors import SinkError
from protocols.frame import Frame
from protocols.pusher import Order
from protocols.redaction import redact

END_PATIENCE_S = 1.0
_LONGEST_ANSWER_BYTES = 4096
_INHERITED = ("PATH", "HOME", "LANG", "LC_", "TZ", "LD_", "PYTHON", "SSL_CERT_", "CUDA_", "NVIDIA_")
"""The variables that the process sees begin so: nothing that may hold a secret of ours."""


class PushSink:
    """Encodes frames as H.264 and pushes them to a server, which hands them on to whoever watches.

    A frame is written when it is with the server, or at least with the kernel on its way there. A server that takes
    less than it is given thus makes ``write`` slow, and what came meanwhile gives way to newer frames in front of it.

    The connection lives in a process of its own (`protocols.pusher`), as it can hang. Pictures have one size as long as
    a connection lasts; a frame of another size begins a new one.

    Args:
        url: ``rtsp``, ``rtsps`` or ``rtmp``, with its password. Not ``rtmps``: there FFmpeg does not check whom it
            talks to.
        fps: frames per second to expect; only a hint, as frames are sent when they come.
        crf: quality, from 0 (lossless) to 51 (worst).
        bitrate: kbit/s to stay below, if there is a limit.
        connect_timeout_s: how long connecting may take, with the start of the process.
        stall_timeout_s: how long a frame may take, and how long the server may leave lying what was sent.
    """

    def __init__(
        self,
        url: str,
        *,
        fps: float,
        crf: int = 23,
        bitrate: int | None = None,
        connect_timeout_s: float = 8.0,
        stall_timeout_s: float = 3.0,
    ) -> None:
        self._url = url
        self._fps = fps
        self._crf = crf
        self._bitrate = bitrate
        self._connect_timeout_s = connect_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._shape: tuple[int, ...] | None = None
        self._pusher: _Pusher | None = None

    def __repr__(self) -> str:
        return f"PushSink({redact(self._url)!r})"

    @property
    def pid(self) -> int | None:
        """The number of the process that holds the connection, if there is one."""
        return self._pusher.pid if self._pusher else None

    def open(self) -> None:
        """Connect, if a frame has told what size the pictures have; else the first frame connects.

        Raises:
            SinkError: as `write`.
        """
        self.close()
        if self._shape:
            self._connect(self._shape)

    def write(self, frame: Frame) -> None:
        """Send one frame.

        Raises:
            SinkError: ``refused``, ``auth``, ``not_found``, ``open_timeout``, ``stalled``, ``eof`` or ``failed``.
        """
        pusher = self._pusher
        if pusher is None or frame.image.shape != self._shape:
            self.close()
            self._shape = frame.image.shape
            pusher = self._connect(self._shape)
        with self._killing(pusher):
            pusher.push(frame)

    def close(self) -> None:
        """Take leave of the server, if it lets us."""
        pusher, self._pusher = self._pusher, None
        if pusher:
            pusher.end()

    def _connect(self, shape: tuple[int, ...]) -> "_Pusher":
        height, width = shape[:2]
        order = Order(self._url, height, width, self._fps, self._crf, self._bitrate, self._stall_timeout_s)
        pusher = self._pusher = _Pusher(order)
        with self._killing(pusher):
            pusher.await_connection(self._connect_timeout_s)
        return pusher

    @contextmanager
    def _killing(self, pusher: "_Pusher") -> Iterator[None]:
        """Kill it if anything goes wrong."""
        try:
            yield
        except BaseException:
            self._pusher = None
            pusher.kill()
            raise


class _Pusher:
    """The process, seen from here."""

    def __init__(self, order: Order) -> None:
        self._where = redact(order.url)
        self._stall_timeout_s = order.stall_timeout_s
        self._talk, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "protocols.pusher"],  # what to do is told later: `ps` shows this
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a traceback would give the password away
                env={key: value for key, value in os.environ.items() if key.startswith(_INHERITED)},
                start_new_session=True,  # Ctrl-C is for us
            )
        self._order = order.encode()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def await_connection(self, timeout_s: float) -> None:
        """Return when it is connected."""
        self._ask(self._order, timeout_s, SinkError(f"{self._where}: no connection", reason="open_timeout"))

    def push(self, frame: Frame) -> None:
        """Return when the frame is on its way."""
        overdue = SinkError(f"{self._where}: the server takes no frames", reason="stalled")
        self._ask(frame.image.data.cast("B"), self._stall_timeout_s, overdue)

    def end(self) -> None:
        """Ask it to take leave and end, then make it."""
        self._talk.shutdown(socket.SHUT_WR)
        try:
            with suppress(subprocess.TimeoutExpired):  # a server that stands does not let it go
                self._process.wait(END_PATIENCE_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._talk.close()

    def _ask(self, message: bytes | memoryview, timeout_s: float, overdue: SinkError) -> None:
        """Send a message and return when it is answered well.

        Raises:
            SinkError: it is not; ``overdue`` if it takes too long.
        """
        deadline = time.monotonic() + timeout_s
        line = b""
        try:
            self._talk.settimeout(timeout_s)
            self._talk.sendall(message)
            while not line.endswith(b"\n"):
                self._talk.settimeout(max(1e-3, deadline - time.monotonic()))
                piece = self._talk.recv(_LONGEST_ANSWER_BYTES)
                if not piece:
                    raise ConnectionResetError
                line += piece
        except TimeoutError:
            raise overdue from None
        except ConnectionError:
            raise SinkError(f"{self._where}: the pushing process {self._fate()}", reason="failed") from None
        if answer := json.loads(line):
            raise SinkError(redact(f"{self._where}: {answer['error']}"), reason=answer["reason"])

    def _fate(self) -> str:
        self._process.kill()  # it closed its end: nothing else will come
        code = self._process.wait()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
