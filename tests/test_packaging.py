"""What gets installed: the three packages, one command, nothing of the tests."""

import io
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from streamer.pack import _pack

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "protocols", "streamer")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel, built from a copy, as building leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in (*PACKAGES, "tests", "systemd"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "wheel", *offline, "-w", str(folder), str(source)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("*.whl")
    return zipfile.Path(built)


def metadata(wheel: zipfile.Path, name: str) -> str:
    return (wheel / f"deepmovie-{PROJECT['version']}.dist-info" / name).read_text()


def test_the_wheel_holds_the_three_packages_the_unit_and_nothing_else(wheel: zipfile.Path) -> None:
    held = {name for name in wheel.root.namelist() if not name.endswith("/") and ".dist-info/" not in name}
    wanted = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    shared = f"deepmovie-{PROJECT['version']}.data/data/share/deepmovie"
    assert held == wanted | {f"{shared}/deepmovie@.service", f"{shared}/gpu.conf"}
    assert "streamer/py.typed" in held


def test_the_program_packs_itself_as_it_is_built(wheel: zipfile.Path, tmp_path: Path) -> None:
    """``install-service`` needs no build tool; but for who has made it, its wheel is the one of the build."""
    wheel.root.extractall(tmp_path)
    packed = _pack(Distribution.at(next(tmp_path.glob("*.dist-info"))), ROOT)
    ours = zipfile.ZipFile(io.BytesIO(packed.content))
    makers = ("/WHEEL", "/RECORD")
    assert set(ours.namelist()) == {name for name in wheel.root.namelist() if not name.endswith("/")}
    for name in ours.namelist():
        assert name.endswith(makers) or ours.read(name) == wheel.root.read(name), name


def test_the_wheel_brings_one_command(wheel: zipfile.Path) -> None:
    assert metadata(wheel, "entry_points.txt").split() == ["[console_scripts]", "deepmovie", "=", "streamer.cli:main"]


def test_the_wheel_carries_its_license_and_its_readme(wheel: zipfile.Path) -> None:
    assert metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text()
    assert metadata(wheel, "METADATA").endswith((ROOT / "README.md").read_text())


def test_every_python_from_3_11_to_3_14_is_named() -> None:
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith("Programming Language")]
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == ">=3.11"


def test_the_version_stands_in_one_place() -> None:
    others = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert [str(path) for path in others if f'"{PROJECT["version"]}"' in path.read_text()] == []


def test_every_test_folder_is_a_package() -> None:
    """Else pytest would import `tests/models` as `models`."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
