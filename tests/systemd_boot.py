"""Boots a real systemd: PID 1 of a container whose root is a throw-away overlay of this machine's own.

Its mounts live in their own mount namespace and its processes in their own PID namespace, whose first process dies
with the one that booted it: nothing stays mounted and nothing runs on, even when a test is killed.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

BOOT_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 90.0
_CGROUPS = Path("/sys/fs/cgroup")

_CONFINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--mount-proc", "--fork", "--kill-child"),
    *("sh", "-ec"),
)
# $1: a folder to mount on, $2: the files to lay over this machine's root.
_OVERLAY = """
mount -t tmpfs -o size=1g tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root" "$1/upper/etc"
: > "$1/upper/etc/machine-id"
cp -a "$2/." "$1/upper"
chmod 755 "$1/upper"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
"""
# $3: a control group of its own, else two machines would share one.  basic.target: nothing this machine has enabled.
_BOOT = """
root=$1/root
mkdir "$3"
echo $$ > "$3/cgroup.procs"
shift 3
exec systemd-nspawn --quiet --boot --directory="$root" --register=no --keep-unit --link-journal=no \
    --private-network --console=pipe --notify-ready=yes "$@" systemd.unit=basic.target
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A booted system; its network has no device but its own loopback."""

    leader_pid: int

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a command inside, as root, and return what it printed; raises RuntimeError with that when it fails."""
        inside = ["nsenter", "-t", str(self.leader_pid), "-m", "-u", "-i", "-n", "-p", "-C", "--", *argv]
        try:
            done = subprocess.run(
                inside,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{' '.join(argv)} did not end in {COMMAND_TIMEOUT_S} s:\n{error.output}") from None
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout}")
        return done.stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit)

    def outside(self, pid: int) -> int:
        """Return the number that a process of the machine has out here."""
        inner = (process.pid for process in psutil.Process(self.leader_pid).children(recursive=True))
        found: int = next(each for each in inner if _pid_inside(each) == pid)
        return found

    def journal(self, unit: str) -> str:
        """Return what the unit logged last, and systemd about it."""
        return self.run("journalctl", "--no-pager", "--output=short-precise", "--lines=80", "--unit", unit)


def obstacle() -> str | None:
    """Return why no systemd can be booted here, or None."""
    if os.geteuid() != 0:
        return "booting a systemd needs root"
    for tool in ("systemd-nspawn", "setpriv", "unshare", "nsenter"):
        if shutil.which(tool) is None:
            return f"booting a systemd needs {tool} (Debian: systemd-container, util-linux)"
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as files:
        command = [*_CONFINED, _OVERLAY, "overlay", scratch, files]
        tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return f"an overlay of this machine's root cannot be mounted: {tried.stderr.strip()}" if tried.returncode else None


@contextlib.contextmanager
def booted(files: Path, *, read_only: Mapping[Path, str]) -> Iterator[Machine]:
    """Boot a systemd; it is gone when the context ends.

    Args:
        files: A folder that is laid over this machine's root.
        read_only: Folders of this machine, and where they appear inside.

    Raises:
        TimeoutError: If it did not come up; with its console.
    """
    binds = [f"--bind-ro={outside}:{inside}" for outside, inside in read_only.items()]
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deepmovie-boot-")))
        (scratch / "mount").mkdir()
        notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notices.bind(str(scratch / "notify"))
        notices.settimeout(BOOT_TIMEOUT_S)
        console = scratch / "console"
        stack.callback(remove_cgroups, scratch.name)
        process = subprocess.Popen(
            [*_CONFINED, _OVERLAY + _BOOT, "boot", scratch / "mount", files, _unified() / scratch.name, *binds],
            env={**os.environ, "NOTIFY_SOCKET": str(scratch / "notify")},
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(console.open("wb")),
            stderr=subprocess.STDOUT,
        )
        stack.callback(_end, process)
        try:
            with notices:  # closed then: a systemd whose news nobody reads stops in the end
                _await_boot(notices)
        except TimeoutError as error:
            raise TimeoutError(f"no systemd after {BOOT_TIMEOUT_S} s:\n{console.read_text()}") from error
        # unshare -> nspawn -> systemd
        yield Machine(psutil.Process(process.pid).children()[0].children()[0].pid)


def remove_cgroups(name: str) -> None:
    """Remove the empty control groups of a machine that has died."""
    for group in (_unified() / name, _CGROUPS / "systemd" / name):
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()


def _pid_inside(pid: int) -> int:
    [line] = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid:"))
    return int(line.split()[-1])


def _await_boot(notices: socket.socket) -> None:
    """Return when the container's systemd has said that it is up."""
    while b"READY=1" not in notices.recv(4096).splitlines():
        pass


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process of the PID namespace, and return when the whole namespace has died with it."""
    for first in psutil.Process(process.pid).children():
        first.kill()
    process.wait()


def _unified() -> Path:
    """Return where the second version of control groups is mounted, alone or beside the first."""
    beside = _CGROUPS / "unified"
    return beside if beside.is_dir() else _CGROUPS
