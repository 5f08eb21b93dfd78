"""What systemd hears, on real datagram sockets."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.notify import MAX_STATUS_CHARS, SilentNotifier, notifier, watchdog_interval_s


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(2)
        yield listening


def test_each_state_is_one_datagram(manager: socket.socket) -> None:
    us = notifier({"NOTIFY_SOCKET": manager.getsockname()})
    assert us.ready("running")
    assert us.status("10 fps")
    assert us.watchdog()
    assert us.stopping()
    heard = [manager.recv(4096).decode() for _ in range(4)]
    us.close()
    assert heard == ["READY=1\nSTATUS=running", "STATUS=10 fps", "WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_socket_is_reached() -> None:
    name = f"deepmovie-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(2)
        us = notifier({"NOTIFY_SOCKET": f"@{name}"})
        assert us.watchdog()
        us.close()
        assert listening.recv(100) == b"WATCHDOG=1"


def test_a_status_cannot_smuggle_in_another_state_or_a_password(manager: socket.socket) -> None:
    us = notifier({"NOTIFY_SOCKET": manager.getsockname()})
    us.status("lost rtsp://user:hunter2@cam/live\nWATCHDOG=1" + "x" * 5000)
    us.close()
    heard = manager.recv(9000).decode()
    assert "\n" not in heard
    assert "hunter2" not in heard
    assert len(heard) <= len("STATUS=") + MAX_STATUS_CHARS


def test_a_full_socket_costs_the_message_and_no_time(manager: socket.socket) -> None:
    us = notifier({"NOTIFY_SOCKET": manager.getsockname()})
    assert not all(us.watchdog() for _ in range(10_000))
    manager.recv(100)
    assert us.watchdog()
    us.close()


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    us = notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not us.ready("running")
    us.close()
    assert not us.watchdog()
    us = notifier({"NOTIFY_SOCKET": "/" + "x" * 500})
    assert not us.watchdog()
    us.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_manager_nothing_is_sent(environ: dict[str, str]) -> None:
    us = notifier(environ)
    assert isinstance(us, SilentNotifier)
    assert not us.ready("running")
    us.close()


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "10000000"}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid())}, 5.0),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(environ: dict[str, str], interval_s: float | None) -> None:
    assert watchdog_interval_s(environ) == interval_s
