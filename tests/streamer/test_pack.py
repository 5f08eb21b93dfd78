"""The running program packs itself: pip installs the result, and from there it packs itself again."""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from streamer.exits import FatalError
from streamer.pack import SHIPPED, Wheel, _check_metadata, _pack, pack_installed

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
METADATA = "import setuptools.build_meta as backend, sys; backend.prepare_metadata_for_build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """What an installation of this very tree would know of itself."""
    clone, folder = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("metadata")
    for package in ("models", "protocols", "streamer", "systemd"):
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, clone)
    subprocess.run([sys.executable, "-c", METADATA, str(folder)], cwd=clone, check=True, capture_output=True)
    return Distribution.at(next(folder.glob("*.dist-info")))


@pytest.fixture(scope="module")
def packed(distribution: Distribution) -> Wheel:
    return _pack(distribution, ROOT)


@pytest.fixture(scope="module")
def environment(packed: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the packed program and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    wheel = folder / packed.file_name
    wheel.write_bytes(packed.content)
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python")]
    subprocess.run([*command, "install", "--no-index", "--no-deps", str(wheel)], check=True, capture_output=True)
    return folder


def test_packing_twice_gives_the_same_wheel(packed: Wheel, distribution: Distribution) -> None:
    assert _pack(distribution, ROOT) == packed


def test_what_pip_installs_is_the_same_program(packed: Wheel, environment: Path) -> None:
    assert pack_installed(environment) == packed


def test_a_changed_program_is_another_one(packed: Wheel, environment: Path) -> None:
    [file] = environment.glob("lib/python3*/site-packages/streamer/__init__.py")
    before = file.read_text()
    file.write_text("# changed\n")
    assert pack_installed(environment) != packed
    file.write_text(before)


def test_the_installed_program_has_its_command_and_its_units(environment: Path) -> None:
    assert (environment / "bin" / "deepmovie").exists()
    for name in SHIPPED:
        assert (environment / "share/deepmovie" / name).read_text() == (ROOT / "systemd" / name).read_text()
    listed = "from importlib.metadata import distribution as d; print(*sorted(d('deepmovie').requires or ()))"
    python = str(environment / "bin" / "python")
    assert "torch>=" in subprocess.run([python, "-c", listed], capture_output=True, text=True, check=True).stdout


def test_where_nothing_is_installed_nothing_is_packed(tmp_path: Path) -> None:
    assert pack_installed(tmp_path) is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"numpy>=2"', '"numpy>=2", "Brand_New>=1"', "brand-new"),
        ('"numpy>=2",', "", "numpy"),
        ('version = "', 'version = "9.', "version 9.0.1.0 (installed: 0.1.0)"),
    ],
)
def test_a_clone_that_asks_for_something_else_is_to_be_installed_again(
    distribution: Distribution, old: str, new: str, told: str
) -> None:
    _check_metadata(distribution, PYPROJECT)
    changed = PYPROJECT.replace(old, new, 1)
    assert tomllib.loads(changed)["project"] != tomllib.loads(PYPROJECT)["project"]
    with pytest.raises(FatalError, match="mend: install it again, with pip install -e") as failure:
        _check_metadata(distribution, changed)
    assert told in str(failure.value)
