"""What would keep a service from being installed, found before anything is changed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from streamer.environment import ask
from streamer.places import Place
from streamer.steps import answer

HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ``ProtectHome=yes`` takes out of the service's sight."""
OLDEST_PYTHON = (3, 11)


def obstacles(name: str, where: Place, python: Path) -> Iterator[str]:
    """Yield what is in the way of the service ``name``, each with what mends it."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        yield f"a service is called by 1 to 64 of A-Z a-z 0-9 _ . -, got {name!r}"
    yield from _manager(where)
    yield from _program(where)
    if not (where.program / "bin" / "python").exists():
        yield from _python(where, python)


def _manager(where: Place) -> Iterator[str]:
    if where.scope == "system":
        if os.geteuid() != 0:
            yield "only root can install a service of the machine\nmend: use sudo, or install your own with --user"
        if not Path("/run/systemd/system").is_dir():
            yield "systemd does not run this machine\nmend: start 'deepmovie run' by what does"
    elif not answer(*where.systemctl("show-environment")):
        yield "your service manager does not answer\nmend: log in as yourself (not by su or sudo), and try again"


def _program(where: Place) -> Iterator[str]:
    folder = where.program
    if where.scope == "system" and _is_hidden(folder):
        yield f"the service would not see {folder}: ProtectHome hides it\nmend: choose a --venv outside the homes"
    if folder.exists() and not (folder / "pyvenv.cfg").exists() and (not folder.is_dir() or any(folder.iterdir())):
        yield f"{folder} is there and no virtual environment\nmend: move it away, or choose another --venv"


def _python(where: Place, python: Path) -> Iterator[str]:
    found = ask(python)
    if found is None:
        yield (
            f"{python} cannot make a virtual environment\nmend: apt-get install python3-venv, or name another --python"
        )
    elif found.version < OLDEST_PYTHON:
        version, oldest = (".".join(map(str, each)) for each in (found.version, OLDEST_PYTHON))
        yield f"{python} is Python {version}, expected {oldest} or newer\nmend: name another --python"
    elif where.scope == "system" and _is_hidden(found.prefix):
        yield f"the service would not see {found.prefix}: ProtectHome hides it\nmend: name a --python outside the homes"


def _is_hidden(path: Path) -> bool:
    return any(path.resolve().is_relative_to(home) for home in HIDDEN)
