"""The services of deepmovie that a service manager knows of."""

import os
import subprocess
from pathlib import Path

from streamer.exits import Exit, FatalError
from streamer.places import Place, instance
from streamer.steps import answer


def instances(where: Place) -> set[str]:
    """Return the names of all services that run, have failed, are started at boot, or have settings."""
    listed = answer(*where.systemctl("list-units", "--plain", "--no-legend", instance("*")))
    listed += "\n" + answer(*where.systemctl("list-unit-files", "--plain", "--no-legend", instance("*")))
    units = [line.split()[0] for line in listed.splitlines() if line.strip()]
    names = {unit.partition("@")[2].removesuffix(".service") for unit in units} - {""}
    return names | {path.stem for path in where.settings.glob("*.toml")}


def running(where: Place) -> dict[str, str]:
    """Return the units that run, and the number of each one's process."""
    units = [instance(name) for name in sorted(instances(where))]
    processes = {unit: answer(*where.systemctl("show", "--property=MainPID", "--value", unit)) for unit in units}
    return {unit: process for unit, process in processes.items() if process not in {"", "0"}}


def check(unit: str, process: str, where: Place) -> None:
    """Let the installed program read the settings of a service that runs, as it would at the next start.

    It does so with the account, the folder and the environment of the service's process, where its secrets are.

    Raises:
        FatalError: It would not start.
    """
    settings = where.settings_file(unit.partition("@")[2].removesuffix(".service"))
    there = Path("/proc", process)
    entries = (there / "environ").read_bytes().split(b"\0")
    owner = there.stat()
    done = subprocess.run(  # noqa: S603 - ours
        [where.program / "bin" / "deepmovie", "check", "--config", settings],
        env=dict(entry.split(b"=", 1) for entry in entries if b"=" in entry),
        cwd=there / "cwd",
        user=owner.st_uid,
        group=owner.st_gid,
        extra_groups=[] if os.geteuid() == 0 else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        told = f"{unit} runs, but would not start again:\n{done.stderr.strip()}\nmend: correct {settings}"
        raise FatalError(told, code=Exit.UNAVAILABLE)
