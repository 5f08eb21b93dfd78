#!/usr/bin/python3
"""A real RTSP server on loopback, run by the system's own Python (GStreamer's bindings are no wheel).

    /test    a live test picture
    /stamp   frames that carry the time at which they were made, as a barcode: see `stamp`
    /clip    a film in real time, looped
    /push    takes H.264 from whoever pushes it
    /relay   what is pushed there, as it came

Prints ``READY <port>`` when it listens. Four traps are avoided on purpose: one x264 thread (sliced frames break FFmpeg
after each key frame), several server threads, media that is not shared (else a quick reconnect gets 503), and
I420 pictures.
"""

import argparse
import signal
import time
from collections.abc import Callable
from typing import Any

import gi  # type: ignore[import-not-found]  # only the system's Python has it

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")

from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402 - versions come first

Feed = Callable[[Any], Callable[[], None]]
"""Begins to push buffers into an appsrc, or to take them from an appsink, and returns what ends it."""

H264 = "video/x-h264,stream-format=byte-stream,alignment=au"
PAYLOAD = "rtph264pay name=pay0 pt=96 config-interval=-1"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", default="0")
    parser.add_argument("--clip", help="film for /clip")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument(
        "--digest", action="store_true", help="ask for the password in the digest way, not the basic one"
    )
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=180)
    parser.add_argument("--fps", type=int, default=25)
    return parser.parse_args()


class Server:
    """The server and its paths."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.raw = f"video/x-raw,format=I420,width={options.width},height={options.height},framerate={options.fps}/1"
        self.rtsp = GstRtspServer.RTSPServer(address="127.0.0.1", service=options.port)
        self.rtsp.get_thread_pool().set_max_threads(8)
        self.relays: list[Any] = []
        self.mount("/test", self.encoded("videotestsrc is-live=1 pattern=smpte"))
        self.mount("/stamp", self.encoded(self.appsrc(self.raw)), self.stamps)
        if options.clip:
            self.mount("/clip", self.encoded(self.appsrc(self.raw)), self.clip)
        self.mount("/push", f"rtph264depay name=depay0 ! h264parse ! {H264} ! appsink name=feed sync=0", self.pushed)
        self.mount("/relay", f"{self.appsrc(H264)} ! h264parse ! {PAYLOAD}", self.relay)
        if options.user:
            self.protect()

    def appsrc(self, caps: str) -> str:
        return f"appsrc name=feed is-live=1 do-timestamp=1 format=time caps={caps}"

    def encoded(self, source: str) -> str:
        encoder = (
            f"x264enc threads=1 tune=zerolatency speed-preset=ultrafast bitrate=2000 key-int-max={self.options.fps}"
        )
        return f"{source} ! {self.raw} ! {encoder} ! video/x-h264,profile=baseline ! {PAYLOAD}"

    def mount(self, path: str, pipeline: str, feed: Feed | None = None) -> None:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {pipeline} )")
        if path == "/push":
            factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
        factory.set_shared(False)
        factory.set_latency(0)
        if self.options.user:
            permissions = GstRtspServer.RTSPPermissions()
            for right in ("access", "construct"):
                permissions.add_permission_for_role("viewer", f"media.factory.{right}", True)  # noqa: FBT003 - their API
            factory.set_permissions(permissions)
        if feed:
            factory.connect("media-configure", lambda _, media: begin(media, feed))
        self.rtsp.get_mount_points().add_factory(path, factory)

    def protect(self) -> None:
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth = GstRtspServer.RTSPAuth()
        if self.options.digest:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(self.options.user, self.options.password, token)
        else:
            auth.add_basic(auth.make_basic(self.options.user, self.options.password), token)
        self.rtsp.set_auth(auth)

    def stamps(self, appsrc: Any) -> Callable[[], None]:
        def tick() -> bool:
            appsrc.emit("push-buffer", Gst.Buffer.new_wrapped(stamp(self.options.width, self.options.height)))
            return True

        timer = GLib.timeout_add(1000 // self.options.fps, tick)
        return lambda: GLib.source_remove(timer) and None

    def clip(self, appsrc: Any) -> Callable[[], None]:
        convert = f"decodebin ! videoconvert ! videoscale ! videorate ! {self.raw}"
        film = Gst.parse_launch(
            f'filesrc location="{self.options.clip}" ! {convert} ! appsink name=out emit-signals=1 max-buffers=2'
        )

        def forward(sink: Any) -> Any:
            buffer = sink.emit("pull-sample").get_buffer().copy()
            buffer.pts = buffer.dts = (
                Gst.CLOCK_TIME_NONE
            )  # appsrc stamps it anew, so that a loop does not go back in time
            appsrc.emit("push-buffer", buffer)
            return Gst.FlowReturn.OK

        film.get_by_name("out").connect("new-sample", forward)
        bus = film.get_bus()
        bus.add_signal_watch()
        bus.connect("message::eos", lambda *_: film.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, 0))
        film.set_state(Gst.State.PLAYING)
        return lambda: film.set_state(Gst.State.NULL) and None

    def pushed(self, appsink: Any) -> Callable[[], None]:
        def forward(sink: Any) -> Any:
            pushed = sink.emit("pull-sample").get_buffer()
            for appsrc in list(self.relays):
                buffer = pushed.copy()
                buffer.pts = buffer.dts = Gst.CLOCK_TIME_NONE  # the relay stamps it anew
                appsrc.emit("push-buffer", buffer)
            return Gst.FlowReturn.OK

        appsink.set_property("emit-signals", True)  # noqa: FBT003 - their API
        appsink.connect("new-sample", forward)
        return lambda: None

    def relay(self, appsrc: Any) -> Callable[[], None]:
        self.relays.append(appsrc)
        return lambda: self.relays.remove(appsrc)

    def run(self) -> None:
        if not self.rtsp.attach(None):
            raise SystemExit("cannot listen")
        loop = GLib.MainLoop()
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGTERM, loop.quit)
        GLib.timeout_add_seconds(2, self.forget_gone_clients)
        print("READY", self.rtsp.get_bound_port(), flush=True)  # noqa: T201 - the protocol of this tool
        loop.run()

    def forget_gone_clients(self) -> bool:
        self.rtsp.get_session_pool().cleanup()
        return True


def begin(media: Any, feed: Feed) -> None:
    end = feed(media.get_element().get_by_name("feed"))
    media.connect("unprepared", lambda _: end())


def stamp(width: int, height: int) -> bytes:
    """Return a gray I420 picture; in its upper half `time.monotonic()` in ms, 2 rows of 16 bits, the lowest first."""
    moment = int(time.monotonic() * 1000)
    rows = [
        b"".join((b"\xeb" if moment >> bit & 1 else b"\x10") * (width // 16) for bit in bits).ljust(width, b"\x80")
        for bits in (range(16), range(16, 32))
    ]
    gray = b"\x80" * (width * (height - 2 * (height // 4)) + width * height // 2)
    return b"".join(row * (height // 4) for row in rows) + gray


if __name__ == "__main__":
    Gst.init(None)
    Server(arguments()).run()
