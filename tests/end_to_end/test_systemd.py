"""The service as systemd runs it: the unit is the shipped one, the systemd is real, the daemon is the whole program."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.keys import make_pair, write_pair
from tests.end_to_end.figures import figure
from tests.end_to_end.service import (
    PACKAGES,
    PYTHON,
    ROOT,
    SETTINGS,
    UNIT_FILE,
    WATCHDOG_S,
    deepmovie,
    lay_out,
    next_frame,
    other_python,
)
from tests.systemd_boot import Machine, booted, obstacle, remove_cgroups
from tests.tools import needed

UNIT = "deepmovie@test.service"
PATIENCE_S = 10
"""For what takes a second on a machine that has nothing else to do."""
KEYED = "deepmovie@keyed.service"
KEYED_SETTINGS = """
[http]
listen = "off"
[security]
viewers = "/etc/deepmovie/viewers"
"""
GPU_FILE = UNIT_FILE.with_name("gpu.conf")
STATUS = re.compile(r"running: \d+\.\d fps, \d+\.\d iterations, \d+ ms old")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which the program has installed itself as a service."""
    needed(obstacle() or other_python())
    files = tmp_path_factory.mktemp("files")
    lay_out(files)
    (files / "etc/deepmovie/broken.toml").write_text('colour = "red"')
    lay_out_key(files)
    with booted(files, read_only=PACKAGES) as machine:
        deepmovie(machine, "install-service", "test")
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


def lay_out_key(root: Path) -> None:
    """Put below ``root`` a service with a key that only root can read, as the head of the unit advises."""
    settings, drop_ins = root / "etc/deepmovie", root / f"etc/systemd/system/{KEYED}.d"
    write_pair(make_pair(), settings / "keyed")
    (settings / "viewers").mkdir()
    write_pair(make_pair(), settings / "viewers" / "friend")
    changes = {'"test"': '"keyed"', "127.0.0.1:5556": "0.0.0.0:5557", "[paint]": KEYED_SETTINGS + "[paint]"}
    text = SETTINGS
    for old, new in changes.items():
        text = text.replace(old, new)
    (settings / "keyed.toml").write_text(text)
    [advice] = re.findall(r"^#   a key +(.*?) +(.*)$", UNIT_FILE.read_text(), flags=re.MULTILINE)
    drop_ins.mkdir()
    (drop_ins / "key.conf").write_text("\n".join(["[Service]", *advice]).replace("door", "keyed"))


def events(machine: Machine) -> list[dict[str, object]]:
    """Return what the daemon that runs has logged; each line of it is one JSON object."""
    life = machine.show(UNIT, "InvocationID")
    said_by = [f"_SYSTEMD_INVOCATION_ID={life}", f"_PID={machine.show(UNIT, 'MainPID')}"]
    return [json.loads(line) for line in machine.run("journalctl", "--output=cat", *said_by).splitlines()]


def test_the_unit_is_correct(tmp_path: Path) -> None:
    unit = tmp_path / "deepmovie@test.service"
    unit.write_text(UNIT_FILE.read_text().replace("ExecStart=/opt/deepmovie/bin/deepmovie", "ExecStart=/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def exposure(unit: Path, *, at_most: float) -> float:
    """Return how much of the machine a unit lays open, from 0 to 10, as systemd judges it."""
    threshold = f"--threshold={10 * at_most:.0f}"
    command = ["systemd-analyze", "security", "--offline=yes", threshold, "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    found = re.search(r"exposure level for .*: (\d+\.\d)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def test_the_unit_is_hardened() -> None:
    figure("exposure", unit=exposure(UNIT_FILE, at_most=1.9))


def test_a_gpu_opens_no_other_door(tmp_path: Path) -> None:
    """A later value takes the place of an earlier one, as that of a drop-in does."""
    unit = tmp_path / UNIT_FILE.name
    unit.write_text(f"{UNIT_FILE.read_text()}\n{GPU_FILE.read_text()}")
    figure("exposure", with_gpu=exposure(unit, at_most=1.9))


def test_the_service_paints_without_being_root(service: Machine) -> None:
    header = next_frame(service)
    assert header["msg"] == "test"
    assert service.show(UNIT, "ActiveState") == "active"
    pid = service.show(UNIT, "MainPID")
    assert service.run("ps", "-o", "user=", "-p", pid) == "deepmovie"
    assert service.run("ls", "/var/cache/deepmovie"), "the painted style is kept"


def test_the_status_shows_how_it_goes(service: Machine) -> None:
    next_frame(service)
    reports = f"journalctl --follow --lines=0 --output=cat --unit {UNIT} | grep --max-count=2 'age_p50_ms.: [0-9]'"
    service.run("sh", "-c", reports)  # the status is updated after each: the first one's is out
    assert STATUS.search(service.run("systemctl", "status", "--lines=0", UNIT))


def test_the_journal_holds_one_json_object_a_line(service: Machine) -> None:
    next_frame(service)
    logged = {event["event"] for event in events(service)}
    assert {"starting", "started"} <= logged


def reload(service: Machine, old: str, new: str, outcome: str) -> None:
    """Change a line of the settings, reload, and return when the daemon has said what became of it."""
    cursor = service.run("sh", "-c", "journalctl --lines=0 --show-cursor | sed -n 's/^-- cursor: //p'")
    service.run("sed", "-i", f"s/^{old}$/{new}/", "/etc/deepmovie/test.toml")
    service.run("systemctl", "reload", UNIT)
    follow = f"journalctl --follow --no-tail --after-cursor='{cursor}' --output=cat --unit {UNIT}"
    service.run("sh", "-c", f'{follow} | grep --max-count=1 \'"event": "{outcome}"\'')


def test_a_reload_changes_the_picture_and_not_the_process(service: Machine) -> None:
    life, process = next_frame(service)["epoch"], service.show(UNIT, "MainPID")
    reload(service, "iterations = 1", "iterations = 3", "reloaded")
    assert next_frame(service, iterations=3)["epoch"] == life
    reload(service, "iterations = 3", "iteratoins = 1", "reload_rejected")
    assert next_frame(service, iterations=3)["epoch"] == life
    reload(service, "iteratoins = 1", "iterations = 1", "reloaded")
    assert service.show(UNIT, "MainPID") == process
    assert service.show(UNIT, "ActiveState") == "active"


def test_a_killed_daemon_is_started_again(service: Machine) -> None:
    life, restarts = next_frame(service)["epoch"], int(service.show(UNIT, "NRestarts"))
    killed_at = time.monotonic()
    service.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
    next_frame(service, after=life)
    figure("SIGKILL", next_frame_s=time.monotonic() - killed_at)
    assert int(service.show(UNIT, "NRestarts")) == restarts + 1


def test_a_frozen_daemon_is_found_by_the_watchdog(service: Machine) -> None:
    life, restarts = next_frame(service)["epoch"], int(service.show(UNIT, "NRestarts"))
    daemon = os.pidfd_open(service.outside(int(service.show(UNIT, "MainPID"))))
    frozen_at = time.monotonic()
    service.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", UNIT)
    gone, _, _ = select.select([daemon], [], [], WATCHDOG_S + PATIENCE_S)
    os.close(daemon)
    assert gone
    figure("freeze", watchdog_s=WATCHDOG_S, gone_s=time.monotonic() - frozen_at)
    next_frame(service, after=life)
    figure("freeze", next_frame_s=time.monotonic() - frozen_at)
    assert int(service.show(UNIT, "NRestarts")) == restarts + 1
    assert service.run("cat", "/run/ended").startswith("watchdog ")


def test_a_stopped_daemon_leaves_in_five_seconds(service: Machine) -> None:
    next_frame(service)
    asked_at = time.monotonic()
    service.run("systemctl", "stop", UNIT)
    taken_s = time.monotonic() - asked_at
    figure("stop", s=taken_s)
    assert taken_s < 5
    assert service.show(UNIT, "ActiveState") == "inactive"
    assert service.run("cat", "/run/ended") == "success exited 0"


def test_the_doctor_tells_when_a_unit_hides_the_gpu(machine: Machine) -> None:
    """There is a device file and no GPU: where it may be seen, it does not answer."""
    machine.run("sh", "-c", "mkdir -p /srv/gpu/proc/driver/nvidia; touch /srv/gpu/proc/driver/nvidia/version")
    machine.run("sh", "-c", "ln -sfn /dev /srv/gpu/dev; mknod --mode=666 /dev/nvidiactl c 195 255")
    code = "from pathlib import Path; from streamer.checkups_devices import examine; print(*examine(Path('/srv/gpu')))"

    def told(*directives: str) -> str:
        unit = ["systemd-run", "--quiet", "--pipe", "--wait", *(f"--property={each}" for each in directives)]
        return machine.run(*unit, PYTHON, "-c", code)

    assert "/dev/nvidiactl is not to be seen from here" in told("PrivateDevices=yes")
    assert "/dev/nvidiactl does not answer" in told(*directives(GPU_FILE.read_text()))


def directives(drop_in: str) -> list[str]:
    """Return what a drop-in says of devices."""
    return [line for line in drop_in.splitlines() if line.startswith(("PrivateDevices=", "Device"))]


def test_a_key_that_only_root_can_read_reaches_the_daemon(machine: Machine) -> None:
    machine.run("systemctl", "start", KEYED)
    assert machine.show(KEYED, "ActiveState") == "active", "open to other machines, which it refuses without a key"
    machine.run("systemctl", "stop", KEYED)


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
