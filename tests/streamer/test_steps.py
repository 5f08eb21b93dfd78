"""Steps: all are done, or none."""

from pathlib import Path

import pytest

from streamer.exits import FatalError
from streamer.steps import Step, carry_out, command, remove, write


def fail() -> None:
    raise FatalError("no", code=69)  # type: ignore[arg-type] # a plain number will do


def test_when_one_fails_what_was_done_is_taken_back_the_last_first(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[str] = []
    steps = [
        Step("one", lambda: done.append("+1"), lambda: done.append("-1")),
        Step("two", lambda: done.append("+2"), lambda: done.append("-2")),
        Step("three", fail, lambda: done.append("-3")),
        Step("four", lambda: done.append("+4"), lambda: done.append("-4")),
    ]
    with pytest.raises(FatalError):
        carry_out(steps)
    assert done == ["+1", "+2", "-3", "-2", "-1"]
    assert capsys.readouterr().out.splitlines() == ["[1/4] one", "[2/4] two", "[3/4] three"]


def test_what_went_well_stays(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "file"
    carry_out([write(file, "new")])
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(file.parent.iterdir()) == [file]


def test_a_file_gets_its_old_content_back(tmp_path: Path) -> None:
    old, new, gone = tmp_path / "old", tmp_path / "new", tmp_path / "gone"
    old.write_text("before")
    gone.write_text("before")
    with pytest.raises(FatalError):
        carry_out([write(old, "after"), write(new, "after"), remove(gone), Step("fail", fail)])
    assert (old.read_text(), new.exists(), gone.read_text()) == ("before", False, "before")


def test_a_file_that_is_right_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("right")
    step = write(file, "right")
    assert step.told == f"keep {file}, which is as it should be"
    assert not step.is_change
    assert write(file, "left").is_change


def test_only_a_folder_of_ours_goes_with_its_last_file(tmp_path: Path) -> None:
    for name, is_left in (("deepmovie@.service.d", False), ("system", True)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "file").touch()
        carry_out([remove(folder / "file")])
        assert folder.exists() is is_left


def test_a_file_that_cannot_be_written_names_what_mends_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FatalError, match=r"below cannot be written: .*\nmend: "):
        carry_out([write(tmp_path / "file" / "below", "text")])


@pytest.mark.parametrize(
    ("words", "told"),
    [(["false"], "this failed with 1: false"), (["/nowhere/to/be found"], "cannot be run: No such file or directory")],
)
def test_a_command_that_fails_names_what_mends_it(words: list[str], told: str) -> None:
    with pytest.raises(FatalError, match=f"{told}\nmend: look there"):
        command(*words, mend="look there")
