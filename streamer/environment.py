"""The virtual environment of a service: made by the system's Python, filled with the running program."""

import importlib.metadata
import shutil
import sys
import tempfile
from dataclasses import dataclass
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
    before = pack_installed(folder)
    if before == wheel:
        return Step(f"keep deepmovie {wheel.version} in {folder}, which is the one that runs now")

    def do() -> None:
        _install_with_needs(folder, wheel)
        if pack_installed(folder) != wheel:  # pip keeps another program of the same version number
            _exchange(folder, wheel)

    def undo() -> None:
        if before is not None:
            _exchange(folder, before)

    words = [*_pip(folder), "--constraint", "VERSIONS", wheel.file_name]
    return Step(f"install the deepmovie {wheel.version} that runs now, with what it needs: {_shown(words)}", do, undo)


def _install_with_needs(folder: Path, wheel: Wheel) -> None:
    """Let pip resolve and fetch everything, before it changes anything."""
    with tempfile.TemporaryDirectory(prefix="deepmovie-") as scratch:
        versions = Path(scratch, "versions.txt")
        versions.write_text("\n".join(_versions_here(folder)))
        command(*_pip(folder), "--constraint", versions, _written(wheel, scratch), mend=_MEND_PIP)


def _exchange(folder: Path, wheel: Wheel) -> None:
    """Put our own files in the place of others."""
    with tempfile.TemporaryDirectory(prefix="deepmovie-") as scratch:
        command(*_pip(folder), "--no-deps", "--force-reinstall", _written(wheel, scratch), mend=_MEND_PIP)


def _written(wheel: Wheel, folder: str) -> Path:
    path = Path(folder, wheel.file_name)
    path.write_bytes(wheel.content)
    return path


def _versions_here(folder: Path) -> list[str]:
    """Return the versions that the running program was seen to work with, if both run on the same Python."""
    there = ask(folder / "bin" / "python")
    if there is None or there.version != sys.version_info[:2]:
        return []
    pairs = {each.name: each.version.partition("+")[0] for each in importlib.metadata.distributions()}
    return sorted(f"{name}=={version}" for name, version in pairs.items() if name != "deepmovie")


def _pip(folder: Path) -> list[str | Path]:
    return [folder / "bin" / "python", "-I", "-m", "pip", "install"]


def _shown(words: list[str | Path]) -> str:
    return " ".join(map(str, words))
