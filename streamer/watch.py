"""``deepmovie watch``: look at any stream, ours or another's, in numbers, and keep what came."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

import cv2

from protocols.endpoints import Source
from protocols.errors import SinkError, SourceError
from protocols.frame import Frame, Rejected
from protocols.grammar import SOCKETS
from protocols.url import UrlError, is_exposed, parse_source, redact, sink_from, source_from
from protocols.wire import Limits
from streamer.config import ConfigError, Input, Security
from streamer.edges import make_keyring
from streamer.interrupts import stop_on_signal
from streamer.tally import Tally

LINE_EVERY_S = 1.0
PICTURE = ".png"
_FPS = 25.0


class Keeper(Protocol):
    """What takes the frames."""

    def open(self) -> None: ...
    def write(self, frame: Frame) -> None: ...
    def close(self) -> None: ...


def watch(
    url: str,
    *,
    out: Path | None = None,
    frames: int | None = None,
    seconds: float | None = None,
    allow_insecure: bool = False,
    security: Security | None = None,
) -> int:
    """Watch a stream until it ends, until there were so many frames or seconds, or until a signal comes.

    Args:
        url: of the stream, as a source.
        out: where the frames go: a film, or a picture that shows the last one.
        frames: how many to watch.
        seconds: how long to watch.
        allow_insecure: take frames from other machines without a key.
        security: our key.

    Returns:
        The exit code: 0, or 69 (unavailable) when the stream or the file failed.

    Raises:
        ConfigError: the URL or the name of the file is wrong.
    """
    try:
        source = _source(url, security or Security(), allow_insecure=allow_insecure)
        keeper = _keeper(out)
    except UrlError as error:
        raise ConfigError(f"command line: {error}") from None
    if out is not None and out.suffix.lower() == PICTURE and frames is None and seconds is None:
        frames = 1
    tally, failure = Tally(), None
    # Where the source stamps frames itself, they are new whenever they come.
    with_age = parse_source(url).scheme in SOCKETS
    with stop_on_signal() as stop, _telling(tally, seconds, stop, with_age=with_age):
        try:
            _keep_all(_counted(source, tally, stop), frames, keeper)
        except (SourceError, SinkError) as error:
            failure = error
    whole, now = tally.whole, time.monotonic()
    _say(f"{redact(url)}: {whole.frames} frames in {now - whole.began:.1f} s: {whole.describe(now, with_age=with_age)}")
    if failure is None:
        return 0
    what = "stream" if isinstance(failure, SourceError) else "file"
    print(f"deepmovie watch: the {what} failed: {redact(str(failure))}", file=sys.stderr)  # noqa: T201 - for people
    return os.EX_UNAVAILABLE


def _source(url: str, security: Security, *, allow_insecure: bool) -> Source:
    parsed = parse_source(url)
    if is_exposed(parsed, has_key=security.key is not None) and not allow_insecure:
        raise ConfigError(f"command line: {parsed} is open to other machines; expected --key or --allow-insecure")
    usual = Input()
    return source_from(
        url,
        limits=Limits(max_pixels=usual.max_pixels, max_message_bytes=usual.max_message_bytes),
        open_timeout_s=usual.open_timeout_s,
        stall_timeout_s=usual.stall_timeout_s,
        keyring=make_keyring(security),
    )


def _keeper(out: Path | None) -> Keeper:
    if out is not None and out.suffix.lower() == PICTURE:
        return _LastPicture(out)
    return sink_from("null:" if out is None else str(out), name="watch", fps=_FPS, limits=Limits())


def _counted(source: Source, tally: Tally, stop: Event) -> Iterator[Frame]:
    for item in source.frames(stop):
        tally.count(item)
        if not isinstance(item, Rejected):
            yield item


def _keep_all(frames: Iterator[Frame], count: int | None, keeper: Keeper) -> None:
    keeper.open()
    try:
        for frame in islice(frames, count):
            keeper.write(frame)
    finally:
        keeper.close()


@contextmanager
def _telling(tally: Tally, seconds: float | None, stop: Event, *, with_age: bool) -> Iterator[None]:
    """Print a line each second, also while nothing comes; set ``stop`` when the time is over."""
    over = Event()

    def tell() -> None:
        began = time.monotonic()
        ends_at = began + seconds if seconds else float("inf")
        while not over.wait(max(0.0, min(LINE_EVERY_S, ends_at - time.monotonic()))):
            now = time.monotonic()
            _say(f"{now - began:4.0f} s: {tally.recent().describe(now, with_age=with_age)}")
            if now >= ends_at:
                stop.set()
                return

    thread = Thread(target=tell, name="telling")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class _LastPicture:
    """Keeps the last frame as a picture."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: Frame | None = None

    def open(self) -> None:
        if not self._path.parent.is_dir():
            raise SinkError(f"no folder {self._path.parent}", reason="disk")

    def write(self, frame: Frame) -> None:
        self._last = frame

    def close(self) -> None:
        if self._last is None:
            return
        _, data = cv2.imencode(PICTURE, cv2.cvtColor(self._last.image, cv2.COLOR_RGB2BGR))
        try:
            self._path.write_bytes(data.tobytes())
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror}", reason="disk") from error


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what the command was asked for
