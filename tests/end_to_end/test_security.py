"""The real daemon, open to other machines: with keys and nothing less."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from protocols.keys import KeyPair, make_pair, read_pair, read_public
from tests.end_to_end.daemon import PATIENCE_S, Deepmovie, Kit, deepmovie
from tests.end_to_end.figures import figure
from tests.protocols.test_curve import stranger
from tests.protocols.test_zeromq import free_port


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Return a folder with the keys of a daemon, a camera and a screen, made as the user makes them."""
    for name in ("hall", "feeders/camera", "viewers/screen"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "streamer", "keygen", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
        assert f"{name}.key" in done.stdout
        assert f"{name}.pub" in done.stdout
    return tmp_path


def secured(keys: Path) -> list[str]:
    """Return the arguments that give a daemon its keys."""
    settings = {"key": keys / "hall.key", "feeders": keys / "feeders", "viewers": keys / "viewers"}
    return [text for name, value in settings.items() for text in ("--set", f"security.{name}={value}")]


def known(keys: Path, pair: KeyPair) -> dict[str, bytes]:
    """Return the options of a pyzmq socket that has a key and knows the daemon's."""
    server = read_public(keys / "hall.pub")
    return {"curve_publickey": pair.public, "curve_secretkey": pair.secret, "curve_serverkey": server}


@contextmanager
def sending(command: list[str], daemon: Deepmovie) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield a camera that runs once the daemon does."""
    daemon.await_entry("started")
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_daemon_open_to_the_network_takes_and_shows_frames_only_by_key(kit: Kit, keys: Path) -> None:
    feed, out = free_port(), free_port()
    command = kit.command(f"pull+bind:tcp://0.0.0.0:{feed}", f"tcp://0.0.0.0:{out}", *secured(keys))
    camera = [sys.executable, "-m", "streamer", "send", "test:#size=64x48"]
    camera += [f"push+connect:tcp://127.0.0.1:{feed}#peer={keys / 'hall.pub'}"]
    camera += ["--key", str(keys / "feeders" / "camera.key")]
    address = f"tcp://127.0.0.1:{out}"
    with (
        deepmovie(command, kit.environment) as daemon,
        sending(camera, daemon) as sender,
        stranger(zmq.SUB, address, **known(keys, read_pair(keys / "viewers" / "screen.key"))) as screen,
        stranger(zmq.SUB, address) as plain,
        stranger(zmq.SUB, address, **known(keys, make_pair())) as unlisted,
        stranger(zmq.SUB, address, **known(keys, read_pair(keys / "feeders" / "camera.key"))) as feeder,
        stranger(zmq.PUSH, f"tcp://127.0.0.1:{feed}", **known(keys, make_pair()), immediate=False) as intruder,
    ):
        intruder.send_multipart([b"{}", b""], zmq.NOBLOCK)
        seen = 0
        while seen < 20 or not daemon.entries("peer_auth_failed"):
            assert screen.poll(round(PATIENCE_S * 1000))
            screen.recv_multipart()
            seen += 1
        sender.kill()
        refused = sum(entry.facts["count"] for entry in daemon.entries("peer_auth_failed"))
        assert not any(socket.poll(0) for socket in (plain, unlisted, feeder))
        stats = daemon.await_stats(lambda stats: stats["state"] == "source_lost")
    figure("N2", seen_by_the_listed=seen, seen_by_others=0, refusals=refused, rejected=stats["dropped"].get("parts", 0))
    assert stats["dropped"].get("header", 0) == 0
    secrets = [read_pair(path).secret.decode() for path in keys.rglob("*.key")]
    assert not any(secret in daemon.output for secret in secrets)


def _open_to_all(keys: Path) -> None:
    (keys / "hall.key").chmod(0o644)


def _link(keys: Path) -> None:
    (keys / "hall.key").rename(keys / "real.key")
    (keys / "hall.key").symlink_to(keys / "real.key")


def _gone(keys: Path) -> None:
    (keys / "hall.key").unlink()


def _secret_among_the_feeders(keys: Path) -> None:
    (keys / "feeders" / "camera.key").rename(keys / "feeders" / "camera.pub")


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "an open mode": (_open_to_all, "0644 lets others in; expected 0600"),
    "a link": (_link, "symbolic link"),
    "no key": (_gone, "No such file"),
    "a secret among the feeders": (_secret_among_the_feeders, "stays with its program"),
}


@pytest.mark.parametrize("way", WRONG)
def test_keys_that_are_not_safe_stop_the_start(kit: Kit, keys: Path, way: str) -> None:
    damage, said = WRONG[way]
    secret = (keys / "hall.key").read_text().split('secret-key = "')[1][:40]
    damage(keys)
    began = time.monotonic()
    command = kit.command("pull+bind:tcp://0.0.0.0:5", "null:", *secured(keys))
    done = subprocess.run(command, env=kit.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    figure("row 58", fault=repr(way), exit_code=done.returncode, took_s=time.monotonic() - began)
    assert done.returncode == 78, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert secret not in done.stdout + done.stderr


def test_without_a_key_or_without_a_list_an_open_address_stops_the_start(kit: Kit, keys: Path) -> None:
    ways = {
        ("tcp://0.0.0.0:5556",): "a security.key",
        ("tcp://0.0.0.0:5556", *secured(keys)[:2]): "security.viewers",
        ("tcp://0.0.0.0:5556#curve=no", *secured(keys)): "open to other machines",
        ("pub+connect:tcp://192.0.2.1:5556", *secured(keys)): "#peer=FILE.pub",
    }
    for arguments, said in ways.items():
        command = [sys.executable, "-m", "streamer", "check", "test:", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 78, arguments
        assert said in done.stderr
    fine = [sys.executable, "-m", "streamer", "check", "test:", "tcp://0.0.0.0:5556", *secured(keys)]
    done = subprocess.run(fine, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr


def test_keygen_refuses_to_overwrite(keys: Path) -> None:
    before = (keys / "hall.key").read_bytes()
    command = [sys.executable, "-m", "streamer", "keygen", str(keys / "hall")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 78
    assert "never overwritten" in done.stderr
    assert (keys / "hall.key").read_bytes() == before
