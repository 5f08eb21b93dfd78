"""What the whole daemon survives: its real process between real peers that die, freeze, flood and lie.

``[row N]`` in the output of ``pytest -rP`` is the figure of one row of the fault table. ``DEEPMOVIE_FULL=1`` kills the
camera twenty times and floods for a minute.
"""

import itertools
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray

from models.weights import save
from protocols.wire import encode
from tests.end_to_end.daemon import PATIENCE_S, STOP_S, Deepmovie, Kit, deepmovie
from tests.end_to_end.figures import MIB, figure, percentile
from tests.end_to_end.test_live import likeness, scene
from tests.end_to_end.viewer import Seen, Viewer, in_order, unexplained_gaps, viewer
from tests.endpoints import frame, picture
from tests.protocols.listener import wait_until
from tests.protocols.test_rtsp import drip, hold, scripted
from tests.protocols.test_zeromq import SUBSCRIBER, free_port, malformed, peer
from tests.rtsp_server import RtspServer
from tests.tiny import random_weights

FULL = os.environ.get("DEEPMOVIE_FULL") == "1"
KILLS, LONGEST_OUTAGE_S = (20, 9.0) if FULL else (5, 2.0)
STALL_TIMEOUT_S = 3.0
MALFORMED = 10_000
SIGTERMS = 20 if FULL else 10
OVERLOAD_S = 60.0 if FULL else 6.0
OVERFLOW = 5.5e9

Push = zmq.Socket[bytes]


def local() -> str:
    """Return an address that is free."""
    return f"tcp://127.0.0.1:{free_port()}"


def send(socket: Push, sequence: int, *, epoch: int = 1, height: int = 48, width: int = 64) -> None:
    """Send a frame as our own senders do."""
    send_image(socket, sequence, picture(height, width, seed=sequence % 8), epoch=epoch)


def send_image(socket: Push, sequence: int, image: NDArray[np.uint8], *, epoch: int = 1) -> None:
    """Send a picture as our own senders do."""
    socket.send_multipart(encode(frame(sequence, epoch=epoch, image=image), name="x"))


# -- a camera that dies or freezes (rows 1, 2) ------------------------------------------------------------------------


@pytest.mark.timeout(400)
def test_a_camera_that_dies_or_freezes_is_noticed_in_time_and_found_again(kit: Kit) -> None:
    address, dead_s, found_s, frozen_s = local(), list[float](), list[float](), list[float]()
    with viewer(address) as eyes, RtspServer(size=(64, 48)) as first:
        servers, url = [first], first.url("test")
        with deepmovie(kit.command(url, address), kit.environment) as daemon:
            eyes.await_frames(10)
            for outage_s in np.linspace(0.0, LONGEST_OUTAGE_S, KILLS):
                killed_at = time.monotonic()
                servers[-1].kill()
                lost = daemon.await_entry("source_lost", after=killed_at)
                assert lost.facts["reason"] == "eof"
                dead_s.append(lost.at - killed_at)
                threading.Event().wait(outage_s)
                servers.append(RtspServer(size=(64, 48), port=first.port))
                back_at = time.monotonic()
                found_s.append(eyes.await_frames(after=back_at)[0].at - back_at)
                assert daemon.await_stats()["state"] == "running"
            frozen_at = time.monotonic()
            servers[-1].freeze()
            lost = daemon.await_entry("source_lost", after=frozen_at)
            assert lost.facts["reason"] == "stalled"
            frozen_s.append(lost.at - frozen_at)
            assert daemon.await_stats()["state"] == "source_lost"
            stale = eyes.await_stale(2, after=frozen_at)
            servers[-1].thaw()
            eyes.await_frames(after=time.monotonic())
        for server in servers:
            server.__exit__(None, None, None)
    stats = daemon.entries("stats")[-1].facts
    figure("row 1", kills=KILLS, noticed_p95_s=percentile(dead_s, 0.95), found_p50_s=percentile(found_s, 0.5),
           found_p95_s=percentile(found_s, 0.95), reconnects=stats["reconnects"])  # fmt: skip
    figure("row 2", noticed_s=max(frozen_s))
    assert max(dead_s) <= 0.5
    assert percentile(found_s, 0.95) <= 2.5
    assert max(frozen_s) <= STALL_TIMEOUT_S + 0.2
    assert stale[0].header["age_ms"] + 900 < stale[1].header["age_ms"]
    assert in_order(eyes.fresh)
    assert unexplained_gaps(eyes.fresh) == 0


def test_a_server_that_never_answers_is_given_up_in_time_and_leaves_no_thread_behind(kit: Kit) -> None:
    ways = itertools.cycle([hold, drip])

    def serve(peer: socket.socket) -> None:
        next(ways)(peer)

    with scripted(serve) as port:
        url, short = f"rtsp://127.0.0.1:{port}/live", ("--set", "input.open_timeout_s=1")
        with deepmovie(kit.command(url, "null:", *short), kit.environment) as daemon:
            tries, threads = [daemon.await_entry("started")], []
            for _ in range(4):
                tries.append(daemon.await_entry("source_lost", after=tries[-1].at))
                assert tries[-1].facts["reason"] == "open_timeout"
                threads.append(daemon.threads)
    pauses_s = [0.0, *(entry.facts["retry_in_s"] for entry in tries[1:])]
    took_s = [
        after.at - before.at - pause_s for before, after, pause_s in zip(tries, tries[1:], pauses_s, strict=False)
    ]
    figure("row 4", open_timeout_s=1, given_up_max_s=max(took_s), threads=threads)
    assert max(took_s) < 1.5
    assert max(threads) <= threads[0] + 1, "a reader may be on its way out"


# -- a producer on a ZeroMQ socket (rows 21, 22, 24, 25, 26) ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stream:
    """A daemon that pulls frames of up to 1 MiB, and who watches it."""

    daemon: Deepmovie
    eyes: Viewer
    feed: str
    epochs: Iterator[int]

    def settle(self, socket: Push) -> Mapping[str, Any]:
        """Send frames until one comes out painted; return the numbers once nothing is in flight."""
        epoch, numbers, began = next(self.epochs), itertools.count(), time.monotonic()
        wait_until(
            lambda: self.eyes.since(began),
            "a painted frame",
            meanwhile=lambda: send(socket, next(numbers), epoch=epoch),
        )
        return self.quiet()

    def quiet(self, *, received: int = 0) -> Mapping[str, Any]:
        """Return the numbers once so many frames and others came, and nothing is in flight."""
        return self.daemon.await_stats(
            lambda stats: stats["received"] >= received and stats["waiting"] == stats["painting"] == 0
        )


@pytest.fixture(scope="module")
def stream(kit: Kit) -> Iterator[Stream]:
    """A daemon that several tests feed, one after the other; its accounts are audited at the end."""
    feed, address = local(), local()
    command = kit.command(f"pull+bind:{feed}", address, "--set", f"input.max_message_bytes={MIB}")
    with viewer(address) as eyes:
        with deepmovie(command, kit.environment) as daemon:
            daemon.await_entry("started")
            yield Stream(daemon, eyes, feed, itertools.count(1))
        assert in_order(eyes.fresh)
        assert unexplained_gaps(eyes.fresh) == 0


def growth(before: Mapping[str, Any], after: Mapping[str, Any]) -> Counter[str]:
    """Return what was dropped between two moments, by reason."""
    return Counter(after["dropped"]) - Counter(before["dropped"])


def test_ten_thousand_malformed_messages_are_counted_each_and_the_next_frame_is_painted(stream: Stream) -> None:
    rng, every, epoch = random.Random(21), 200, next(stream.epochs)
    good = MALFORMED // every
    with peer(zmq.PUSH, stream.feed) as socket:
        before, before_bytes, began = stream.settle(socket), stream.daemon.resident_bytes, time.monotonic()
        for number in range(1, MALFORMED + 1):
            socket.send_multipart(malformed(rng))
            if number % every == 0:  # malformed messages are no sign of life
                send(socket, number, epoch=epoch)
        took_s = time.monotonic() - began
        after = stream.quiet(received=before["received"] + MALFORMED + good)
        sent_at = time.monotonic()
        send(socket, MALFORMED + 1, epoch=epoch)
        painted = stream.eyes.await_frames(after=sent_at)[0]
    dropped = growth(before, after)
    busy = dropped.pop("busy", 0)
    grown = (stream.daemon.resident_bytes - before_bytes) / MIB
    figure("row 21, 24", counted=dropped.total(), by_reason=dict(dropped), per_s=MALFORMED / took_s, grown_mib=grown)
    assert dropped.total() == MALFORMED
    assert set(dropped) >= {"parts", "header", "version", "shape", "dtype", "length", "decode"}
    assert after["published"] - before["published"] == good - busy
    assert after["lost"] == before["lost"], "the place of a malformed message is known"
    assert painted.header["iterations"] == 1


def test_a_message_over_the_limit_costs_its_sender_and_nobody_else(stream: Stream) -> None:
    epoch, count = next(stream.epochs), 20
    with peer(zmq.PUSH, stream.feed) as good, peer(zmq.PUSH, stream.feed) as bad:
        losses = bad.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        before = stream.settle(good)
        for sequence in range(count):
            bad.send_multipart([b"{}", bytes(2 * MIB)], copy=False)
            send(good, sequence, epoch=epoch)
            stream.eyes.await_frames(after=time.monotonic() - 1)
        assert losses.poll(round(PATIENCE_S * 1000)), "the peer was not disconnected"
        after = stream.quiet(received=before["received"] + count)
        losses.close()
        bad.linger = 0
    figure("row 22", sent=count, received=after["received"] - before["received"], lost=after["lost"] - before["lost"])
    assert after["received"] - before["received"] == count
    assert after["lost"] == before["lost"]
    assert set(growth(before, after)) <= {"busy"}


def test_frames_that_come_twice_or_too_late_are_dropped(stream: Stream) -> None:
    rng, epoch = random.Random(26), next(stream.epochs)
    sequences = [number for start in range(0, 400, 4) for number in rng.choices(range(start, start + 6), k=6)]
    highest = list(itertools.accumulate(sequences, max))
    late = sum(number <= before for number, before in zip(sequences[1:], highest, strict=False))
    with peer(zmq.PUSH, stream.feed) as first:
        before = stream.settle(first)
        for sequence in sequences:
            send(first, sequence, epoch=epoch)
        between = stream.quiet(received=before["received"] + len(sequences))
    gone_at = time.monotonic()
    stream.daemon.await_entry("peer_disconnected", after=gone_at - 1)
    with peer(zmq.PUSH, stream.feed) as second:
        for sequence in sequences:  # as when a producer reconnects and sends again
            send(second, sequence, epoch=epoch)
        after = stream.quiet(received=between["received"] + len(sequences))
    figure("row 26", sent=2 * len(sequences), late=growth(before, after)["late"])
    assert growth(before, between)["late"] == late > 100
    assert growth(between, after)["late"] == len(sequences)


@contextmanager
def producer(feed: str) -> Iterator[subprocess.Popen[bytes]]:
    """Push the built-in scene from a process of its own."""
    command = [sys.executable, "-m", "streamer", "send", "test:#size=64x48", f"push+connect:{feed}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_producer_that_dies_is_noticed_and_the_last_picture_goes_out_marked_as_stale(stream: Stream) -> None:
    with producer(stream.feed) as process:
        stream.eyes.await_frames(5, after=time.monotonic())
        killed_at = time.monotonic()
        process.kill()
    stale = stream.eyes.await_stale(3, after=killed_at)
    lost = stream.daemon.await_entry("source_lost", after=killed_at)
    assert stream.daemon.await_stats()["state"] == "source_lost"
    with producer(stream.feed):
        stream.eyes.await_frames(5, after=time.monotonic())
        assert stream.daemon.await_stats(lambda stats: stats["state"] == "running")
    ages_ms = [each.header["age_ms"] for each in stale]
    figure("row 25", noticed_s=lost.at - killed_at, stale_after_s=stale[0].at - killed_at, ages_ms=ages_ms)
    assert lost.facts["reason"] == "stalled"
    assert lost.at - killed_at <= STALL_TIMEOUT_S + 0.2
    assert all(900 < b - a < 1500 for a, b in pairwise(ages_ms))
    assert len({each.header["seq"] for each in stale}) == 1


# -- too much in, too slow out (rows 15, 32) --------------------------------------------------------------------------


def test_a_producer_at_ten_times_the_capacity_costs_frames_but_neither_time_nor_memory(kit: Kit) -> None:
    fps, seconds, feed, address = 5.0, OVERLOAD_S, local(), local()
    with zmq.Context() as context, context.socket(zmq.PUB) as socket, viewer(address) as eyes:
        socket.linger = 0
        socket.bind(feed)
        numbers, pause = itertools.count(), threading.Event()

        def flood() -> None:
            send(socket, next(numbers))
            pause.wait(1 / (10 * fps))

        # As many iterations as fit: the painter never rests.
        with deepmovie(kit.command(feed, address, iterations=1000, fps=fps), kit.environment) as daemon:
            wait_until(lambda: len(eyes.fresh) > 3 * fps, "painted frames", meanwhile=flood)
            before_bytes, began = daemon.resident_bytes, time.monotonic()
            while time.monotonic() < began + seconds:
                flood()
            grown_mib = (daemon.resident_bytes - before_bytes) / MIB
    frames = eyes.since(began)
    ages_s = [each.age_s for each in frames]
    busy = daemon.entries("stats")[-1].facts["dropped"].get("busy", 0)
    figure("row 15", frames=len(frames), busy=busy, age_p50_s=percentile(ages_s, 0.5),
           age_p99_s=percentile(ages_s, 0.99), frame_time_s=1 / fps, grown_mib=grown_mib)  # fmt: skip
    assert percentile(ages_s, 0.99) <= 2 / fps
    assert grown_mib <= 4
    assert len(frames) > 0.8 * fps * seconds
    assert busy > 5 * len(frames)
    assert unexplained_gaps(eyes.fresh) == 0


@contextmanager
def stopped_subscriber(address: str, *, meanwhile: Callable[[], None]) -> Iterator[None]:
    """Yield while a process that has received a frame, and was then stopped, is subscribed."""
    with subprocess.Popen([sys.executable, "-c", SUBSCRIBER, address], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            hears = process.stdout.fileno()
            wait_until(lambda: select.select([hears], [], [], 0)[0], "the subscriber", meanwhile=meanwhile)
            process.send_signal(signal.SIGSTOP)
            yield
        finally:
            process.kill()


def test_a_subscriber_that_is_stopped_for_good_costs_the_others_nothing(kit: Kit) -> None:
    feed, address, count = local(), local(), 50
    numbers, pause, frame_mib = itertools.count(), threading.Event(), 256 * 192 * 3 / MIB

    def feed_one() -> None:
        send(camera, next(numbers), height=192, width=256)
        pause.wait(0.03)

    with (
        viewer(address) as eyes,
        peer(zmq.PUSH, feed) as camera,
        deepmovie(kit.command(f"pull+bind:{feed}", address, size=256), kit.environment) as daemon,
        stopped_subscriber(address, meanwhile=feed_one),
    ):
        wait_until(lambda: len(eyes.fresh) >= 15, "the first frames", meanwhile=feed_one)
        before_bytes, began = daemon.resident_bytes, time.monotonic()
        wait_until(lambda: len(eyes.since(began)) >= count, "the frames", meanwhile=feed_one)
        grown_mib = (daemon.resident_bytes - before_bytes) / MIB
    frames = eyes.since(began)
    figure("row 32", frames=len(frames), handed_mib=len(frames) * frame_mib, grown_mib=grown_mib,
           unexplained=unexplained_gaps(frames))  # fmt: skip
    assert unexplained_gaps(frames) == 0
    assert grown_mib < 6 * frame_mib + 4


# -- numbers that are none (row 41) -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fragile(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """A kit whose energy is finite for dark frames and overflows for bright ones."""
    folder = tmp_path_factory.mktemp("fragile")
    weights = {name: tensor * (not name.endswith(("bias", "mean"))) for name, tensor in random_weights().items()}
    weights["conv1_1.weight"] = weights["conv1_1.weight"] * OVERFLOW
    save(weights, folder / "tiny.safetensors")
    cv2.imwrite(str(folder / "style.png"), picture(96, 128, seed=1) // 25)
    return Kit(folder)


def test_an_energy_that_is_not_finite_is_never_seen_and_the_picture_recovers(fragile: Kit) -> None:
    feed, address = local(), local()
    dark, bright = scene(seed=1) // 25, 195 + scene(seed=2) // 5
    shots: list[list[Seen]] = []
    with (
        viewer(address) as eyes,
        peer(zmq.PUSH, feed) as socket,
        deepmovie(fragile.command(f"pull+bind:{feed}", address, iterations=5), fragile.environment) as daemon,
    ):
        numbers = itertools.count()
        for image in (dark, bright, dark):
            began = time.monotonic()

            def show(image: NDArray[np.uint8] = image) -> None:
                send_image(socket, next(numbers), image)

            wait_until(lambda began=began: len(eyes.since(began)) >= 15, "the shot", meanwhile=show)  # type: ignore[misc]
            shots.append(eyes.since(began)[3:])
        nonfinite = daemon.await_stats()["nonfinite"]
    before, during, after = shots
    cuts = ["".join(".C"[each.header["cut"]] for each in shot) for shot in shots]
    figure(
        "row 41",
        cuts=cuts,
        brightness=[float(np.mean([each.image.mean() for each in shot])) for shot in shots],
        nonfinite=nonfinite,
    )
    assert nonfinite >= sum(each.header["iterations"] for each in during)
    # A picture whose energy was never finite is not remembered: each of them begins anew, from the fill.
    assert all(each.header["cut"] for each in during)
    assert all(40 < each.image.mean() < 140 and likeness(each.image, bright) > 0.5 for each in during)
    for shot in (before, after):
        assert not any(each.header["cut"] for each in shot)
        assert all(0 < each.header["temporal_error"] < 0.1 for each in shot)
        assert all(each.image.mean() < 20 for each in shot)


# -- the start and the end (rows 34, 54, 56) --------------------------------------------------------------------------


def refused(command: list[str], kit: Kit) -> tuple[str, float]:
    """Return what a daemon that must not start says, and how long that took it, in s."""
    began = time.monotonic()
    done = subprocess.run(command, env=kit.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 78, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr, time.monotonic() - began


def test_an_output_address_in_use_stops_the_start_and_is_named(kit: Kit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        address = f"tcp://127.0.0.1:{owner.getsockname()[1]}"
        said, took_s = refused(kit.command("test:", "null:", address), kit)
    failure = next(entry for entry in map(json.loads, said.splitlines()) if entry["event"] == "failed")
    figure("row 34", exit_code=failure["exit_code"], error=failure["error"], took_s=took_s)
    assert address in failure["error"]
    assert "in use" in failure["error"]
    assert "source_opened" not in said


WRONG = {
    "[paint]\niteration = 3": "unknown setting 'paint.iteration'",
    "[paint]\nfps = 'fast'": "paint.fps",
    "[paint]\nfps = nan": "paint.fps",
    "[input]\nmax_pixels = 3": "input.max_pixels",
    "source = 'gopher://hall'": "source",
    "sinks = ['http://hall/live']": "sinks",
    "sinks = ['tcp://0.0.0.0:5556']": "sinks",
    "paint = 3": "paint",
    "source = ": "TOML",
}


@pytest.mark.parametrize(("text", "key"), WRONG.items())
def test_wrong_settings_stop_the_start_and_name_their_key(kit: Kit, tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "deepmovie.toml"
    file.write_text(text)
    said, took_s = refused([sys.executable, "-m", "streamer", "run", "-c", str(file)], kit)
    figure("row 54", key=key, took_s=took_s)
    assert str(file) in said, said
    assert key in said, said


def test_weights_that_are_none_stop_the_start_and_name_their_key(kit: Kit, tmp_path: Path) -> None:
    broken = Kit.made_in(tmp_path)
    (tmp_path / "tiny.safetensors").write_bytes(b"\xff" * 100)
    said, _ = refused(broken.command("test:", "null:"), broken)
    assert "paint.weights" in said


@dataclass(frozen=True, slots=True)
class Ending:
    """How a daemon ended that was sent SIGTERM."""

    reached: str
    """The last event before the signal; empty while Python itself was starting."""
    twice: bool
    took_s: float
    """Since the last signal."""
    exit_code: int


def terminated(kit: Kit, *, begin: str | None, after_s: float, again_s: float | None) -> Ending:
    """Start a daemon, send it SIGTERM some time after its start or an event, perhaps once more, and await its end."""
    command, pause = kit.command("test:#size=64x48", local()), threading.Event()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=kit.environment, text=True
    ) as process:
        daemon = Deepmovie(process)
        try:
            if begin:
                daemon.await_entry(begin)
            pause.wait(after_s)
            asked_at, reached = time.monotonic(), daemon.log[-1].event if daemon.log else ""
            process.send_signal(signal.SIGTERM)
            if again_s is not None:
                pause.wait(again_s)
                asked_at = time.monotonic()
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
            took_s = time.monotonic() - asked_at
        finally:
            process.kill()
            daemon.join()
    daemon.audit()
    assert process.returncode or daemon.log[-1].event == "stopped"
    return Ending(reached, again_s is not None, took_s, process.returncode)


def test_sigterm_at_any_moment_ends_the_daemon_in_time_and_a_second_one_at_once(kit: Kit) -> None:
    rng = random.Random(56)
    moments: list[dict[str, Any]] = [
        {"begin": "source_opened" if number % 5 < 2 else None, "after_s": rng.uniform(0, 1 if number % 5 < 2 else 3)}
        | {"again_s": rng.uniform(0, 0.1) if number % 2 else None}
        for number in range(SIGTERMS)
    ]
    with ThreadPoolExecutor(2) as pool:
        endings = list(pool.map(lambda moment: terminated(kit, **moment), moments))
    once, twice = ([each for each in endings if each.twice is wanted] for wanted in (False, True))
    figure("row 56", signals=SIGTERMS, once_max_s=max(each.took_s for each in once), twice_max_s=max(
        each.took_s for each in twice), exit_codes=dict(Counter(each.exit_code for each in endings)),
        reached=dict(Counter(each.reached for each in endings)))  # fmt: skip
    for ending in once:
        assert ending.took_s <= STOP_S
        assert ending.exit_code == 0 or not ending.reached, ending
    for ending in twice:
        # Python hears of no signal while it loads a library.
        assert ending.took_s <= (STOP_S if ending.reached == "starting" else 0.5)
        assert ending.exit_code in (0, -signal.SIGTERM), ending
