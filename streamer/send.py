"""``deepmovie send``: any source published over ZeroMQ, as a camera to test with."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from threading import Event

from protocols.endpoints import Sink, Source
from protocols.errors import SourceError, TransportError
from protocols.frame import Frame, Rejected
from protocols.url import (
    Url,
    UrlError,
    asks_for_keys,
    is_exposed,
    parse_sink,
    parse_source,
    redact,
    sink_from,
    source_from,
)
from protocols.wire import Limits
from streamer.config import ConfigError, Input, Security
from streamer.edges import make_keyring
from streamer.interrupts import stop_on_signal

DEFAULT_FPS = 25.0


def send(
    source_url: str,
    sink_url: str,
    *,
    fps: float | None = None,
    name: str = "camera",
    frames: int | None = None,
    allow_insecure: bool = False,
    security: Security | None = None,
) -> int:
    """Send the frames of a source until it ends, until there were ``frames`` of them or until a signal comes.

    Args:
        fps: frames per second; None keeps the source's own times.
        security: our key, and who may receive the frames.

    Returns:
        The exit code: 0, or 69 (unavailable) when the source or the sink failed.

    Raises:
        ConfigError: a URL is not one, or would let other machines in without ``allow_insecure``.
    """
    security = security or Security()
    try:
        _refuse_strangers(parse_source(source_url), parse_sink(sink_url), security, allow_insecure=allow_insecure)
        source, sink = _ends(source_url, sink_url, security, name=name, fps=fps or DEFAULT_FPS)
    except UrlError as error:
        raise ConfigError(f"command line: {error}") from None
    progress = _Progress(f"{redact(source_url)} -> {redact(sink_url)}")
    failure = None
    with stop_on_signal() as stop:
        try:
            _send_all(islice(_paced(source, fps, stop), frames), sink, progress)
        except TransportError as error:
            failure = error
    progress.end()
    if failure is None:
        return 0
    side = "source" if isinstance(failure, SourceError) else "sink"
    print(f"deepmovie send: the {side} failed: {redact(str(failure))}", file=sys.stderr)  # noqa: T201 - for people
    return os.EX_UNAVAILABLE


def _refuse_strangers(source: Url, sink: Url, security: Security, *, allow_insecure: bool) -> None:
    has_key = security.key is not None
    for url in (source, sink):
        if is_exposed(url, has_key=has_key) and not allow_insecure:
            raise ConfigError(f"command line: {url} is open to other machines; expected --key or --allow-insecure")
    if sink.bind and asks_for_keys(sink, has_key=has_key) and security.viewers is None:
        raise ConfigError(f"command line: {sink} asks for keys, and nobody's is known; expected --viewers with --key")


def _ends(source_url: str, sink_url: str, security: Security, *, name: str, fps: float) -> tuple[Source, Sink]:
    usual = Input()
    limits = Limits(max_pixels=usual.max_pixels, max_message_bytes=usual.max_message_bytes)
    keyring = make_keyring(security)
    source = source_from(
        source_url,
        limits=limits,
        open_timeout_s=usual.open_timeout_s,
        stall_timeout_s=usual.stall_timeout_s,
        keyring=keyring,
    )
    return source, sink_from(sink_url, name=name, fps=fps, limits=limits, keyring=keyring)


def _send_all(frames: Iterable[Frame], sink: Sink, progress: "_Progress") -> None:
    sink.open()
    try:
        for frame in frames:
            sink.write(frame)
            progress.count()
    finally:
        sink.close()


def _paced(source: Source, fps: float | None, stop: Event) -> Iterator[Frame]:
    """Yield the frames in time: those of a file wait for it, those a live source has too many of are left out."""
    began = first_pts = 0.0
    sent = left_out = 0
    for frame in source.frames(stop):
        if isinstance(frame, Rejected):
            continue
        now = time.monotonic()
        if sent == 0:
            began, first_pts = now, frame.pts
        due = began + (sent / fps if fps else frame.pts - first_pts)
        if source.live and fps and now < due:
            left_out += 1
            continue
        if not source.live:
            if stop.wait(max(0.0, due - now)):
                return
            frame = replace(frame, captured_at=time.time(), received_at=time.monotonic())  # noqa: PLW2901 - the same one, now
        sent += 1
        yield replace(frame, dropped=frame.dropped + left_out)


class _Progress:
    """A line on standard error: kept up to date on a terminal, else only the last one."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._began = self._shown = time.monotonic()
        self._frames = 0

    def count(self) -> None:
        self._frames += 1
        if sys.stderr.isatty() and time.monotonic() - self._shown > 0.5:
            self._shown = time.monotonic()
            self._show(end="")

    def end(self) -> None:
        self._show(end="\n")

    def _show(self, *, end: str) -> None:
        elapsed_s = time.monotonic() - self._began
        rate = f"{self._frames} frames in {elapsed_s:.1f} s, {self._frames / max(elapsed_s, 1e-9):.1f} fps"
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{self._title}: {rate}", end=end, file=sys.stderr, flush=True)  # noqa: T201 - for people
