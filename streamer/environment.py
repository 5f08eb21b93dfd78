"""The virtual environment of a service: made by the system's Python, filled with the running program."""

import importlib.metadata
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from streamer.pack import Wheel, pack_installed
from streamer.steps import Step, answer, command

_ASK_PYTHON = "import ensurepip, sys, venv; print(*sys.version_info[:2], sys.base_prefix)"
_MEND_PIP = "see above what pip says; most often there is no network, or no room (torch with CUDA takes 6 GB)"


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter that can make a virtual environment."""

    version: tuple[int, int]
    prefix: Path
    """Where its standard library lies."""


def ask(python: Path) -> Python | None:
    """Return what a Python says of itself; None if it cannot make a virtual environment."""
    told = answer(python, "-I", "-c", _ASK_PYTHON).split(maxsplit=2)
    return Python((int(told[0]), int(told[1])), Path(told[2])) if len(told) == 3 else None


def make(folder: Path, python: Path) -> Step:
    """Return how the virtual environment comes to be."""
    if (folder / "bin" / "python").exists():
        return Step(f"keep the virtual environment {folder}")
    words: list[str | Path] = [python, "-I", "-m", "venv", folder]
    mend = f"see whether {folder.parent} can be written to; on Debian and Ubuntu: apt-get install python3-venv"

    def undo() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    return Step(f"make a virtual environment: {_shown(words)}", lambda: command(*words, mend=mend), undo)


def fill(folder: Path, wheel: Wheel) -> Step:
    """Return how the program comes into the virtual environment."""
    if _installed_sha256(folder) == wheel.sha256:
        return Step(f"keep deepmovie {wheel.version} in {folder}, which is the one that runs now")
    before = pack_installed(folder)

    def undo() -> None:
        if before is not None:
            _install(folder, before, constraints=[])

    return Step(
        f"install the deepmovie {wheel.version} that runs now, with what it needs: "
        f"{_shown([*_pip(folder), '--constraint', 'VERSIONS', wheel.file_name])}",
        lambda: _install(folder, wheel, constraints=_versions_here(folder)),
        undo,
    )


def _install(folder: Path, wheel: Wheel, *, constraints: list[str]) -> None:
    """Let pip resolve and fetch everything before it changes anything; then exchange our own files."""
    with tempfile.TemporaryDirectory(prefix="deepmovie-") as scratch:
        file, versions = Path(scratch, wheel.file_name), Path(scratch, "versions.txt")
        file.write_bytes(wheel.content)
        versions.write_text("\n".join(constraints))
        command(*_pip(folder), "--constraint", versions, file, mend=_MEND_PIP)
        if _installed_sha256(folder) != wheel.sha256:  # another program of the same version number was there
            command(*_pip(folder), "--no-deps", "--force-reinstall", file, mend=_MEND_PIP)


def _versions_here(folder: Path) -> list[str]:
    """Return the versions that the running program was seen to work with, if both run on the same Python."""
    there = ask(folder / "bin" / "python")
    if there is None or there.version != sys.version_info[:2]:
        return []
    pairs = {each.name: each.version.partition("+")[0] for each in importlib.metadata.distributions()}
    return sorted(f"{name}=={version}" for name, version in pairs.items() if name != "deepmovie")


def _installed_sha256(folder: Path) -> str | None:
    """Return which wheel pip has installed there, as it notes itself."""
    sites = [str(site) for site in folder.glob("lib/python3*/site-packages")]
    for distribution in Distribution.discover(name="deepmovie", path=sites):
        note = json.loads(distribution.read_text("direct_url.json") or "{}")
        return str(note.get("archive_info", {}).get("hashes", {}).get("sha256"))
    return None


def _pip(folder: Path) -> list[str | Path]:
    return [folder / "bin" / "python", "-I", "-m", "pip", "install"]


def _shown(words: list[str | Path]) -> str:
    return " ".join(map(str, words))
