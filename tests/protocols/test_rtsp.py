"""The RTSP source against a real server: it plays, and it says in time and in words what went wrong."""

import itertools
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from protocols.errors import SourceError
from protocols.frame import Frame
from protocols.video import VideoSource
from tests import clips
from tests.rtsp_server import RtspServer, read_stamp


def rtsp(url: str, *, open_timeout_s: float = 5, stall_timeout_s: float = 3) -> VideoSource:
    return VideoSource(url, kind="rtsp", live=True, open_timeout_s=open_timeout_s, stall_timeout_s=stall_timeout_s)


def take(source: VideoSource, count: int) -> list[Frame]:
    """Return the first frames, and close the stream."""
    stop = threading.Event()
    frames = source.frames(stop)
    taken = [item for item in itertools.islice(frames, count) if isinstance(item, Frame)]
    stop.set()
    assert list(frames) == []
    return taken


def failure(source: VideoSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        list(source.frames(threading.Event()))
    return caught.value


def readers() -> int:
    return sum(thread.name == "video-reader" for thread in threading.enumerate())


@contextmanager
def scripted(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that treats each connection as told; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return  # the listener was closed
                with peer:
                    answer(peer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def impostor(folder: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Run a TLS server whose certificate nobody has signed; yield its port and what it was told."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[bytes] = []

    def greet(peer: socket.socket) -> None:
        try:
            with context.wrap_socket(peer, server_side=True) as safe:
                heard.append(safe.recv(4096))
        except OSError:
            return  # the other side did not believe us

    with scripted(greet) as port:
        yield port, heard


def test_a_film_arrives_in_order_and_in_real_time() -> None:
    with RtspServer(clip=clips.path("bikes"), size=(320, 136)) as server:
        frames = take(rtsp(server.url("clip")), 40)
    assert [frame.sequence for frame in frames] == list(range(40))
    assert {frame.image.shape for frame in frames} == {(136, 320, 3)}
    assert len({frame.epoch for frame in frames}) == 1
    assert np.ptp([frame.pts - frame.received_at for frame in frames]) < 0.5
    assert np.std(frames[-1].image) > 20


def test_frames_are_young_when_they_arrive() -> None:
    with RtspServer() as server:
        frames = take(rtsp(server.url("stamp")), 60)
    ages = [frame.received_at - read_stamp(frame.image) for frame in frames[5:]]
    assert min(ages) > -0.002
    assert np.median(ages) < 0.2, "three frames or more are held somewhere"


def test_the_same_source_can_be_read_again_as_a_new_epoch() -> None:
    with RtspServer() as server:
        source = rtsp(server.url("test"))
        first, second = take(source, 2), take(source, 2)
    assert first[0].epoch != second[0].epoch
    assert second[0].sequence == 0


def test_a_killed_server_is_noticed_at_once() -> None:
    with RtspServer() as server:
        frames = rtsp(server.url("test")).frames(threading.Event())
        for _ in range(10):
            next(frames)
        server.kill()
        began = time.monotonic()
        with pytest.raises(SourceError) as caught:
            list(frames)
    assert caught.value.reason == "eof"
    assert time.monotonic() - began < 0.5


def test_a_frozen_server_is_noticed_when_the_stall_timeout_is_over() -> None:
    with RtspServer() as server:
        frames = rtsp(server.url("test"), stall_timeout_s=1).frames(threading.Event())
        for _ in range(10):
            next(frames)
        server.freeze()
        began = time.monotonic()
        with pytest.raises(SourceError) as caught:
            list(frames)
    assert caught.value.reason == "stalled"
    assert 1 <= time.monotonic() - began < 1.2
    assert readers() == 0


def test_stopping_does_not_wait_for_a_silent_server() -> None:
    with RtspServer() as server:
        stop = threading.Event()
        frames = rtsp(server.url("test"), stall_timeout_s=4).frames(stop)
        next(frames)
        server.freeze()
        threading.Timer(0.5, stop.set).start()
        began = time.monotonic()
        list(frames)
        assert time.monotonic() - began < 1.5


def test_a_camera_that_comes_back_is_read_again() -> None:
    with RtspServer() as server:
        source = rtsp(server.url("test"))
        assert take(source, 3)
    assert failure(source).reason == "refused"
    with RtspServer(port=server.port):
        assert take(source, 3)


def hold(peer: socket.socket) -> None:
    """Take what comes and never answer."""
    while peer.recv(4096):
        pass


def drip(peer: socket.socket) -> None:
    """Answer one byte every 0.3 s until the other side has enough."""
    never = threading.Event()
    try:
        for byte in itertools.cycle(b"RTSP/1.0 200 OK\r\nX: "):
            peer.send(bytes([byte]))
            never.wait(0.3)
    except OSError:
        return


@pytest.mark.parametrize("answer", [hold, drip])
def test_a_server_that_does_not_answer_in_time_is_given_up(answer: Callable[[socket.socket], None]) -> None:
    with scripted(answer) as port:
        began = time.monotonic()
        error = failure(rtsp(f"rtsp://127.0.0.1:{port}/live", open_timeout_s=1))
        assert time.monotonic() - began < 1.8
    assert error.reason == "open_timeout"
    assert readers() == 0


def test_a_server_that_answers_us_but_not_ffmpeg_is_given_up_too() -> None:
    connections = itertools.count()

    def answer(peer: socket.socket) -> None:
        if next(connections) == 0:
            peer.recv(4096)
            peer.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
        hold(peer)

    with scripted(answer) as port:
        began = time.monotonic()
        assert failure(rtsp(f"rtsp://127.0.0.1:{port}/live", open_timeout_s=1)).reason == "open_timeout"
        assert time.monotonic() - began < 1.8
    assert readers() == 0


@pytest.mark.parametrize("digest", [False, True])
def test_a_password_opens_what_it_protects(digest: bool) -> None:  # noqa: FBT001 - a parameter
    with RtspServer(login=("bob", "p%40ss:word"), digest=digest) as server:
        url = server.url("test", login=("bob", "p%2540ss%3Aword"))
        assert len(take(rtsp(url), 3)) == 3


def test_a_wrong_password_is_told_from_other_failures_and_told_to_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    with RtspServer(login=("bob", "right")) as server:
        error = failure(rtsp(server.url("test", login=("bob", "hunter2"))))
    assert error.reason == "auth"
    assert "401" in str(error)
    seen = repr([error, error.__cause__, error.__context__]) + "".join(capfd.readouterr())
    assert "hunter2" not in seen


@pytest.mark.parametrize(("path", "reason"), [("nowhere", "not_found"), ("test", "refused")])
def test_each_failure_has_its_reason(path: str, reason: str) -> None:
    with RtspServer() as server:
        if reason == "refused":
            server.kill()
        assert failure(rtsp(server.url(path, login=("bob", "hunter2")))).reason == reason


def test_a_camera_that_cannot_prove_its_name_is_refused(tmp_path: Path) -> None:
    with impostor(tmp_path) as (port, heard):
        assert failure(rtsp(f"rtsps://bob:hunter2@localhost:{port}/live")).reason == "tls"
    assert not any(heard)


def test_a_redirect_is_refused_and_the_other_host_hears_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        where = f"rtsp://127.0.0.1:{thief.getsockname()[1]}/live"

        def redirect(peer: socket.socket) -> None:
            while request := peer.recv(4096):
                number = request.decode().partition("CSeq: ")[2].partition("\r\n")[0]
                head = f"RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: {where}\r\n\r\n"
                peer.sendall(head.encode())

        with scripted(redirect) as port:
            error = failure(rtsp(f"rtsp://bob:hunter2@127.0.0.1:{port}/live"))
        assert error.reason == "redirect"
        thief.settimeout(0.2)
        with pytest.raises(TimeoutError):
            thief.accept()


def test_an_answer_without_end_is_refused() -> None:
    def answer(peer: socket.socket) -> None:
        try:
            while True:
                peer.sendall(b"X: y\r\n" * 100)
        except OSError:
            return  # the other side had read enough

    with scripted(answer) as port:
        assert failure(rtsp(f"rtsp://127.0.0.1:{port}/live", open_timeout_s=2)).reason == "protocol"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x00" * 5000 + b"\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 400000000\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_rtsp_answer_is_refused(head: bytes) -> None:
    def answer(peer: socket.socket) -> None:
        peer.recv(4096)
        try:
            peer.sendall(head)
        except OSError:
            return  # the other side had read enough

    with scripted(answer) as port:
        assert failure(rtsp(f"rtsp://127.0.0.1:{port}/live", open_timeout_s=2)).reason == "protocol"
