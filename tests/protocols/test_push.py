"""What is pushed to a real server arrives there, and whatever the server does costs a known time and nothing else."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from protocols.errors import SinkError
from protocols.frame import Frame
from protocols.push import PushSink
from tests.end_to_end.figures import figure
from tests.protocols.test_rtsp import drip, hold, impostor, scripted
from tests.rtmp_server import RtmpServer
from tests.rtsp_server import RtspServer

COLORS = {"red": (200, 40, 40), "blue": (40, 60, 190)}
STALL_TIMEOUT_S = 1.0
PATIENCE_S = 20.0


class Place:
    """A server, with the URL to push to and the one to watch at; it can be started again at the same port."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._servers: list[RtspServer | RtmpServer] = []
        self.start()

    @property
    def server(self) -> RtspServer | RtmpServer:
        return self._servers[-1]

    @property
    def push_url(self) -> str:
        return self.server.url("push" if self._kind == "rtsp" else "live/name")

    @property
    def watch_url(self) -> str:
        return self.server.url("relay" if self._kind == "rtsp" else "live/name")

    def start(self) -> None:
        port = self.server.port if self._servers else 0
        made = RtspServer(port=port) if self._kind == "rtsp" else RtmpServer(self._folder, port=port)
        self._servers.append(made)

    def end(self) -> None:
        for server in self._servers:
            server.__exit__(None, None, None)


@pytest.fixture(params=["rtsp", "rtmp"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    place = Place(request.param, tmp_path)
    yield place
    place.end()


def sink(url: str, *, connect_timeout_s: float = 8.0) -> PushSink:
    return PushSink(url, fps=25, connect_timeout_s=connect_timeout_s, stall_timeout_s=STALL_TIMEOUT_S)


def frame(number: int, color: str = "red", *, width: int = 160, height: int = 90, noise: int = 1) -> Frame:
    random = np.random.default_rng(number).integers(0, noise, (height, width, 3))
    image = (random + COLORS[color]).clip(0, 255).astype(np.uint8)
    return Frame(image=image, sequence=number, pts=number / 25, captured_at=0, received_at=0)


@contextmanager
def pushing(pushed: PushSink, color: str = "red", *, width: int = 160, noise: int = 1) -> Iterator[None]:
    """Push pictures of one color for as long as the block lasts."""
    stop, errors = threading.Event(), list[SinkError]()

    def push() -> None:
        number = 0
        while not stop.wait(0.04):
            try:
                pushed.write(frame(number, color, width=width, noise=noise))
            except SinkError as error:
                errors.append(error)
                return
            number += 1

    thread = threading.Thread(target=push)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert errors == []


def watched(url: str) -> NDArray[np.uint8]:
    """Return a picture that a viewer sees who comes now."""
    options = {"rtsp_transport": "tcp"} if url.startswith("rtsp") else {"analyzeduration": "100000"}
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with closing(av.open(url, options=options, timeout=(5, 5))) as container:
                return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)
        except (av.error.FFmpegError, StopIteration):
            assert time.monotonic() < deadline, "nothing to be seen"


def failure(pushed: PushSink, *, noise: int = 1) -> SinkError:
    """Push until it fails; return how."""
    deadline = time.monotonic() + PATIENCE_S
    number = 0
    while time.monotonic() < deadline:
        try:
            pushed.write(frame(number, noise=noise))
        except SinkError as error:
            assert pushed.pid is None, "the process is still there"
            return error
        number += 1
        time.sleep(0.02)
    pytest.fail("it did not fail")


# -- a server that works ----------------------------------------------------------------------------------------------


def test_who_watches_at_the_server_sees_what_is_pushed(place: Place) -> None:
    with closing(sink(place.push_url)) as pushed, pushing(pushed, "red"):
        seen = watched(place.watch_url)
    assert seen.shape == (90, 160, 3)
    assert np.abs(seen.mean((0, 1)) - COLORS["red"]).max() < 6


def test_a_new_size_is_a_new_connection(place: Place) -> None:
    with closing(sink(place.push_url)) as pushed:
        with pushing(pushed, "red"):
            first = pushed.pid
        with pushing(pushed, "blue", width=96):
            seen = watched(place.watch_url)
        assert pushed.pid != first
    assert seen.shape == (90, 96, 3)
    assert np.abs(seen.mean((0, 1)) - COLORS["blue"]).max() < 6


@pytest.mark.parametrize("digest", [False, True])
def test_a_password_opens_what_it_protects_and_is_shown_to_nobody(
    digest: bool,  # noqa: FBT001 - a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with RtspServer(login=("bob", "hunter2"), digest=digest) as server:
        monkeypatch.setenv("DEEPMOVIE_SINKS", server.url("push"))
        with closing(sink(server.url("push"))) as pushed:
            pushed.write(frame(0))
            process = psutil.Process(pushed.pid)
            assert "hunter2" not in repr(process.cmdline()) + repr(process.environ())
        with closing(sink(server.url("push", login=("bob", "hunter3")))) as pushed:
            error = failure(pushed)
    assert error.reason == "auth"
    assert "401" in str(error)
    assert "hunter" not in repr([error, error.__cause__, error.__context__, pushed])


# -- a server that does not -------------------------------------------------------------------------------------------


def test_a_server_that_dies_is_noticed_at_once_and_pushed_to_again_when_it_is_back(place: Place) -> None:
    with closing(sink(place.push_url)) as pushed:
        pushed.write(frame(0))
        killed_at = time.monotonic()
        place.server.kill()
        assert failure(pushed).reason == "eof"
        noticed_s = time.monotonic() - killed_at
        figure("push, killed server", noticed_s=noticed_s)
        assert noticed_s < 2
        with pytest.raises(SinkError) as caught:
            pushed.open()  # it knows the size by now, so it tells the truth
        assert caught.value.reason == "refused"
        place.start()
        pushed.open()
        with pushing(pushed, "blue"):
            assert np.abs(watched(place.watch_url).mean((0, 1)) - COLORS["blue"]).max() < 6


def test_a_server_that_freezes_is_noticed_when_it_has_taken_nothing_for_too_long(place: Place) -> None:
    with closing(sink(place.push_url)) as pushed:
        pushed.write(frame(0))
        place.server.freeze()
        frozen_at = time.monotonic()
        error = failure(pushed, noise=60)
        noticed_s = time.monotonic() - frozen_at
        place.server.thaw()
    figure("push, frozen server", noticed_s=noticed_s, stall_timeout_s=STALL_TIMEOUT_S)
    assert noticed_s < STALL_TIMEOUT_S + 6  # first, the server's kernel takes what it has room for
    # It is the kernel or we, whoever sees it first.
    assert error.reason in {"stalled", "eof"}


@pytest.mark.parametrize("answer", [hold, drip])
def test_a_server_that_never_answers_is_given_up_in_time(answer: Callable[[socket.socket], None]) -> None:
    with scripted(answer) as port:
        for scheme in ("rtsp", "rtmp"):
            began = time.monotonic()
            error = failure(sink(f"{scheme}://127.0.0.1:{port}/live/x", connect_timeout_s=1.5))
            assert error.reason == "open_timeout"
            assert time.monotonic() - began < 5


def test_the_reason_names_what_is_wrong(tmp_path: Path) -> None:
    with RtspServer() as server:
        assert failure(sink(server.url("nowhere"))).reason == "not_found"
        server.kill()
        assert failure(sink(server.url("push"))).reason == "refused"
    with RtmpServer(tmp_path) as server_2:
        assert failure(sink(server_2.url("closed/x"))).reason == "eof"


def test_a_server_that_cannot_prove_its_name_gets_no_password(tmp_path: Path) -> None:
    with impostor(tmp_path) as (port, heard):
        assert failure(sink(f"rtsps://bob:hunter2@localhost:{port}/live/x")).reason == "failed"
    assert not any(heard)


def test_a_slow_line_makes_frames_fewer_and_not_older() -> None:
    with (
        RtspServer() as server,
        slow_line(server.port, bytes_per_s=40_000) as port,
        closing(PushSink(f"rtsp://127.0.0.1:{port}/push", fps=25, stall_timeout_s=10)) as pushed,
    ):
        ends_at, took_s = time.monotonic() + 4, list[float]()
        while time.monotonic() < ends_at:
            written_at = time.monotonic()
            pushed.write(frame(len(took_s), noise=100))
            took_s.append(time.monotonic() - written_at)
    assert np.median(took_s[len(took_s) // 2 :]) > 0.05, "frames queue up somewhere"


@contextmanager
def slow_line(port: int, *, bytes_per_s: int) -> Iterator[int]:
    """Forward connections to a port of this machine, upward at this speed."""

    def forward(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            back = threading.Thread(target=copy, args=(upstream, peer), daemon=True)
            back.start()
            copy(peer, upstream, bytes_per_s)

    def copy(source: socket.socket, target: socket.socket, bytes_per_s: int | None = None) -> None:
        try:
            while data := source.recv(2048):
                target.sendall(data)
                if bytes_per_s:
                    time.sleep(len(data) / bytes_per_s)
        except OSError:
            return  # one side has gone

    with scripted(forward) as listening:
        yield listening


# -- the process ------------------------------------------------------------------------------------------------------


def test_a_pushing_process_that_is_killed_or_frozen_is_replaced(place: Place) -> None:
    with closing(sink(place.push_url)) as pushed:
        for number, told in [(signal.SIGKILL, "killed by SIGKILL"), (signal.SIGSTOP, "takes no frames")]:
            pushed.write(frame(0))
            assert pushed.pid
            os.kill(pushed.pid, number)
            assert told in str(failure(pushed))
        pushed.open()
        pushed.write(frame(0))


def test_the_process_loads_nothing_heavy() -> None:
    code = "import sys, protocols.pusher; print({'torch', 'cv2', 'zmq', 'streamer'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-P", "-c", code], text=True) == "set()\n"


@pytest.mark.parametrize("connected", [True, False])
def test_the_process_ends_with_the_one_who_started_it(connected: bool) -> None:  # noqa: FBT001 - a parameter
    code = """
        import sys, threading, time
        import numpy as np
        from protocols.frame import Frame
        from protocols.push import PushSink
        sink = PushSink(sys.argv[1], fps=25, connect_timeout_s=60)
        def tell():
            while sink.pid is None:
                time.sleep(0.01)
            print(sink.pid, flush=True)
        teller = threading.Thread(target=tell)
        teller.start()
        sink.write(Frame(np.zeros((48, 64, 3), np.uint8), 0, 0, 0, 0))
        teller.join()
        print("connected", flush=True)
        time.sleep(60)
    """
    silent = threading.Event()

    def answer(peer: socket.socket) -> None:
        peer.recv(1)
        silent.set()
        hold(peer)

    with RtspServer() as server, scripted(answer) as port:
        url = server.url("push") if connected else f"rtsp://127.0.0.1:{port}/push"
        command = [sys.executable, "-c", textwrap.dedent(code), url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout
            child = psutil.Process(int(parent.stdout.readline()))
            if connected:
                assert parent.stdout.readline() == "connected\n"
            else:
                assert silent.wait(PATIENCE_S)
            parent.kill()
            child.wait(5)


def test_failing_again_and_again_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    here = psutil.Process()
    pushed = sink(f"rtsp://127.0.0.1:{port}/push")
    failure(pushed)
    before = here.num_fds(), here.num_threads(), here.children()
    for _ in range(5):
        failure(pushed)
    pushed.close()
    assert (here.num_fds(), here.num_threads(), here.children()) == before
