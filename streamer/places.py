"""Where the pieces of an installed service lie, for the whole machine or for one user."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from streamer.pack import GPU, UNIT

SYSTEM_PROGRAM = Path("/opt/deepmovie")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is installed.

    Args:
        scope: who the service belongs to.
        program: the virtual environment.
        settings: the folder of the settings files.
        units: the folder of the units.
    """

    scope: Literal["system", "user"]
    program: Path
    settings: Path
    units: Path

    @property
    def unit(self) -> Path:
        """The unit of all instances."""
        return self.units / UNIT

    @property
    def gpu(self) -> Path:
        """What lets the instances see a GPU."""
        return self.units / f"{UNIT}.d" / GPU

    def settings_file(self, name: str) -> Path:
        """Return where the settings of a service lie."""
        return self.settings / f"{name}.toml"

    def secrets_file(self, name: str) -> Path:
        """Return where the environment of a service lies, which may hold passwords."""
        return self.settings / f"{name}.env"

    def systemctl(self, *words: str) -> list[str]:
        """Return the command that asks the service manager in charge."""
        return ["systemctl", *self._flags, *words]

    def journalctl(self, name: str, *words: str) -> list[str]:
        """Return the command that shows a service's log."""
        return ["journalctl", *self._flags, "--unit", instance(name), *words]

    @property
    def _flags(self) -> list[str]:
        return ["--user"] if self.scope == "user" else []


def system_place() -> Place:
    """Return where a service of the machine is installed."""
    return Place("system", SYSTEM_PROGRAM, Path("/etc/deepmovie"), Path("/etc/systemd/system"))


def user_place(environ: Mapping[str, str] = os.environ) -> Place:
    """Return where a service of this user is installed."""

    def folder(variable: str, usual: str) -> Path:
        return Path(environ.get(variable) or Path.home() / usual)

    data, config = folder("XDG_DATA_HOME", ".local/share"), folder("XDG_CONFIG_HOME", ".config")
    return Place("user", data / "deepmovie/venv", config / "deepmovie", config / "systemd/user")


def at(where: Place, program: Path | None) -> Place:
    """Return the place with another virtual environment, if one is named."""
    return where if program is None else replace(where, program=program.absolute())


def instance(name: str) -> str:
    """Return the unit of one service: ``deepmovie@door.service``; for ``*``, the pattern of all."""
    return UNIT.replace("@", f"@{name}")
