"""URLs: what each means, and that a wrong one is told what was expected."""

import threading
from pathlib import Path
from typing import Any

import pytest

from protocols.frame import Frame
from protocols.null import NullSink
from protocols.options import keep, span
from protocols.push import PushSink
from protocols.recording import VideoSink
from protocols.retention import Keep
from protocols.scene_source import SceneSource
from protocols.segments import SegmentSink
from protocols.url import Url, UrlError, is_exposed, parse, sink_from, source_from
from protocols.virtual_camera import VirtualCameraSink
from protocols.wire import Limits
from protocols.zeromq import ZmqSink, ZmqSource

LIMITS = Limits(max_pixels=10_000)


def source(text: str) -> Any:
    return source_from(text, limits=LIMITS, open_timeout_s=5.0, stall_timeout_s=3.0)


def sink(text: str) -> Any:
    return sink_from(text, name="painted", fps=10.0, limits=LIMITS)


# -- the grammar ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("rtsp://u:p@cam:554/live?x=1#transport=tcp#timeout=5s",
         Url("rtsp", "rtsp://u:p@cam:554/live?x=1", options={"transport": "tcp", "timeout": "5s"})),
        ("RTSPS://cam", Url("rtsps", "RTSPS://cam")),
        ("rtmp://u:p@h/app/key", Url("rtmp", "rtmp://u:p@h/app/key")),
        ("http://[::1]:8080/mjpeg", Url("http", "http://[::1]:8080/mjpeg")),
        ("https://cam/x", Url("https", "https://cam/x")),
        ("camera:2#size=640x480", Url("camera", "/dev/video2", options={"size": "640x480"})),
        ("camera:/dev/v4l/by-id/x", Url("camera", "/dev/v4l/by-id/x")),
        ("/dev/video0", Url("camera", "/dev/video0")),
        ("test:", Url("test", "")),
        ("null:", Url("null", "")),
        ("movie.mp4#loop=yes", Url("file", "movie.mp4", options={"loop": "yes"})),
        ("/a/b c.mkv", Url("file", "/a/b c.mkv")),
        ("./a:b.mp4", Url("file", "./a:b.mp4")),
        ("file:a%23b.mp4", Url("file", "a#b.mp4")),
        ("file:///a/b.mp4", Url("file", "/a/b.mp4")),
        ("tcp://127.0.0.1:5555", Url("tcp", "tcp://127.0.0.1:5555")),
        ("tcp://[::1]:5555", Url("tcp", "tcp://[::1]:5555")),
        ("ipc:///run/x", Url("ipc", "ipc:///run/x")),
        ("ipc://@x", Url("ipc", "ipc://@x")),
        ("rep+bind:tcp://*:5555", Url("tcp", "tcp://*:5555", "rep", bind=True)),
        ("sub+connect:ipc:///x#topic=a", Url("ipc", "ipc:///x", "sub", bind=False, options={"topic": "a"})),
        ("push:tcp://h:1", Url("tcp", "tcp://h:1", "push", bind=False)),
        ("pull:tcp://h:1", Url("tcp", "tcp://h:1", "pull", bind=True)),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart(text: str, url: Url) -> None:
    assert parse(text) == url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected rtsp://"),
        ("gopher://x", "expected rtsp://"),
        ("rtsq://user:hunter2@cam", "expected rtsp://"),
        ("a:b.mp4", "expected rtsp://"),
        ("rtsp:", "expected rtsp://host"),
        ("rtsp://", "expected rtsp://host"),
        ("rtsp:///live", "expected rtsp://host"),
        ("rtsp://u:hunter2@", "expected rtsp://host"),
        ("rtsp://cam:0/x", "expected rtsp://host"),
        ("rtsp://cam:99999/x", "expected rtsp://host"),
        ("rtsp://u:hunter2/x@cam:1x", "expected rtsp://host"),
        ("rtsp://u:hunter2 x@cam", "write %20"),
        ("rtsp://u:hunter2#x@cam", "write %23"),
        ("rtsp://u:x#hunter2=1@cam", "write %23"),
        ("rtsp://u:hunter2@[cam/x", "expected rtsp://host"),
        ("rtsp://cam\n/x", "printable"),
        ("tcp://host", "expected tcp://host:port"),
        ("tcp://host:x", "expected tcp://host:port"),
        ("tcp://host:99999", "expected tcp://host:port"),
        ("tcp://127.0.0.1;10.0.0.1:5555", "expected tcp://host:port"),
        ("tcp://u:hunter2@host:5555", "expected tcp://host:port"),
        ("tcp:/host:1", "expected tcp://host:port"),
        ("ipc://", "expected ipc://path"),
        ("ipc://" + "x" * 200, "expected ipc://path"),
        ("sub+bind:rtsp://cam", "expected rtsp://"),
        ("dealer:tcp://h:1", "expected rtsp://"),
        ("sub+listen:tcp://h:1", "expected rtsp://"),
        ("sub+bind:pub+bind:tcp://h:1", "expected rtsp://"),
        ("test:x", "expected nothing"),
        ("null:x", "expected nothing"),
        ("camera:", "expected camera:0"),
        ("camera:front", "expected camera:0"),
        ("file:", "expected a path"),
        ("file:%00", "expected a path"),
        ("test:#", "#name=value"),
        ("test:#fps", "#name=value"),
        ("test:#fps=1#fps=2", "each once"),
        ("test:#crf=1", "expected the options size, fps, frames, live"),
        ("null:#x=1", r"expected the options \(none\)"),
        ("rtsp://u:hunter2@cam#nonsense=1", "expected the options transport, timeout"),
        ("rtsp://cam#token=hunter2", "expected the options transport, timeout"),
        ("rtsp://cam#transport=sctp", "transport must be tcp or udp"),
        ("rtsp://cam#timeout=5m", "timeout must be a time from 100ms"),
        ("rtsp://cam#timeout=0s", "timeout must be a time from 100ms"),
        ("test:#size=8x9", "size must be a size such as 640x480"),
        ("test:#size=640", "size must be a size such as 640x480"),
        ("test:#size=99999x99999", "size must be a size such as 640x480"),
        ("test:#fps=0", "fps must be a number from 0.01 to 1000"),
        ("test:#fps=nan", "fps must be a number from 0.01 to 1000"),
        ("test:#fps=1e9", "fps must be a number from 0.01 to 1000"),
        ("test:#frames=-1", "frames must be an integer from 1"),
        ("test:#live=maybe", "live must be yes or no"),
        ("x.mp4#crf=52", "crf must be an integer from 0 to 51"),
        ("x.mp4#loop=1", "loop must be yes or no"),
        ("tcp://h:1#format=png", "format must be raw or jpeg or netgear"),
        ("tcp://h:1#quality=101", "quality must be an integer from 1 to 100"),
        ("tcp://h:1#topic=", "topic must be 1 to 30 letters"),
    ],
)
def test_a_wrong_url_is_told_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(UrlError, match=expected) as caught:
        parse(text)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_url_as_text_holds_no_password_and_can_be_read_again() -> None:
    url = parse("rtsp://user:hunter2@cam/live#transport=tcp")
    assert str(url) == "rtsp://***@cam/live#transport=tcp"
    assert "hunter2" not in repr(url)
    for text in ["rep+bind:tcp://*:5555", "sub+connect:ipc:///x#topic=a", "test:#fps=5", "null:", "/dev/video0"]:
        assert str(parse(text)) == text


# -- from URL to class ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pattern", "bind"),
    [
        ("tcp://127.0.0.1:5555", "sub", False),
        ("ipc:///tmp/x", "sub", False),
        ("sub+bind:tcp://127.0.0.1:5555", "sub", True),
        ("rep:tcp://127.0.0.1:*", "rep", True),
        ("pull+connect:tcp://127.0.0.1:5555", "pull", False),
    ],
)
def test_a_zmq_url_becomes_a_source(text: str, pattern: str, *, bind: bool) -> None:
    made = source(text)
    assert isinstance(made, ZmqSource)
    assert (made.pattern, made.bind, made.limits, made.stall_timeout_s) == (pattern, bind, LIMITS, 3.0)
    assert text.endswith(made.address)


@pytest.mark.parametrize(
    ("text", "pattern", "bind"),
    [
        ("tcp://127.0.0.1:5556", "pub", True),
        ("pub+connect:tcp://127.0.0.1:5556", "pub", False),
        ("push:tcp://127.0.0.1:5556", "push", False),
        ("push+bind:tcp://127.0.0.1:0", "push", True),
    ],
)
def test_a_zmq_url_becomes_a_sink(text: str, pattern: str, *, bind: bool) -> None:
    made = sink(text)
    assert isinstance(made, ZmqSink)
    assert (made.pattern, made.bind, made.name, made.format, made.quality) == (pattern, bind, "painted", "raw", 90)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp"])
def test_a_server_becomes_a_sink_that_shows_no_password(scheme: str) -> None:
    made = sink(f"{scheme}://u:hunter2@host/app/name#crf=30#bitrate=800#timeout=4s")
    assert isinstance(made, PushSink)
    assert repr(made) == f"PushSink('{scheme}://***@host/app/name')"


def test_a_recording_without_an_end_is_a_sink() -> None:
    made = sink("rec/%Y-%m-%d_%H-%M-%S.mp4#segment=10m#keep=7d,20GB")
    assert isinstance(made, SegmentSink)
    assert isinstance(sink("rec/100%.mp4"), VideoSink)
    assert [span(text) for text in ("90s", "10m", "1h", "7d")] == [90, 600, 3600, 7 * 86400]
    assert keep("7d") == Keep(age_s=7 * 86400)
    assert keep("20GB,7d") == Keep(age_s=7 * 86400, size_bytes=20e9)


def test_a_device_is_a_virtual_camera() -> None:
    assert isinstance(sink("/dev/video7"), VirtualCameraSink)


def test_options_reach_their_class() -> None:
    assert source("tcp://h:1#topic=cam1#timeout=500ms").topic == "cam1"
    assert source("tcp://h:1#topic=cam1#timeout=500ms").stall_timeout_s == 0.5
    made = sink("tcp://127.0.0.1:1#format=jpeg#quality=75#name=front")
    assert (made.format, made.quality, made.name) == ("jpeg", 75, "front")


def test_the_built_in_scene_is_a_source() -> None:
    made = source("test:#size=64x48#fps=50#frames=3#live=no")
    assert isinstance(made, SceneSource)
    frames = list(made.frames(threading.Event()))
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 3
    assert frames[1].pts == pytest.approx(0.02)
    assert not made.live


def test_the_null_sink_takes_every_frame() -> None:
    made = sink("null:")
    assert isinstance(made, NullSink)
    made.open()
    made.write(next(iter(source("test:#size=64x48#live=no").frames(threading.Event()))))
    made.close()


@pytest.mark.parametrize(
    "text",
    ["null:", "rtmp://host/app/name", "rtsp://cam#crf=20",
     "pub:tcp://h:1", "tcp://*:5555", "tcp://h:0", "tcp://h:*", "rep:tcp://h:1#topic=x", "x.mp4#crf=1",
     "tcp://h:1#format=raw", "tcp://h:1#topic=äöüäöüäöüä"],
)  # fmt: skip
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(UrlError):
        source(text)


@pytest.mark.parametrize(
    "text",
    [
        "test:",
        "http://host/x",
        "rtsp://host/x#transport=udp",
        "rtmp://host/x#crf=52",
        "rtmp://host/x#bitrate=1",
        "rtmps://host/x",
        "camera:0#size=64x48",
        "x.mp4#keep=7d",
        "x.mp4#segment=1w",
        "x.mp4#segment=10m#keep=7d,8d",
        "x.mp4#segment=10m#keep=20",
        "rec/%Y/x.mp4#segment=10m",
        "rec/%B.mp4#segment=10m",
        "sub:tcp://h:1",
        "push:tcp://*:5",
        "x.avi",
        "x.mp4#loop=yes",
        "tcp://h:1#topic=x",
    ],
)
def test_what_is_no_sink_is_refused(text: str) -> None:
    with pytest.raises(UrlError):
        sink(text)


def test_a_name_that_no_header_can_carry_is_a_wrong_url() -> None:
    with pytest.raises(UrlError, match="name"):
        sink_from("tcp://127.0.0.1:1", name="x" * 600, fps=10.0, limits=LIMITS)


def test_a_file_becomes_a_source_and_a_sink(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    writer = sink(f"{path}#crf=30")
    writer.open()
    frames = list(source("test:#size=64x48#frames=5#live=no").frames(threading.Event()))
    for frame in frames:
        writer.write(frame)
    writer.close()
    reader = source(str(path))
    assert not reader.live
    assert source(f"{path}#pace=yes").live
    assert len([item for item in reader.frames(threading.Event()) if isinstance(item, Frame)]) == 5


@pytest.mark.parametrize(
    "text",
    ["rtsp://u:p@cam/live#transport=udp#timeout=4s", "rtsps://cam", "http://cam/mjpeg", "https://cam#timeout=9s",
     "camera:0#size=640x480#fps=30"],
)  # fmt: skip
def test_a_camera_becomes_a_live_source(text: str) -> None:
    assert source(text).live


# -- who can reach it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["tcp://0.0.0.0:1", "tcp://*:1", "tcp://10.0.0.7:1", "tcp://camera.lan:1", "tcp://eth0:1", "tcp://[::]:1",
     "tcp://[fe80::1%eth0]:1", "tcp://[::ffff:10.0.0.1]:1", "sub+bind:tcp://*:1", "pub+connect:tcp://example.com:1",
     "tcp://localhost.evil.com:1", "tcp://127.0.0.1.evil.com:1", "tcp://2130706433:1"],
)  # fmt: skip
def test_an_address_that_others_can_reach_is_exposed(text: str) -> None:
    assert is_exposed(parse(text))


@pytest.mark.parametrize(
    "text",
    ["tcp://127.0.0.1:1", "tcp://127.9.9.9:1", "tcp://localhost:1", "tcp://[::1]:1", "tcp://[::ffff:127.0.0.1]:1",
     "rep+bind:tcp://127.0.0.1:*", "ipc:///run/x", "rtsp://camera.lan/x", "test:", "movie.mp4"],
)  # fmt: skip
def test_an_address_that_others_cannot_reach_is_not(text: str) -> None:
    assert not is_exposed(parse(text))
