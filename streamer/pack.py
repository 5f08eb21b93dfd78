"""The installed program as a wheel, so that what is installed elsewhere is the very code that runs here.

It needs no build tool, no network and no clone that still is as it was: the files are packed from where they lie.
"""

import base64
import hashlib
import importlib.metadata
import io
import re
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

from streamer.exits import Exit, FatalError

HERE = Path(__file__).parents[1]
"""What holds the three packages: a clone, or the folder they were installed into."""
SHARE = "share/deepmovie"
UNIT = "deepmovie@.service"
GPU = "gpu.conf"
SHIPPED = (UNIT, GPU)
"""The files of ``systemd/`` that are installed with the program."""

_WHEEL = "Wheel-Version: 1.0\nGenerator: deepmovie\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_METADATA = ("METADATA", "entry_points.txt", "top_level.txt", "licenses/LICENSE")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel file; two of the same program are equal."""

    version: str
    content: bytes

    @property
    def file_name(self) -> str:
        """How pip wants it to be called."""
        return f"deepmovie-{self.version}-py3-none-any.whl"


def shipped() -> Mapping[str, bytes]:
    """Return the unit and its drop-in that belong to the running program, by their names."""
    return _shipped(_distribution(), HERE)


def pack_running() -> Wheel:
    """Return the running program as a wheel.

    Raises:
        FatalError: The clone it runs from has changed what it needs since it was installed.
    """
    distribution = _distribution()
    if (HERE / "pyproject.toml").is_file():
        _check_metadata(distribution, (HERE / "pyproject.toml").read_text())
    return _pack(distribution, HERE)


def pack_installed(environment: Path) -> Wheel | None:
    """Return the program that is installed in a virtual environment as a wheel, if there is one."""
    for site in environment.glob("lib/python3*/site-packages"):
        for distribution in Distribution.discover(name="deepmovie", path=[str(site)]):
            if (site / "streamer").is_dir():
                return _pack(distribution, site)
    return None


def _distribution() -> Distribution:
    """Return what pip knows of the running program; not the ``.egg-info`` that a build has left in a clone."""
    for distribution in importlib.metadata.distributions(name="deepmovie"):
        if distribution.read_text("METADATA") is not None:
            return distribution
    raise FatalError(
        f"deepmovie runs from {HERE} without being installed\nmend: pip install -e {HERE}", code=Exit.UNAVAILABLE
    )


def _pack(distribution: Distribution, root: Path) -> Wheel:
    information = f"deepmovie-{distribution.version}.dist-info"
    files = dict(_code(distribution, root))
    share = f"deepmovie-{distribution.version}.data/data/{SHARE}"
    files |= {f"{share}/{name}": content for name, content in _shipped(distribution, root).items()}
    metadata = ((name, distribution.read_text(name)) for name in _METADATA)
    files |= {f"{information}/{name}": text.encode() for name, text in metadata if text is not None}
    files[f"{information}/WHEEL"] = _WHEEL.encode()
    files[f"{information}/RECORD"] = _record(files, f"{information}/RECORD")
    return Wheel(distribution.version, _zipped(files))


def _code(distribution: Distribution, root: Path) -> Iterator[tuple[str, bytes]]:
    for package in (distribution.read_text("top_level.txt") or "").split():
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                yield path.relative_to(root).as_posix(), path.read_bytes()


def _shipped(distribution: Distribution, root: Path) -> dict[str, bytes]:
    """Return the shipped files: from the clone, or from where the installed distribution has put them."""
    if (root / "systemd" / UNIT).is_file():
        return {name: (root / "systemd" / name).read_bytes() for name in SHIPPED}
    paths = [path for path in distribution.files or () if path.as_posix().endswith(SHIPPED)]
    return {path.name: path.read_binary() for path in paths if path.parent.as_posix().endswith(SHARE)}


def _record(files: Mapping[str, bytes], own_name: str) -> bytes:
    lines = [f"{name},sha256={_urlsafe(content)},{len(content)}" for name, content in files.items()]
    return "\n".join([*lines, f"{own_name},,\n"]).encode()


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Return an archive that holds nothing but names and contents: no times, no modes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            writer.writestr(entry, content)
    return archive.getvalue()


def _check_metadata(distribution: Distribution, pyproject: str) -> None:
    """Raise FatalError if a clone asks for another version or other packages than its installation knows."""
    project = tomllib.loads(pyproject)["project"]
    known = {_package(line) for line in distribution.requires or () if "extra ==" not in line}
    asked = {_package(line) for line in project["dependencies"]}
    changes = sorted(asked ^ known)
    if project["version"] != distribution.version:
        changes.insert(0, f"version {project['version']} (installed: {distribution.version})")
    if changes:
        raise FatalError(
            f"{HERE}/pyproject.toml has changed since deepmovie was installed from it: {', '.join(changes)}\n"
            f"mend: install it again, with pip install -e {HERE}",
            code=Exit.UNAVAILABLE,
        )


def _package(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()
