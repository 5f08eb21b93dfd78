"""What is in the way of a service, told before anything is changed."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.obstacles import obstacles
from streamer.places import Place


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., str]:
    """What is told of a service that would be installed below a folder of its own."""

    def tell(name: str = "door", *, python: Path = Path(sys.executable), program: Path = tmp_path / "venv") -> str:
        below = {"program": program, "settings": tmp_path / "settings", "units": tmp_path / "units"}
        return "\n".join(obstacles(name, Place("system", **below), python))

    return tell


@pytest.mark.parametrize("name", ["", "a b", "../door", "a" * 65, "tür", "door\n"])
def test_a_name_that_is_no_name(told: Callable[..., str], name: str) -> None:
    assert "a service is called by 1 to 64 of" in told(name)
    assert "is called" not in told()


def test_a_program_that_the_service_would_not_see(told: Callable[..., str], tmp_path: Path) -> None:
    assert "would not see /home/joe/venv: ProtectHome hides it" in told(program=Path("/home/joe/venv"))
    assert str(tmp_path / "venv") not in told()


def test_a_folder_that_is_somebody_elses(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    assert "no virtual environment" not in told()
    (tmp_path / "venv" / "diary.txt").touch()
    assert "is there and no virtual environment" in told()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    assert "no virtual environment" not in told()


def test_a_python_that_makes_no_environment(told: Callable[..., str]) -> None:
    assert "/bin/true cannot make a virtual environment\nmend: apt-get install python3-venv" in told(
        python=Path("/bin/true")
    )


def test_a_python_that_is_too_old(told: Callable[..., str], tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3 9 /usr\n")
    old.chmod(0o755)
    assert f"{old} is Python 3.9, expected 3.11 or newer" in told(python=old)


def test_a_python_that_the_service_would_not_see(told: Callable[..., str], tmp_path: Path) -> None:
    hidden = tmp_path / "python3"
    hidden.write_text("#!/bin/sh\necho 3 11 /home/joe/pythons/3.11\n")
    hidden.chmod(0o755)
    assert "would not see /home/joe/pythons/3.11" in told(python=hidden)
