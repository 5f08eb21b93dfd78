"""A service is removed."""

import os
from pathlib import Path

import pytest

from streamer.exits import FatalError
from streamer.places import Place
from streamer.uninstall import uninstall


def test_a_password_that_was_removed_stays_removed_when_something_else_cannot_be(tmp_path: Path) -> None:
    kernels = Path(f"/proc/{os.getpid()}/attr")  # nobody can remove that
    where = Place("user", program=kernels, settings=tmp_path / "settings", units=tmp_path / "units")
    where.settings.mkdir()
    where.settings_file("door").touch()
    where.secrets_file("door").write_text("DEEPMOVIE_SOURCE=rtsp://joe:secret@camera/live")
    with pytest.raises(FatalError, match=f"mend: remove {kernels} by hand"):
        uninstall("door", where, purge=True, dry_run=False)
    assert not where.secrets_file("door").exists()
    assert not where.settings_file("door").exists()


def test_a_dry_run_removes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = Place("user", program=tmp_path / "venv", settings=tmp_path, units=tmp_path / "units")
    where.settings_file("door").touch()
    assert uninstall("door", where, purge=True, dry_run=True) == 0
    assert capsys.readouterr().out == f"remove {tmp_path}/door.toml\n"
    assert where.settings_file("door").exists()
