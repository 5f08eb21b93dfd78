"""The service as systemd runs it: the unit is the shipped one, the systemd is real, the daemon is the whole program."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.systemd_boot import Machine, booted, obstacle, remove_cgroups
from tests.tiny import tiny_weights

ROOT = Path(__file__).parents[2]
UNIT_FILE = ROOT / "systemd" / "deepmovie@.service"
UNIT = "deepmovie@test.service"
PYTHON = "/opt/deepmovie/bin/python3"
BORROWED = "/opt/packages"

SETTINGS = """
name = "test"
source = "test:"
sinks = ["tcp://127.0.0.1:5556"]
[paint]
weights = "/opt/deepmovie/tiny.safetensors"
device = "cpu"
size = 64
fps = 5
iterations = 1
"""
DROP_IN = """
[Service]
WatchdogSec=5
TimeoutAbortSec=1
RestartSec=100ms
Environment=OMP_NUM_THREADS=1
ExecStopPost=+/bin/sh -c 'echo $$SERVICE_RESULT $$EXIT_CODE $$EXIT_STATUS > /run/ended'
"""
COMMAND = f"""#!{PYTHON}
import sys
from streamer.cli import main
sys.exit(main())
"""
# Prints the header of the first frame that is not of the daemon's life named by argv[1].
SUBSCRIBER = """
import json, sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"")
socket.connect("tcp://127.0.0.1:5556")
socket.rcvtimeo = 30_000
while True:
    header = json.loads(socket.recv_multipart()[0])
    if str(header["epoch"]) != sys.argv[1]:
        sys.exit(print(json.dumps(header)))
"""


def needed(reason: str | None) -> None:
    """Skip for this reason, if there is one; in CI, where nothing may be missing, fail."""
    if reason:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def other_python() -> str | None:
    """Return why the system's Python cannot import the packages of this one, or None."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        found = subprocess.run(["/usr/bin/python3", "-c", version], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return "the service needs /usr/bin/python3"
    return None if found.strip() == wanted else f"/usr/bin/python3 is {found.strip()}, these packages are for {wanted}"


def install(root: Path) -> None:
    """Install the program, the unit and the settings below `root` as the README tells; packages are borrowed."""
    home, units, settings = (root / path for path in ("opt/deepmovie", "etc/systemd/system", "etc/deepmovie"))
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", str(home)], check=True)
    site = next(home.glob("lib/python3.*/site-packages"))
    (site / "borrowed.pth").write_text(BORROWED)
    for package in ("models", "protocols", "streamer"):
        shutil.copytree(ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__"))
    tiny_weights(home / "tiny.safetensors").chmod(0o644)
    command = home / "bin" / "deepmovie"
    command.write_text(COMMAND)
    command.chmod(0o755)

    units.mkdir(parents=True)
    shutil.copy(UNIT_FILE, units)
    (units / f"{UNIT_FILE.name}.d").mkdir()
    (units / f"{UNIT_FILE.name}.d" / "test.conf").write_text(DROP_IN)
    settings.mkdir()
    (settings / "test.toml").write_text(SETTINGS)
    (settings / "broken.toml").write_text('colour = "red"')


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    needed(obstacle() or other_python())
    files = tmp_path_factory.mktemp("files")
    install(files)
    with booted(files, read_only={Path(sysconfig.get_path("purelib")): BORROWED}) as machine:
        yield machine


@pytest.fixture
def service(machine: Machine) -> Machine:
    """The machine with the service started, which `systemctl` calls done when the daemon has said READY=1."""
    try:
        machine.run("systemctl", "start", UNIT)
    except RuntimeError as error:
        error.add_note(machine.journal(UNIT))
        raise
    return machine


def next_frame(machine: Machine, *, after: Any = None) -> dict[str, Any]:
    """Return the header of the next frame published by a life of the daemon that is not `after`."""
    try:
        header: dict[str, Any] = json.loads(machine.run(PYTHON, "-c", SUBSCRIBER, str(after)))
    except RuntimeError as error:
        error.add_note(machine.journal(UNIT))
        raise
    return header


def test_the_unit_is_correct(tmp_path: Path) -> None:
    unit = tmp_path / "deepmovie@test.service"
    unit.write_text(UNIT_FILE.read_text().replace("ExecStart=/opt/deepmovie/bin/deepmovie", "ExecStart=/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_hardened() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", str(UNIT_FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_service_paints_without_being_root(service: Machine) -> None:
    header = next_frame(service)
    assert header["msg"] == "test"
    assert service.show(UNIT, "ActiveState") == "active"
    assert service.show(UNIT, "StatusText")
    pid = service.show(UNIT, "MainPID")
    assert service.run("ps", "-o", "user=", "-p", pid) == "deepmovie"
    assert service.run("ls", "/var/cache/deepmovie"), "the painted style is kept"


def test_a_killed_daemon_is_started_again(service: Machine) -> None:
    life, restarts = next_frame(service)["epoch"], int(service.show(UNIT, "NRestarts"))
    service.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
    next_frame(service, after=life)
    assert int(service.show(UNIT, "NRestarts")) == restarts + 1


def test_a_frozen_daemon_is_found_by_the_watchdog(service: Machine) -> None:
    life, restarts = next_frame(service)["epoch"], int(service.show(UNIT, "NRestarts"))
    service.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", UNIT)
    next_frame(service, after=life)
    assert int(service.show(UNIT, "NRestarts")) == restarts + 1
    assert "Watchdog timeout" in service.journal(UNIT)


def test_a_stopped_daemon_leaves_in_five_seconds(service: Machine) -> None:
    next_frame(service)
    asked_at = time.monotonic()
    service.run("systemctl", "stop", UNIT)
    assert time.monotonic() - asked_at < 5
    assert service.show(UNIT, "ActiveState") == "inactive"
    assert service.run("cat", "/run/ended") == "success exited 0"


def test_wrong_settings_are_not_tried_again(machine: Machine) -> None:
    machine.run("systemctl", "start", "deepmovie@broken.service", check=False)
    shown = [machine.show("deepmovie@broken.service", name) for name in ("ActiveState", "ExecMainStatus", "NRestarts")]
    assert shown == ["failed", "78", "0"], machine.journal("deepmovie@broken.service")


def test_a_machine_dies_with_the_test_that_booted_it(tmp_path: Path) -> None:
    needed(obstacle())
    (tmp_path / "files").mkdir()
    code = (
        "import pathlib, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from tests.systemd_boot import booted\n"
        "with booted(pathlib.Path(sys.argv[1]), read_only={}) as machine:\n"
        "    print(machine.leader_pid, flush=True)\n"
        "    signal.pause()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "files"), str(ROOT)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as booter:
        assert booter.stdout is not None
        leader = os.pidfd_open(int(booter.stdout.readline()))
        booter.send_signal(signal.SIGKILL)
    try:
        gone, _, _ = select.select([leader], [], [], 10)
    finally:
        os.close(leader)
    assert gone
    for scratch in tmp_path.glob("deepmovie-boot-*"):
        remove_cgroups(scratch.name)
