"""The program as a user has it, in a clone below /srv on a machine of its own, ready to be installed as a service.

The machine has no network, and torch is several gigabytes; so the service's environment is made before, and borrows the
packages of this one. pip finds them there, and installs nothing but the program.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.systemd_boot import Machine
from tests.tiny import tiny_weights

ROOT = Path(__file__).parents[2]
UNIT_FILE = ROOT / "systemd" / "deepmovie@.service"
CLONE = "/srv/clone"
PROGRAM = "/opt/deepmovie"
PYTHON = f"{PROGRAM}/bin/python3"
BORROWED = "/opt/packages"
PACKAGES = {Path(sysconfig.get_path("purelib")): BORROWED}
"""What a machine needs to see of this environment, and where."""

SETTINGS = """
name = "test"
source = "test:"
sinks = ["tcp://127.0.0.1:5556"]
[paint]
weights = "/srv/tiny.safetensors"
device = "cpu"
size = 64
fps = 5
iterations = 1
"""
WATCHDOG_S = 5
DROP_IN = f"""
[Service]
WatchdogSec={WATCHDOG_S}
TimeoutAbortSec=1
RestartSec=100ms
Environment=OMP_NUM_THREADS=1
ExecStopPost=+/bin/sh -c 'echo $$SERVICE_RESULT $$EXIT_CODE $$EXIT_STATUS > /run/ended'
"""
SUBSCRIBER = """
import json, sys, zmq
after, iterations = sys.argv[1:]
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"")
socket.connect("tcp://127.0.0.1:5556")
socket.rcvtimeo = 30_000
while True:
    header = json.loads(socket.recv_multipart()[0])
    if str(header["epoch"]) != after and header["iterations"] >= int(iterations):
        sys.exit(print(json.dumps(header)))
"""
"""Prints the header of the first frame that is not of the daemon's life ``after``, and was given so many iterations."""

METADATA = "import setuptools.build_meta as backend, sys; backend.prepare_metadata_for_build_wheel(sys.argv[1])"
"""Does what of ``pip install -e .`` needs no network."""


def other_python() -> str | None:
    """Return why the system's Python cannot import the packages of this one, or None."""
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        found = subprocess.run(["/usr/bin/python3", "-c", version], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return "the service needs /usr/bin/python3"
    return None if found.strip() == wanted else f"/usr/bin/python3 is {found.strip()}, these packages are for {wanted}"


def lay_out(root: Path) -> None:
    """Put below ``root`` the clone, the settings of ``test``, and an environment for the program."""
    clone = root / CLONE[1:]
    for package in ("models", "protocols", "streamer", "systemd"):
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, clone)
    packages = _environment(clone / ".venv", CLONE, BORROWED, pip=False)
    subprocess.run([sys.executable, "-c", METADATA, str(packages)], cwd=clone, check=True, stdout=subprocess.DEVNULL)
    _environment(root / PROGRAM[1:], BORROWED, pip=True)
    tiny_weights(root / "srv" / "tiny.safetensors").chmod(0o644)

    drop_ins, settings = root / "etc/systemd/system/deepmovie@.service.d", root / "etc/deepmovie"
    for folder in (drop_ins, settings):
        folder.mkdir(parents=True)
    (drop_ins / "test.conf").write_text(DROP_IN)
    (settings / "test.toml").write_text(SETTINGS)


def _environment(folder: Path, *paths: str, pip: bool) -> Path:
    """Make a virtual environment that imports from ``paths``, too, and return the folder of its own packages."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", *([] if pip else ["--without-pip"]), str(folder)], check=True)
    site = next(folder.glob("lib/python3.*/site-packages"))
    (site / "borrowed.pth").write_text("\n".join(paths))
    for old in site.glob("setuptools*"):  # would hide the borrowed one, which torch needs
        shutil.rmtree(old)
    return site


def deepmovie(machine: Machine, *words: str, prefix: Sequence[str] = ()) -> str:
    """Run a command of the clone's program inside, and return what it printed; ``prefix`` decides who runs it."""
    return machine.run(*prefix, "env", "PIP_NO_INDEX=1", f"{CLONE}/.venv/bin/python3", "-m", "streamer", *words)


def next_frame(machine: Machine, *, after: object = None, iterations: int = 0) -> dict[str, Any]:
    """Return the header of the next frame with so many iterations, from a life of the daemon that is not ``after``."""
    subscriber = ["/usr/bin/python3", "-c", SUBSCRIBER, str(after), str(iterations)]
    try:
        said = machine.run("env", f"PYTHONPATH={BORROWED}", *subscriber)
    except RuntimeError as error:
        error.add_note(machine.journal("deepmovie@test.service"))
        raise
    header: dict[str, Any] = json.loads(said)
    return header
