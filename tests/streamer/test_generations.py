"""Two checkpoints on the disk, one of which is always whole."""

import os
from pathlib import Path

import pytest

from streamer.generations import TRIES, Generations


def contents(generations: Generations) -> list[bytes]:
    """Return what would be read, newest first."""
    return [each.read(100) for each in generations.newest_first()]


def write(generations: Generations, *texts: bytes) -> None:
    """Write these, each a second later by the clock of the disk."""
    for text in texts:
        generations.write(text)
        for age, each in enumerate(generations.newest_first()):
            os.utime(each.path, (0, 1000 * len(text) - age))


def test_the_last_two_are_kept_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "checkpoints"
    generations = Generations(folder, "door")
    assert contents(generations) == []
    write(generations, b"1", b"22", b"333")
    assert contents(generations) == [b"333", b"22"]
    assert sorted(path.name for path in folder.iterdir()) == ["door.0.safetensors", "door.1.safetensors"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_one_that_was_gone_on_from_is_the_last_to_be_written_over(tmp_path: Path) -> None:
    write(Generations(tmp_path, "door"), b"1", b"22")
    for _ in range(2):
        again = Generations(tmp_path, "door")
        newest, _ = again.newest_first()
        again.spare(newest)
        kept = newest.read(100)
        write(again, kept + b"0")
        assert contents(again) == [kept + b"0", kept]


def test_streams_do_not_see_each_other_s(tmp_path: Path) -> None:
    write(Generations(tmp_path, "door"), b"1")
    assert Generations(tmp_path, "hall").newest_first() == []


def test_what_was_half_written_when_the_process_died_is_in_nobody_s_way(tmp_path: Path) -> None:
    generations = Generations(tmp_path, "door")
    (tmp_path / ".door.part").write_bytes(b"half")
    write(generations, b"1")
    assert contents(generations) == [b"1"]
    assert [path.name for path in tmp_path.iterdir()] == ["door.0.safetensors"]


def test_a_link_that_somebody_laid_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / ".door.part").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        Generations(tmp_path, "door").write(b"1")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    write(Generations(tmp_path, "door"), b"12345")
    [generation] = Generations(tmp_path, "door").newest_first()
    assert generation.read(5) == b"12345"
    with pytest.raises(ValueError, match="at most 4 bytes"):
        generation.read(4)


def test_starts_are_counted_until_one_goes_well(tmp_path: Path) -> None:
    assert Generations(tmp_path, "door").tries == 0
    for count in (1, 2):
        Generations(tmp_path, "door").begin_try()
        assert Generations(tmp_path, "door").tries == count
    Generations(tmp_path, "door").end_tries()
    assert Generations(tmp_path, "door").tries == 0


@pytest.mark.parametrize(("text", "count"), [(b"", 0), (b"x", TRIES), (b"\xff\xff", TRIES), (b"1", 1)])
def test_a_count_that_is_none_is_not_trusted(tmp_path: Path, text: bytes, count: int) -> None:
    (tmp_path / ".door.tries").write_bytes(text)
    assert Generations(tmp_path, "door").tries == count


def test_what_is_put_aside_is_not_found_again_but_is_there(tmp_path: Path) -> None:
    generations = Generations(tmp_path, "door")
    write(generations, b"1", b"22")
    generations.begin_try()
    aside = generations.put_aside()
    assert generations.newest_first() == []
    assert generations.tries == 0
    assert [path.read_bytes() for path in aside] == [b"1", b"22"]
    assert {path.suffix for path in aside} == {".quarantined"}
