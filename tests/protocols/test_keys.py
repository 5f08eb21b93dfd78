"""Key files: made once, read only where nobody else could have read or changed them, never shown."""

import os
import stat
from pathlib import Path

import pytest
import zmq
import zmq.auth

from protocols.curve import Keyring
from protocols.keys import KeyFileError, KeyPair, make_pair, read_folder, read_pair, read_public, write_pair


@pytest.fixture
def pair() -> KeyPair:
    return make_pair()


@pytest.fixture
def files(pair: KeyPair, tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(pair, tmp_path / "hall")


def test_a_pair_is_read_as_it_was_written_and_only_we_can_read_its_secret(
    pair: KeyPair, files: tuple[Path, Path]
) -> None:
    secret, public = files
    assert read_pair(secret) == pair
    assert read_public(public) == pair.public
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o644]
    assert pair.secret.decode() not in public.read_text()


def test_pyzmq_reads_our_files_and_we_read_its(pair: KeyPair, files: tuple[Path, Path], tmp_path: Path) -> None:
    assert zmq.auth.load_certificate(files[0]) == (pair.public, pair.secret)
    assert zmq.auth.load_certificate(files[1]) == (pair.public, None)
    public, secret = (Path(path) for path in zmq.auth.create_certificates(str(tmp_path), "theirs"))
    with pytest.raises(KeyFileError, match="0644 lets others in; expected 0600"):
        read_pair(secret)
    secret.chmod(0o600)
    assert read_pair(secret).public == read_public(public)


def test_nothing_is_overwritten(pair: KeyPair, files: tuple[Path, Path], tmp_path: Path) -> None:
    for left, gone in (files, files[::-1]):
        gone.unlink()
        before = left.read_text()
        with pytest.raises(KeyFileError, match="never overwritten"):
            write_pair(make_pair(), tmp_path / "hall")
        assert not gone.exists()
        assert left.read_text() == before
        left.unlink()
        write_pair(pair, tmp_path / "hall")
    files[0].unlink()
    files[1].unlink()
    (tmp_path / "hall.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="never overwritten"):
        write_pair(make_pair(), tmp_path / "hall")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o777])
def test_a_secret_that_others_can_touch_is_refused(files: tuple[Path, Path], mode: int) -> None:
    files[0].chmod(mode)
    with pytest.raises(KeyFileError, match=f"{mode:04o} lets others in; expected 0[67]00"):
        read_pair(files[0])


def test_a_link_a_pipe_a_folder_and_nothing_are_refused_at_once(files: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(files[0])
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir()
    wrong = {"link": "symbolic link", "pipe": "a file", "folder": "directory", "none": "No such file"}
    for name, reason in wrong.items():
        with pytest.raises(KeyFileError, match=reason) as caught:
            read_pair(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(files: tuple[Path, Path]) -> None:
    os.chown(files[0], 12345, -1)
    with pytest.raises(KeyFileError, match="belongs to user 12345; expected 0"):
        read_pair(files[0])


def test_no_error_shows_what_is_in_a_key_file(pair: KeyPair, files: tuple[Path, Path]) -> None:
    secret = pair.secret.decode()
    good = files[0].read_text()
    damaged = {
        good.replace(secret, secret[:-1]),
        good.replace(secret, secret[:-1] + "~"),
        good.replace(secret, "#" * 40),
        good.replace("secret-key", "secret-kez"),
        good.replace(pair.public.decode(), make_pair().public.decode()),
        good + "x" * 5000,
        "",
    }
    for text in damaged:
        files[0].write_text(text)
        with pytest.raises(KeyFileError) as caught:
            read_pair(files[0])
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        for shown in (str(caught.value), repr(caught.value)):
            assert secret[:8] not in shown
    assert secret not in repr(pair)
    assert secret not in repr(Keyring(pair, *[None, None]))  # type: ignore[arg-type]


def test_a_folder_gives_the_public_keys_by_name_and_leaves_other_files_alone(tmp_path: Path) -> None:
    pairs = {name: make_pair() for name in ("door", "porch")}
    for name, pair in pairs.items():
        write_pair(pair, tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing")
    assert read_folder(tmp_path) == {pair.public: name for name, pair in pairs.items()}


def test_a_folder_that_others_can_change_or_with_a_wrong_file_is_refused(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "again.pub").write_text(files[1].read_text())
    with pytest.raises(KeyFileError, match="the same key"):
        read_folder(tmp_path)
    (tmp_path / "again.pub").write_text(files[0].read_text())
    with pytest.raises(KeyFileError, match=r"holds a secret key, which stays"):
        read_folder(tmp_path)
    (tmp_path / "again.pub").write_text("curve\n")
    with pytest.raises(KeyFileError, match="expected a line public-key"):
        read_folder(tmp_path)
    (tmp_path / "again.pub").unlink()
    files[1].chmod(0o646)
    with pytest.raises(KeyFileError, match="0646 lets others in; expected 0644"):
        read_folder(tmp_path)
    files[1].chmod(0o644)
    tmp_path.chmod(0o777)
    with pytest.raises(KeyFileError, match="chmod o-w"):
        read_folder(tmp_path)
    with pytest.raises(KeyFileError, match="expected a folder"):
        read_folder(tmp_path / "nowhere")
