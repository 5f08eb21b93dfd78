"""Settings that are changed while the stream goes on: the real daemon, real signals, real sockets.

``DEEPMOVIE_FULL=1`` reads the settings 500 times.
"""

import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zmq

from protocols.curve import Curve
from protocols.errors import SourceError
from protocols.frame import Frame
from protocols.keys import make_pair, read_public, write_pair
from protocols.wire import encode
from protocols.zeromq import ZmqSource
from streamer.config import ConfigError
from streamer.settings import load
from tests.end_to_end.daemon import PATIENCE_S, STOP_S, Deepmovie, Entry, Kit, deepmovie
from tests.end_to_end.figures import figure, percentile
from tests.end_to_end.viewer import Seen, Viewer, in_order, unexplained_gaps, viewer
from tests.endpoints import frame, picture
from tests.protocols.test_zeromq import free_port
from tests.streamer.web.studio import Site

RELOADS = 500 if os.environ.get("DEEPMOVIE_FULL") == "1" else 200
WRITES = 500
FPS = 25
LAST_WRITE_S = 1.0
REJECTED = "reload_rejected"
OUTCOMES = ("reloaded", REJECTED)


def local() -> str:
    """Return an address that is free."""
    return f"tcp://127.0.0.1:{free_port()}"


class Camera:
    """Publishes frames, each with its number, until it is closed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish)
        self._thread.start()

    def _publish(self) -> None:
        epoch = time.time_ns()
        with zmq.Context() as context, context.socket(zmq.PUB) as socket:
            socket.linger = 0
            socket.bind(self.address)
            number = 0
            while not self._stop.wait(1 / FPS):
                image = picture(48, 64, seed=number % 8)
                socket.send_multipart(encode(frame(number, epoch=epoch, image=image), name="camera"))
                number += 1

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join()


@contextmanager
def receiver(address: str) -> Iterator[Viewer]:
    """Take frames at an address, each one that is sent; a subscriber would miss some on a machine that is busy."""
    source, stop, eyes = ZmqSource(address, pattern="pull", bind=True, stall_timeout_s=60), threading.Event(), Viewer()

    def take() -> None:
        for item in source.frames(stop):
            assert isinstance(item, Frame)
            header = {"seq": item.sequence, "dropped": item.dropped, "epoch": item.epoch, "stale": item.stale}
            eyes.keep(Seen("stage", item.image, header, item.received_at, 0.0))

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield eyes
    finally:
        stop.set()
        thread.join()


class Stage:
    """A daemon that reads its settings from a file, what feeds it, and who watches.

    Args:
        kit: what it paints with.
        path: the file.
        cameras: what can feed it.
    """

    def __init__(self, kit: Kit, path: Path, cameras: list[Camera]) -> None:
        self.kit = kit
        self.path = path
        self.cameras = cameras
        self.out = f"push+connect:{local()}"
        self.site = Site(("127.0.0.1", free_port()))
        self.daemon: Deepmovie
        self.eyes: Viewer

    def text(
        self,
        *,
        camera: int = 0,
        sinks: Sequence[str] = (),
        name: str = "stage",
        security: Mapping[str, str] | None = None,
        **paint: object,
    ) -> str:
        """Return the settings as a file."""
        files = {"weights": str(self.kit.folder / "tiny.safetensors"), "style": str(self.kit.folder / "style.png")}
        usual = {"iterations": 1, "fps": 20, "size": 64, "device": "cpu", "fade_s": 0} | files
        tables: dict[str, Mapping[str, object]] = {
            "": {"name": name, "source": self.cameras[camera].address, "sinks": [self.out, *sinks]},
            "[security]": security or {},
            "[paint]": usual | paint,
            "[http]": {"listen": self.site.netloc},
            "[log]": {"format": "json"},
        }
        return "\n".join(
            line
            for table, values in tables.items()
            for line in (table, *(f"{key} = {json.dumps(value)}" for key, value in values.items()))
        )

    def write(self, text: str) -> None:
        """Put another file in the place of the old one, as editors do."""
        draft = self.path.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.path)

    def hang_up(self) -> Entry:
        """Send SIGHUP; return what the daemon says to it."""
        asked_at = time.monotonic()
        self.daemon.process.send_signal(signal.SIGHUP)
        return self.daemon.await_entry(OUTCOMES, after=asked_at)

    def ask(self, method: str, path: str, content: object = None) -> tuple[int, Any]:
        """Return the status and the JSON of an answer of the API."""
        answer = self.site.get(path) if method == "GET" else self.site.change(method, path, content)
        return answer.status, answer.json

    def setting(self, name: str) -> Any:
        """Return a setting that is in effect."""
        return self.ask("GET", "/api/v1/settings")[1][name]

    def metrics(self) -> Mapping[str, float]:
        """Return how often the settings were read again, by what came of it."""
        lines = [line.split() for line in self.site.get("/metrics").body.decode().splitlines()]
        counts = {line[0]: float(line[1]) for line in lines if line[0].startswith("deepmovie_reloads_total")}
        return {name.split('"')[1]: count for name, count in counts.items()}


@contextmanager
def staged(kit: Kit, folder: Path) -> Iterator[Stage]:
    """Yield a daemon that paints, with two cameras and a viewer; audit it at the end."""
    cameras = [Camera(local()), Camera(local())]
    stage = Stage(kit, folder / "stage.toml", cameras)
    stage.write(stage.text())
    command = [sys.executable, "-m", "streamer", "run", "-c", str(stage.path)]
    try:
        with receiver(stage.out.partition(":")[2]) as stage.eyes, deepmovie(command, kit.environment) as stage.daemon:
            stage.daemon.await_entry("http_started")
            stage.eyes.await_frames(5)
            yield stage
    finally:
        for camera in cameras:
            camera.close()


@pytest.fixture(scope="module")
def standing(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return a stage that stays for many tests."""
    with staged(kit, tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture
def stage(standing: Stage) -> Stage:
    """Return that stage as it was in the beginning."""
    standing.write(standing.text())
    asked_at = time.monotonic()
    assert standing.ask("POST", "/api/v1/reload")[0] == 200
    standing.daemon.await_entry(OUTCOMES, after=asked_at)  # not to be taken for the answer to a test's own question
    return standing


class Vandal:
    """Damages settings files, at random but always in the same way.

    Args:
        folder: to try them in.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tried.toml"
        self._chance = random.Random(5)

    def damaged(self, text: str) -> str:
        """Return a version of a file that cannot be used."""
        while True:
            begin, chance = self._chance.randrange(len(text)), self._chance
            end = begin + chance.randrange(30)
            wrong = text[:begin] + "".join(chance.choices('abc019 ="[]{}\n.#,', k=chance.randrange(20))) + text[end:]
            self._path.write_text(wrong)
            try:
                load(self._path, {}, {})
            except ConfigError:
                return wrong


@pytest.mark.timeout(400)
def test_hundreds_of_readings_half_of_them_bad_cost_no_frame_and_the_last_file_counts(
    stage: Stage, tmp_path: Path
) -> None:
    vandal, good, bad = Vandal(tmp_path), list[float](), list[float]()
    other, before = local(), stage.eyes.fresh[-1].at
    counted = stage.metrics()
    for number in range(RELOADS):
        strength = number / RELOADS
        sinks = [(), ("null:",), (other,)][number // 20 % 3]
        text = stage.text(camera=number // 30 % 2, sinks=sinks, style_strength=strength)
        is_bad = number % 2 == 1
        stage.write(vandal.damaged(text) if is_bad else text)
        asked_at = time.monotonic()
        said = stage.hang_up()
        assert said.event == ("reload_rejected" if is_bad else "reloaded"), said.facts
        assert not is_bad or (said.facts["reason"] and said.facts["file"] == str(stage.path))
        (bad if is_bad else good).append(said.at - asked_at)
    assert stage.setting("style_strength") == (RELOADS - 2) / RELOADS
    assert stage.ask("GET", "/api/v1/info")[1]["sinks"] == [stage.out, *sinks]
    now = stage.metrics()
    # A file may be written just as the one before was read; then it is read without a signal, too.
    assert all(now[result] - counted[result] >= RELOADS / 2 for result in ("applied", "rejected"))
    assert now == {"applied": len(stage.daemon.entries("reloaded")), "rejected": len(stage.daemon.entries(REJECTED))}
    stage.eyes.await_frames(5, after=time.monotonic())
    seen = stage.eyes.since(before)
    figure("rows 54 and 55", readings=RELOADS, p50_s=percentile(good, 0.5), p95_s=percentile(good, 0.95),
           rejected_p50_s=percentile(bad, 0.5), rejected_p95_s=percentile(bad, 0.95), frames=len(seen),
           longest_gap_s=max(b.at - a.at for a, b in pairwise(seen)))  # fmt: skip
    assert in_order(seen)
    assert unexplained_gaps(seen) == 0
    removed = stage.daemon.entries("sink_removed")
    assert removed
    assert all(each.facts["handed"] == each.facts["written"] + sum(each.facts["dropped"].values()) for each in removed)


def test_of_many_who_write_and_signal_in_a_row_the_last_one_counts(stage: Stage) -> None:
    """Also of those who write slowly, into the file itself, or put a link in its place, as Kubernetes does."""
    strengths, began = [number / WRITES for number in range(1, WRITES + 1)], time.monotonic()
    for number, strength in enumerate(strengths):
        text = stage.text(style_strength=strength)
        match number % 3:
            case 0:
                stage.write(text)
            case 1:
                stage.path.unlink()
                with stage.path.open("w") as file:
                    for line in text.splitlines(keepends=True):
                        file.write(line)
                        file.flush()
                        if line.startswith("sinks"):
                            stage.daemon.process.send_signal(signal.SIGHUP)
            case 2:
                version = stage.path.with_name(f"version-{number}.toml")
                version.write_text(text)
                link = stage.path.with_suffix(".link")
                link.symlink_to(version)
                link.replace(stage.path)
        stage.daemon.process.send_signal(signal.SIGHUP)
    written_at = time.monotonic()
    while stage.setting("style_strength") != strengths[-1]:
        assert time.monotonic() < written_at + LAST_WRITE_S + STOP_S
    readings = len([entry for kind in OUTCOMES for entry in stage.daemon.entries(kind) if entry.at > began])
    figure("row 55", writes=WRITES, readings=readings, last_s=time.monotonic() - written_at)
    assert readings < WRITES
    assert unexplained_gaps(stage.eyes.since(began)) == 0


def test_a_file_that_changes_while_it_is_read_is_read_again_without_a_signal(stage: Stage) -> None:
    asked_at = time.monotonic()
    stage.write(stage.text(style_strength=0.1))
    stage.daemon.process.send_signal(signal.SIGHUP)
    with stage.path.open("a") as file:
        for _ in range(20):
            file.write("#")
            file.flush()
            threading.Event().wait(0.01)
        file.write("\n[input]\nresume_window_s = 11\n")
    said = stage.daemon.await_entry("restart_needed", after=asked_at)
    assert said.facts["keys"] == ["input.resume_window_s"]
    assert stage.setting("style_strength") == 0.1


def test_another_camera_is_read_from_while_the_stream_goes_on(stage: Stage) -> None:
    gaps = list[float]()
    for camera in (1, 0, 1, 0, 1):
        begun = time.monotonic()
        stage.write(stage.text(camera=camera))
        assert stage.hang_up().facts["changed"] == ["source"]
        opened = stage.daemon.await_entry("source_opened", after=begun)
        stage.eyes.await_frames(3, after=opened.at)
        seen = stage.eyes.since(begun - 0.5)
        gaps.append(max(b.at - a.at for a, b in pairwise(seen)))
        assert unexplained_gaps(seen) == 0
        assert in_order(seen)
    figure("another source", gap_p50_s=percentile(gaps, 0.5), gap_max_s=max(gaps))
    assert stage.ask("GET", "/api/v1/info")[1]["source"] == stage.cameras[1].address


def named(name: str) -> Callable[[Seen], bool]:
    """Return whether a frame is of a stream."""
    return lambda seen: seen.name == name


def test_another_output_costs_the_others_nothing_and_the_same_address_is_taken_over(stage: Stage) -> None:
    before, gaps = stage.eyes.fresh[-1].at, list[float]()
    bound, connected = local(), local()
    with viewer(bound) as subscriber, receiver(connected) as other:
        for name in "abcdef":
            begun = time.monotonic()
            stage.write(stage.text(sinks=(f"{bound}#name={name}", f"push+connect:{connected}#name={name}")))
            assert stage.hang_up().facts["changed"] == ["sinks"]
            subscriber.await_frames(3, named(name))
            if name > "a":
                seen = subscriber.since(begun - 0.5)
                gaps.append(max(b.at - a.at for a, b in pairwise(seen)))
        other.await_frames(3, after=time.monotonic())
    assert in_order(subscriber.fresh)
    for each in (stage.eyes.since(before), other.fresh):
        assert in_order(each)
        assert unexplained_gaps(each) == 0, "one count of what was left out, whoever writes it"
    figure("another sink", gap_p50_s=percentile(gaps, 0.5), gap_max_s=max(gaps),
           others_gap_max_s=max(b.at - a.at for a, b in pairwise(stage.eyes.since(before))))  # fmt: skip


def test_an_address_that_is_taken_is_refused_and_the_old_one_stays(stage: Stage) -> None:
    """FAULTS row 34."""
    with zmq.Context() as context, context.socket(zmq.PUB) as taken:
        taken.linger = 0
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        stage.write(stage.text(sinks=(f"tcp://127.0.0.1:{port}",), style_strength=0.9))
        said = stage.hang_up()
    assert said.event == "reload_rejected"
    assert said.facts["keys"] == ["sinks"]
    assert f"127.0.0.1:{port}" in said.facts["reason"]
    assert stage.setting("style_strength") != 0.9, "all or nothing"
    assert stage.ask("GET", "/api/v1/info")[1]["sinks"] == [stage.out]
    stage.eyes.await_frames(3, after=time.monotonic())


def test_a_key_that_is_taken_out_of_its_folder_lets_nobody_in_any_more(stage: Stage, tmp_path: Path) -> None:
    """FAULTS row 30, by a file of settings that did not change."""
    ours, alice = write_pair(make_pair(), tmp_path / "ours"), make_pair()
    (tmp_path / "viewers").mkdir()
    _, allowed = write_pair(alice, tmp_path / "viewers" / "alice")
    secured = local()
    stage.write(stage.text(sinks=(secured,), security={"key": str(ours[0]), "viewers": str(allowed.parent)}))
    assert stage.hang_up().event == "reloaded"
    stop = threading.Event()
    source = ZmqSource(secured, stall_timeout_s=2, curve=Curve(alice, server=read_public(ours[1])))
    frames = source.frames(stop)
    next(frames)
    allowed.unlink()
    revoked_at = time.monotonic()
    assert stage.hang_up().facts["changed"] == []
    stage.daemon.await_entry("peer_revoked", after=revoked_at)
    came = list[float]()
    with pytest.raises(SourceError):
        came.extend(each.received_at - revoked_at for each in frames if isinstance(each, Frame))
    assert max(came, default=0.0) <= 1


def test_what_people_changed_on_the_page_stays_until_the_file_says_otherwise(stage: Stage) -> None:
    stage.write(stage.text(style_strength=0.2, fps=20))
    assert stage.hang_up().event == "reloaded"
    stage.ask("PATCH", "/api/v1/settings", {"style_strength": 0.7})
    stage.write(stage.text(style_strength=0.2, fps=19))
    assert stage.hang_up().facts["changed"] == ["paint.fps"]
    assert (stage.setting("style_strength"), stage.setting("fps")) == (0.7, 19)
    stage.write(stage.text(style_strength=0.3, fps=19))
    stage.hang_up()
    assert stage.setting("style_strength") == 0.3


def test_another_painting_may_be_any_picture(stage: Stage, tmp_path: Path) -> None:
    painting = tmp_path / "another.png"
    painting.write_bytes((stage.kit.folder / "style.png").read_bytes())
    stage.write(stage.text(style=str(painting)))
    assert stage.hang_up().facts["changed"] == ["paint.style"]
    assert stage.setting("style") == "another"
    stage.daemon.await_entry("style_changed", lambda facts: facts["style"] == "another")
    painting.with_name("torn.png").write_bytes(painting.read_bytes()[:500])
    stage.write(stage.text(style=str(painting.with_name("torn.png"))))
    assert stage.hang_up().facts["keys"] == ["paint.style"]
    assert stage.setting("style") == "another"
    stage.write(stage.text(style=str(painting), mix=["storm=0.5", f"{painting}=1"]))
    assert stage.hang_up().facts["changed"] == ["paint.mix"]
    assert stage.setting("mix") == ["storm=0.5", "another=1"]
    stage.write(stage.text(style=str(painting), mix=[f"{painting.with_name('torn.png')}=1"]))
    assert stage.hang_up().facts["keys"] == ["paint.mix"]


def test_a_setting_that_needs_a_new_start_is_named_and_the_rest_is_applied(stage: Stage) -> None:
    asked_at = time.monotonic()
    stage.write(stage.text(name="other", size=80, style_strength=0.4))
    assert stage.hang_up().facts["changed"] == ["paint.style_strength"]
    said = stage.daemon.await_entry("restart_needed", after=asked_at)
    assert said.facts["keys"] == ["name", "paint.size"]
    assert stage.ask("GET", "/api/v1/info")[1]["name"] == "stage"
    stage.write(stage.text())
    status, answer = stage.ask("POST", "/api/v1/reload")
    assert (status, answer) == (200, {"reloaded": True, "changed": ["paint.style_strength"], "restart_needed": []})


def test_the_api_reads_the_settings_again_and_says_what_is_wrong_with_them(stage: Stage) -> None:
    stage.write(stage.text(fps=1000, colour="red"))
    status, answer = stage.ask("POST", "/api/v1/reload")
    assert status == 422
    assert answer["problems"]["paint.fps"] == "expected a number from 0.1 to 240, got 1000"
    assert "did you mean paint.color?" in answer["problems"][""]
    stage.path.unlink()
    status, answer = stage.ask("POST", "/api/v1/reload")
    assert (status, answer["problems"]) == (422, {"": f"{stage.path}: cannot be read: No such file or directory"})
    stage.write(stage.text())
    assert stage.ask("POST", "/api/v1/reload")[0] == 200


def test_sigterm_while_the_settings_are_read_ends_the_daemon_as_always(kit: Kit, tmp_path: Path) -> None:
    """The stage itself sees that it ends in time, with exit code 0 and every frame accounted for."""
    with staged(kit, tmp_path) as stage:
        stage.write(stage.text(camera=1, sinks=(local(),)))
        for _ in range(3):
            stage.daemon.process.send_signal(signal.SIGHUP)


def test_a_terminal_that_is_closed_ends_the_daemon_and_a_signal_by_hand_does_not(kit: Kit, tmp_path: Path) -> None:
    path = tmp_path / "terminal.toml"
    path.write_text('source = "test:#size=64x48"\nsinks = ["null:"]\n[http]\nlisten = "off"\n')
    ours, theirs = pty.openpty()
    log = tmp_path / "log"
    options = ["--weights", str(kit.folder / "tiny.safetensors"), "--style", str(kit.folder / "style.png")]
    on_terminal = ["env", "--default-signal=HUP", "setsid", "--ctty"]  # the tests themselves may run under nohup
    command = [*on_terminal, sys.executable, "-m", "streamer", "run", "-c", str(path), *options]
    with (
        log.open("w") as written,
        subprocess.Popen(
            [*command, "--log-format=json"], stdin=theirs, stderr=written, stdout=written, env=kit.environment
        ) as process,
    ):
        try:
            os.close(theirs)
            await_line(log, '"started"')
            process.send_signal(signal.SIGHUP)
            await_line(log, '"reloaded"')
            os.close(ours)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
    assert '"draining"' in log.read_text()


def await_line(log: Path, text: str) -> None:
    """Return when the text is in a file that another process writes."""
    deadline = time.monotonic() + PATIENCE_S
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        threading.Event().wait(0.05)
