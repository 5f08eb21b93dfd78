"""The process that holds the connection of a `PushSink`: ``python -m protocols.pusher``, told what to do on its socket.

While FFmpeg connects it keeps the interpreter to itself and knows no time limit, so this must not happen in a process
that does anything else. Standard input is a socket. On it comes an `Order`, then picture after picture, each a raw
block of RGB; each is answered by a line of JSON: ``{}`` when it is with the server, or what went wrong, after which
this process ends. It ends with the one who started it, too, however that one ends.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from io import BufferedReader
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from numpy.typing import NDArray

from protocols.encoding import HARDWARE, SOFTWARE, TICKS, Converter, add_stream, working_encoder

FAILURES = (FFmpegError, OSError, ValueError)
KEY_FRAME_EVERY_S = 2.0
"""How long who begins to watch waits for a picture at most, also while frames come slowly."""
UNSENT_MAX_BYTES = 32 * 1024

_PR_SET_PDEATHSIG = 1
_FORMATS = {"rtsp": "rtsp", "rtsps": "rtsp", "rtmp": "flv"}
_REASONS = {
    errno.ECONNREFUSED: ("refused", "the server refuses the connection"),
    errno.ETIMEDOUT: ("stalled", "the server took nothing for too long"),
    errno.EPIPE: ("eof", "the server closed the connection"),
    errno.ECONNRESET: ("eof", "the server closed the connection"),
}


@dataclass(frozen=True, slots=True)
class Order:
    """What to push, and where to."""

    url: str = field(repr=False)
    """With its password."""
    height: int
    width: int
    fps: float
    """Only a hint: frames are sent when they come."""
    crf: int
    """Quality, from 0 to 51 (worst)."""
    bitrate: int | None
    """Most kbit/s."""
    stall_timeout_s: float
    """How long the server may leave lying what was sent."""

    def encode(self) -> bytes:
        """Return it as a line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Return what a line says."""
        return cls(**json.loads(line))


def main() -> None:
    """Push until the other end of standard input is closed."""
    end_with_parent()
    with socket.socket(fileno=0) as parent, parent.makefile("rb") as given:
        line = given.readline()
        if not line:
            return  # whom we work for has gone already
        order = Order.decode(line)
        answer: dict[str, str] = {}
        try:
            for _ in _pushed(order, _pictures(given, order)):
                parent.sendall(b"{}\n")
        except FAILURES as error:
            answer = _complaint(error)
        if answer:
            parent.sendall(json.dumps(answer).encode() + b"\n")


def end_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends, and leave signals to that one."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _pictures(given: BufferedReader, order: Order) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures as they come, until no more do."""
    picture = np.empty((order.height, order.width, 3), np.uint8)
    while given.readinto(picture.data.cast("B")) == picture.nbytes:
        yield picture


def _pushed(order: Order, pictures: Iterator[NDArray[np.uint8]]) -> Iterator[None]:
    """Connect, then send the pictures; yield when connected, and after each picture."""
    fps = Fraction(order.fps).limit_denominator(1001)
    shape = (order.height, order.width, 3)
    options = _encoding(order)
    encoder = working_encoder(shape, fps, options)
    scheme = order.url.partition(":")[0].lower()
    connecting = {"rtsp_transport": "tcp", "tls_verify": "1"} if _FORMATS[scheme] == "rtsp" else {}
    with closing(av.open(order.url, "w", format=_FORMATS[scheme], options=connecting)) as container:
        stream = add_stream(container, encoder, shape, fps, options[encoder])
        container.start_encoding()
        guard_connections(order.stall_timeout_s)
        yield
        convert, began, last, key_frame_due = Converter(), time.monotonic(), -TICKS, 0.0
        for picture in pictures:
            now = time.monotonic()
            frame = convert(picture)
            # Some servers count in milliseconds, and no two frames may have the same time.
            last = max(last + TICKS // 1000, round((now - began) * TICKS))
            frame.pts, frame.time_base = last, Fraction(1, TICKS)
            if now >= key_frame_due:
                frame.pict_type = PictureType.I
                key_frame_due = now + KEY_FRAME_EVERY_S
            container.mux(stream.encode(frame))
            yield


def _encoding(order: Order) -> dict[str, dict[str, str]]:
    """Return the options of each encoder, the best first."""
    limit = {"maxrate": f"{order.bitrate}k", "bufsize": f"{order.bitrate}k"} if order.bitrate else {}
    quick = "sliced-threads=0:repeat-headers=1"  # slices are damage to many a receiver
    return {
        HARDWARE: {"preset": "p1", "tune": "ull", "rc": "vbr", "cq": str(order.crf), "forced-idr": "1", "delay": "0"}
        | limit,
        SOFTWARE: {"preset": "ultrafast", "tune": "zerolatency", "crf": str(order.crf), "x264-params": quick} | limit,
    }


def guard_connections(stall_timeout_s: float) -> None:
    """Have the kernel break a connection whose peer takes nothing for so long, and queue little that has not left.

    FFmpeg does neither: a frozen server would go unnoticed until megabytes wait for it, and on a slow line pictures
    would come later and later, where they should become fewer. What it connected is found among our open files.
    """
    for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        try:
            is_socket = stat.S_ISSOCK(os.fstat(number).st_mode)
        except OSError:
            continue  # the listing's own, closed by now
        if not is_socket:
            continue
        connection = socket.socket(fileno=number)
        try:
            if connection.family in (socket.AF_INET, socket.AF_INET6):
                milliseconds = round(stall_timeout_s * 1000)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_MAX_BYTES)
        finally:
            connection.detach()  # it stays FFmpeg's


def _complaint(error: Exception) -> dict[str, str]:
    """Return what to say about an error of FFmpeg, whose own text would give passwords away."""
    reason, text = _REASONS.get(getattr(error, "errno", None) or 0, ("failed", type(error).__name__))
    if reason == "failed":
        text = getattr(error, "strerror", None) or text
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        reason = "auth"
    elif isinstance(error, av.error.HTTPNotFoundError):
        reason = "not_found"
    return {"reason": reason, "error": text}


if __name__ == "__main__":
    main()
