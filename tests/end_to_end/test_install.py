"""The program installs itself as a service: from a clone, in a booted systemd; and it is gone again when told so."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

from tests.end_to_end.service import (
    CLONE,
    PACKAGES,
    PROGRAM,
    SETTINGS,
    deepmovie,
    lay_out,
    next_frame,
    other_python,
)
from tests.systemd_boot import Machine, booted, obstacle
from tests.tools import needed

UNIT = "deepmovie@test.service"
INSTALLED = "/etc/systemd/system/deepmovie@.service"
HOME = "/home/painter"
USERS_PROGRAM = f"{HOME}/.local/share/deepmovie/venv"
AS_USER = (
    *("setpriv", "--reuid=painter", "--regid=painter", "--init-groups"),
    *("env", f"HOME={HOME}", "XDG_RUNTIME_DIR=/run/painter"),
)
EVERYTHING = f"find {PROGRAM} /etc/deepmovie /etc/systemd/system -type f -exec sha256sum {{}} + | sort"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine where the clone lies and nothing is installed."""
    needed(obstacle() or other_python())
    files = tmp_path_factory.mktemp("files")
    lay_out(files)
    shutil.copytree(files / PROGRAM[1:], files / USERS_PROGRAM[1:], symlinks=True)
    with booted(files, read_only=PACKAGES) as machine:
        yield machine


@pytest.fixture
def installed(machine: Machine) -> Machine:
    """The machine with the service installed."""
    deepmovie(machine, "install-service", "test")
    return machine


@contextlib.contextmanager
def changed(machine: Machine, path: str, line: str) -> Iterator[None]:
    """Let a file of the clone end with ``line``."""
    machine.run("cp", f"{CLONE}/{path}", "/srv/before")
    machine.run("sh", "-c", f"echo '{line}' >> {CLONE}/{path}")
    yield
    machine.run("cp", "/srv/before", f"{CLONE}/{path}")


def exists(machine: Machine, path: str) -> bool:
    return machine.run("sh", "-c", f"test -e {path} && echo yes || true") == "yes"


def refused(machine: Machine, *words: str) -> str:
    """Return what a command printed that had to fail."""
    with pytest.raises(RuntimeError) as failure:
        deepmovie(machine, *words)
    told = str(failure.value)
    assert "exited with 69" in told
    return told


def test_a_dry_run_tells_every_step_and_changes_nothing(machine: Machine) -> None:
    before = machine.run("sh", "-c", EVERYTHING)
    told = deepmovie(machine, "install-service", "--dry-run", "--venv", "/opt/new", "door").splitlines()
    assert machine.run("sh", "-c", EVERYTHING) == before
    assert told == [
        "find running: nothing",
        "make a virtual environment: /usr/bin/python3 -I -m venv /opt/new",
        "install the deepmovie 0.1.0 that runs now, with what it needs: /opt/new/bin/python -I -m pip install "
        "--constraint VERSIONS deepmovie-0.1.0-py3-none-any.whl",
        f"write {INSTALLED}",
        "write /etc/deepmovie/door.toml",
        "run systemctl daemon-reload",
        "run systemctl enable deepmovie@door.service",
        "run systemctl start deepmovie@door.service",
    ]


def test_what_cannot_be_installed_leaves_nothing_behind(machine: Machine) -> None:
    """The machine is offline: the environment is made, and torch cannot be had."""
    before = machine.run("sh", "-c", EVERYTHING)
    told = refused(machine, "install-service", "--venv", "/opt/new", "door")
    assert "mend: see above what pip says" in told
    assert machine.run("sh", "-c", EVERYTHING) == before
    assert not exists(machine, "/opt/new")


def test_an_installed_service_paints_without_the_clone(installed: Machine) -> None:
    installed.run("mv", CLONE, "/srv/away")
    installed.run("systemctl", "restart", UNIT)
    assert next_frame(installed)["msg"] == "test"
    assert installed.run("systemctl", "is-enabled", UNIT) == "enabled"
    installed.run("mv", "/srv/away", CLONE)


def test_installing_again_keeps_everything(installed: Machine) -> None:
    process = installed.show(UNIT, "MainPID")
    told = deepmovie(installed, "install-service", "test")
    assert {line.split()[1] for line in told.splitlines() if line.startswith("[")} == {"find", "keep", "run"}, told
    assert installed.show(UNIT, "MainPID") == process


def test_a_new_program_takes_the_place_of_the_old_one(installed: Machine) -> None:
    life = next_frame(installed)["epoch"]
    with changed(installed, "streamer/__init__.py", "# a new one"):
        deepmovie(installed, "install-service", "test")
    next_frame(installed, after=life)
    assert "# a new one" in installed.run("sh", "-c", f"cat {PROGRAM}/lib/python3*/site-packages/streamer/__init__.py")


def test_a_service_whose_settings_became_wrong_runs_on(installed: Machine) -> None:
    process = installed.show(UNIT, "MainPID")
    installed.run(
        "sh", "-c", "cp /etc/deepmovie/test.toml /srv/good.toml; sed -i 's/^fps/fsp/' /etc/deepmovie/test.toml"
    )
    with changed(installed, "streamer/__init__.py", "# an even newer one"):
        told = refused(installed, "install-service", "test")
    installed.run("cp", "/srv/good.toml", "/etc/deepmovie/test.toml")
    assert f"{UNIT} runs, but would not start again" in told
    assert "fsp" in told
    assert installed.show(UNIT, "MainPID") == process
    assert "newer" not in installed.run("sh", "-c", f"cat {PROGRAM}/lib/python3*/site-packages/streamer/__init__.py")


def test_a_new_program_that_does_not_start_is_taken_back(installed: Machine) -> None:
    life = next_frame(installed)["epoch"]
    with changed(installed, "streamer/daemon.py", "raise SystemExit(78)"):
        told = refused(installed, "install-service", "test")
    assert "what ran before is started again" in told
    next_frame(installed, after=life)
    source = installed.run("sh", "-c", f"cat {PROGRAM}/lib/python3*/site-packages/streamer/daemon.py")
    assert "raise SystemExit(78)" not in source


def test_a_service_that_does_not_start_says_why_and_leaves_the_others_alone(installed: Machine) -> None:
    """Its settings are the template's, whose sink is the one of the first service."""
    process = installed.show(UNIT, "MainPID")
    told = refused(installed, "install-service", "second")
    assert "all is installed, but deepmovie@second.service does not start" in told
    assert "tcp://127.0.0.1:5556" in told
    assert "mend: correct /etc/deepmovie/second.toml, then run systemctl start deepmovie@second.service" in told
    assert 'name = "second"' in installed.run("cat", "/etc/deepmovie/second.toml")
    assert installed.show(UNIT, "MainPID") == process
    deepmovie(installed, "uninstall-service", "--purge", "second")
    assert not exists(installed, "/etc/deepmovie/second.toml")
    assert installed.show(UNIT, "MainPID") == process


def test_an_uninstalled_service_leaves_its_settings_and_a_purged_one_nothing(installed: Machine) -> None:
    deepmovie(installed, "uninstall-service", "test")
    assert installed.show(UNIT, "ActiveState") == "inactive"
    assert not exists(installed, INSTALLED)
    assert exists(installed, "/etc/deepmovie/test.toml")
    assert "there is no deepmovie@tset.service; did you mean test?" in refused(installed, "uninstall-service", "tset")
    deepmovie(installed, "uninstall-service", "--purge", "test")
    assert not exists(installed, "/etc/deepmovie")
    assert not exists(installed, PROGRAM)


def test_a_user_installs_a_service_of_his_own(machine: Machine) -> None:
    machine.run("useradd", "--no-create-home", "--home-dir", HOME, "painter")
    machine.run("mkdir", "-p", f"{HOME}/.config/deepmovie")
    machine.run("sh", "-c", f"echo '{SETTINGS}' > {HOME}/.config/deepmovie/test.toml")
    machine.run("chown", "-R", "painter:", HOME)
    manager = ("--property=User=painter", "--property=Delegate=yes", "--property=RuntimeDirectory=painter")
    systemd = ("--setenv=XDG_RUNTIME_DIR=/run/painter", "/lib/systemd/systemd", "--user")
    machine.run("systemd-run", "--service-type=notify", *manager, *systemd)

    deepmovie(machine, "install-service", "--user", "test", prefix=AS_USER)
    assert next_frame(machine)["msg"] == "test"
    pid = machine.run(*AS_USER, "systemctl", "--user", "show", "--property=MainPID", "--value", UNIT)
    assert machine.run("ps", "-o", "user=", "-p", pid) == "painter"
    deepmovie(machine, "uninstall-service", "--user", "--purge", "test", prefix=AS_USER)
    assert machine.run("find", HOME, "-name", "*deepmovie*", "!", "-type", "d") == ""
