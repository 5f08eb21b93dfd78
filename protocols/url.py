"""The URLs that name where frames come from and go to, and the one table from them to classes.

    rtsp://user:password@host/path   rtsps://   http://   https://    cameras on the network
    rtsp://user:password@host/path   rtsps://   rtmp://   rtmps://    servers to push to
    camera:0   /dev/video0                                            a camera on this machine
    movie.mp4   file:movie%231.mp4                                    a file; file: when its name needs escapes
    test:                                                             the built-in scene
    tcp://host:port   ipc://path                                      ZeroMQ: sub+connect in, pub+bind out
    rep+bind:tcp://127.0.0.1:5555                                     ZeroMQ: [sub|pull|rep|pub|push]+[bind|connect]:
    null:                                                             a sink that keeps nothing

Our options follow ``#``, as ``?`` belongs to the camera: ``rtsp://camera/live#transport=tcp#timeout=5s``.
"""

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from protocols.grammar import BINDS, SOCKETS, TCP, Url, UrlError, parse, read_options
from protocols.null import NullSink
from protocols.options import SINK_OPTIONS, SOURCE_OPTIONS
from protocols.redaction import redact

if TYPE_CHECKING:
    from protocols.endpoints import Sink, Source
    from protocols.wire import Limits
    from protocols.zeromq import Pattern, SinkPattern

__all__ = [
    "Url",
    "UrlError",
    "exposes_network",
    "parse",
    "parse_sink",
    "parse_source",
    "redact",
    "sink_from",
    "source_from",
]


def source_from(text: str, *, limits: "Limits", open_timeout_s: float, stall_timeout_s: float) -> "Source":
    """Return the source a URL names; nothing is opened yet.

    Raises:
        UrlError: it names none.
    """
    url = parse_source(text)
    options = read_options(url, SOURCE_OPTIONS[url.scheme])
    timeout_s = options.pop("timeout", None)
    open_timeout_s, stall_timeout_s = timeout_s or open_timeout_s, timeout_s or stall_timeout_s
    with _complaints_about(url):
        if url.scheme == "test":
            return _scene_source(options)
        if url.scheme in SOCKETS:
            return _zmq_source(url, options | {"limits": limits, "stall_timeout_s": stall_timeout_s})
        timeouts = {"open_timeout_s": open_timeout_s, "stall_timeout_s": stall_timeout_s}
        return _video_source(url, options | timeouts | {"limits": limits})


def sink_from(text: str, *, name: str, fps: float, limits: "Limits") -> "Sink":  # noqa: ARG001 - both ends are made alike
    """Return the sink a URL names; nothing is opened yet.

    Args:
        text: the URL.
        name: of the stream, unless the URL gives one.
        fps: of a file.
        limits: what a message may cost.

    Raises:
        UrlError: it names none.
    """
    url = parse_sink(text)
    options = read_options(url, SINK_OPTIONS[url.scheme])
    with _complaints_about(url):
        if url.scheme == "null":
            return NullSink()
        if url.scheme in SOCKETS:
            return _zmq_sink(url, {"name": name} | options)
        if url.scheme == "file":
            return _video_sink(url, options | {"fps": fps})
        return _push_sink(url, options | {"fps": fps})


def parse_source(text: str) -> Url:
    """Take the URL of a source apart, the pattern of its socket filled in; imports nothing heavy.

    Raises:
        UrlError: it is none, or one of a sink only.
    """
    url = _parse_end(text, SOURCE_OPTIONS, ("sub", "pull", "rep"))
    read_options(url, SOURCE_OPTIONS[url.scheme])
    return url


def parse_sink(text: str) -> Url:
    """Take the URL of a sink apart, the pattern of its socket filled in; imports nothing heavy.

    Raises:
        UrlError: it is none, or one of a source only.
    """
    url = _parse_end(text, SINK_OPTIONS, ("pub", "push"))
    read_options(url, SINK_OPTIONS[url.scheme])
    if url.scheme == "file" and not url.address.lower().endswith((".mp4", ".mov", ".mkv")):
        raise UrlError(f"expected a file to write that ends in .mp4, .mov or .mkv, got {url}")
    return url


def exposes_network(text: str) -> bool:
    """Return whether other machines could feed or watch a ZeroMQ address: nobody there is asked for a key."""
    try:
        url = parse(text)
    except UrlError:
        return False  # it cannot be opened either
    found = TCP.fullmatch(url.address)
    return found is not None and not _is_loopback(found[1].strip("[]"))


def _parse_end(text: str, schemes: Mapping[str, object], patterns: tuple[str, ...]) -> Url:
    """Return the URL of a source or of a sink, the pattern of its socket filled in."""
    url = parse(text)
    if url.scheme not in schemes or (url.pattern and url.pattern not in patterns):
        raise UrlError(f"expected one of {', '.join(schemes)}, with sockets of {' or '.join(patterns)}; got {url}")
    if url.scheme not in SOCKETS:
        return url
    pattern = url.pattern or patterns[0]
    bind = BINDS[pattern] if url.bind is None else url.bind
    found = TCP.fullmatch(url.address)
    if found and not bind and ("*" in found.groups() or int(found[2]) == 0):
        raise UrlError(f"expected a host and a port to connect to, got {url}")
    return dataclasses.replace(url, pattern=pattern, bind=bind)


@contextmanager
def _complaints_about(url: Url) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UrlError(f"{url}: {redact(str(error))}") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a name, an interface, *, or a short form such as 127.1
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


# -- the classes; each is loaded when a URL names it, so that `deepmovie check` answers at once -----------------------


def _scene_source(options: dict[str, Any]) -> "Source":
    from protocols.scene_source import SceneSource  # noqa: PLC0415 - see above

    return SceneSource(**options)


def _zmq_source(url: Url, options: dict[str, Any]) -> "Source":
    from protocols.zeromq import ZmqSource  # noqa: PLC0415 - see above

    return ZmqSource(url.address, pattern=cast("Pattern", url.pattern), bind=bool(url.bind), **options)


def _zmq_sink(url: Url, options: dict[str, Any]) -> "Sink":
    from protocols.zeromq import ZmqSink  # noqa: PLC0415 - see above

    return ZmqSink(url.address, pattern=cast("SinkPattern", url.pattern), bind=bool(url.bind), **options)


def _video_source(url: Url, options: dict[str, Any]) -> "Source":
    from protocols.video import VideoSource  # noqa: PLC0415 - see above

    kind: Any = url.scheme.removesuffix("s")
    live = options.get("pace", kind != "file")
    return VideoSource(url.address, kind=kind, live=live, **options)


def _video_sink(url: Url, options: dict[str, Any]) -> "Sink":
    from protocols.recording import VideoSink  # noqa: PLC0415 - see above

    return VideoSink(url.address, **options)


def _push_sink(url: Url, options: dict[str, Any]) -> "Sink":
    from protocols.push import PushSink  # noqa: PLC0415 - see above

    if timeout_s := options.pop("timeout", None):
        options |= {"connect_timeout_s": timeout_s, "stall_timeout_s": timeout_s}
    return PushSink(url.address, **options)
