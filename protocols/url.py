"""The URLs that name where frames come from and go to, and the one table from them to classes.

    rtsp://user:password@host/path   rtsps://   http://   https://    cameras on the network
    rtsp://user:password@host/path   rtsps://   rtmp://                servers to push to
    camera:0   /dev/video0                                            a camera on this machine, or a virtual one
    movie.mp4   file:movie%231.mp4                                    a file; file: when its name needs escapes
    rec/%Y-%m-%d_%H-%M-%S.mp4#segment=10m#keep=7d                     files without an end, of which the oldest go
    test:                                                             the built-in scene
    tcp://host:port   ipc://path                                      ZeroMQ: sub+connect in, pub+bind out
    rep+bind:tcp://127.0.0.1:5555                                     ZeroMQ: [sub|pull|rep|pair]+[bind|connect]: in,
                                                                      [pub|push|req|pair]+[bind|connect]: out
    null:                                                             a sink that keeps nothing

Our options follow ``#``, as ``?`` belongs to the camera: ``rtsp://camera/live#transport=tcp#timeout=5s``. With a key of
our own, ZeroMQ sockets that bind speak CURVE (unless ``#curve=no``), and those that connect and name the other end's
key: ``sub+connect:tcp://camera:5555#peer=/etc/deepmovie/camera.pub``.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from protocols.exposure import asks_for_keys, is_exposed
from protocols.grammar import BINDS, SOCKETS, TCP, Url, UrlError, parse, read_options
from protocols.null import NullSink
from protocols.options import SINK_OPTIONS, SOURCE_OPTIONS
from protocols.redaction import redact
from protocols.retention import names

if TYPE_CHECKING:
    from pathlib import Path

    from protocols.curve import Curve, Keyring
    from protocols.endpoints import Sink, Source
    from protocols.notices import Notices
    from protocols.wire import Limits
    from protocols.zeromq import Pattern, SinkPattern

__all__ = [
    "Url",
    "UrlError",
    "asks_for_keys",
    "is_exposed",
    "parse",
    "parse_sink",
    "parse_source",
    "redact",
    "sink_from",
    "source_from",
]


def source_from(
    text: str,
    *,
    limits: "Limits",
    open_timeout_s: float,
    stall_timeout_s: float,
    keyring: "Keyring | None" = None,
    notices: "Notices | None" = None,
) -> "Source":
    """Return the source a URL names; nothing is opened yet.

    Args:
        text: the URL.
        limits: what a message may cost.
        open_timeout_s: how long opening may take, unless the URL says.
        stall_timeout_s: how long it may be silent, unless the URL says.
        keyring: our key, and who may feed us over ZeroMQ; None: anybody.
        notices: count what ZeroMQ peers do.

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
            options["curve"] = _curve(url, options, keyring.for_source if keyring else None)
            options["notices"] = notices
            return _zmq_source(url, options | {"limits": limits, "stall_timeout_s": stall_timeout_s})
        timeouts = {"open_timeout_s": open_timeout_s, "stall_timeout_s": stall_timeout_s}
        return _video_source(url, options | timeouts | {"limits": limits})


def sink_from(
    text: str,
    *,
    name: str,
    fps: float,
    limits: "Limits",  # noqa: ARG001 - both ends are made alike
    keyring: "Keyring | None" = None,
    notices: "Notices | None" = None,
) -> "Sink":
    """Return the sink a URL names; nothing is opened yet.

    Args:
        text: the URL.
        name: of the stream, unless the URL gives one.
        fps: of a file.
        limits: what a message may cost.
        keyring: our key, and who may watch over ZeroMQ; None: anybody.
        notices: count what ZeroMQ peers do.

    Raises:
        UrlError: it names none.
    """
    url = parse_sink(text)
    options = read_options(url, SINK_OPTIONS[url.scheme])
    with _complaints_about(url):
        if url.scheme == "null":
            return NullSink()
        if url.scheme in SOCKETS:
            options["curve"] = _curve(url, options, keyring.for_sink if keyring else None)
            options["notices"] = notices
            return _zmq_sink(url, {"name": name} | options)
        if url.scheme == "camera":
            return _camera_sink(url)
        if url.scheme == "file":
            return _video_sink(url, options | {"fps": fps})
        return _push_sink(url, options | {"fps": fps})


def parse_source(text: str) -> Url:
    """Take the URL of a source apart, the pattern of its socket filled in; imports nothing heavy.

    Raises:
        UrlError: it is none, or one of a sink only.
    """
    url = _parse_end(text, SOURCE_OPTIONS, ("sub", "pull", "rep", "pair"))
    read_options(url, SOURCE_OPTIONS[url.scheme])
    return url


def parse_sink(text: str) -> Url:
    """Take the URL of a sink apart, the pattern of its socket filled in; imports nothing heavy.

    Raises:
        UrlError: it is none, or one of a source only.
    """
    url = _parse_end(text, SINK_OPTIONS, ("pub", "push", "req", "pair"))
    read_options(url, SINK_OPTIONS[url.scheme])
    if url.scheme == "file" and not url.address.lower().endswith((".mp4", ".mov", ".mkv")):
        raise UrlError(f"expected a file to write that ends in .mp4, .mov or .mkv, got {url}")
    if "keep" in url.options and "segment" not in url.options:
        raise UrlError(f"expected #segment=10m or so beside #keep, as one file has no part that could go; got {url}")
    if "segment" in url.options:
        with _complaints_about(url):
            names(Path(url.address))
    return url


def _parse_end(text: str, schemes: Mapping[str, object], patterns: tuple[str, ...]) -> Url:
    """Return the URL of a source or of a sink, the pattern of its socket filled in."""
    url = parse(text)
    if url.scheme not in schemes or (url.pattern and url.pattern not in patterns):
        raise UrlError(f"expected one of {', '.join(schemes)}, with sockets of {' or '.join(patterns)}; got {url}")
    if url.scheme not in SOCKETS:
        return url
    pattern = url.pattern or patterns[0]
    bind = BINDS.get(pattern) if url.bind is None else url.bind
    if bind is None:
        raise UrlError(f"expected {pattern}+bind: or {pattern}+connect:, got {url}")
    found = TCP.fullmatch(url.address)
    if found and not bind and ("*" in found.groups() or int(found[2]) == 0):
        raise UrlError(f"expected a host and a port to connect to, got {url}")
    return dataclasses.replace(url, pattern=pattern, bind=bind)


def _curve(url: Url, options: dict[str, Any], make: "Callable[[Path | None], Curve] | None") -> "Curve | None":
    """Return how peers of a socket prove who they are; takes the options of the URL that say so out of ``options``."""
    peer, _ = options.pop("peer", None), options.pop("curve", None)
    if make is None or not asks_for_keys(url, has_key=True):
        if peer:
            raise UrlError(f"{url}: expected a key of our own (security.key) with peer")
        return None
    if url.bind and peer:
        raise UrlError(f"{url}: peer is for sockets that connect; who may come to this one is in a folder of keys")
    return make(peer)


@contextmanager
def _complaints_about(url: Url) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UrlError(f"{url}: {redact(str(error))}") from None


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
    from protocols.segments import SegmentSink  # noqa: PLC0415 - see above

    segment_s = options.pop("segment", None)
    return SegmentSink(url.address, segment_s=segment_s, **options) if segment_s else VideoSink(url.address, **options)


def _camera_sink(url: Url) -> "Sink":
    from protocols.virtual_camera import VirtualCameraSink  # noqa: PLC0415 - see above

    return VirtualCameraSink(url.address)


def _push_sink(url: Url, options: dict[str, Any]) -> "Sink":
    from protocols.push import PushSink  # noqa: PLC0415 - see above

    if timeout_s := options.pop("timeout", None):
        options |= {"connect_timeout_s": timeout_s, "stall_timeout_s": timeout_s}
    return PushSink(url.address, **options)
