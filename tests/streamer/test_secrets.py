"""``${NAME}`` in a setting: where the secret comes from, what is refused, and that it is masked from then on."""

import errno
import os
import struct
from pathlib import Path

import pytest

from streamer import redaction
from streamer.cli import main
from streamer.config import Config, ConfigError, Http
from streamer.secrets import DIRECTORY, SecretError, Secrets
from streamer.settings import load
from tests.tools import needed

PASSWORD = "p/a:s%s w@rd#1?"  # noqa: S105 - that of nobody


@pytest.fixture(autouse=True)
def _forget_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """Return the folder of a service's credentials, with one in it."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    put(folder, "CAMERA", "from-a-credential\n")
    return folder


def put(folder: Path, name: str, text: str, *, mode: int = 0o400) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_comes_from_a_credential_and_else_from_the_environment(credentials: Path) -> None:
    secrets = Secrets({DIRECTORY: str(credentials), "CAMERA": "from-the-environment", "OTHER": "also-from-there"})
    assert secrets.put_into("${CAMERA}") == "from-a-credential", "without the end of line of the file"
    assert secrets.put_into("<${OTHER}>") == "<also-from-there>"
    assert Secrets({"CAMERA": "from-the-environment"}).put_into("${CAMERA}") == "from-the-environment"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${A}", PASSWORD),
        ("rtsp://${B}:${A}@camera:554/live", "rtsp://joe:p%2Fa%3As%25s%20w%40rd%231%3F@camera:554/live"),
        ("rtsp://${A}@camera/a@b", "rtsp://p%2Fa%3As%25s%20w%40rd%231%3F@camera/a@b"),
        ("http://camera/live?token=${A}&n=1#timeout=5s", "http://camera/live?token=p%2Fa%3As%25s%20w%40rd%231%3F&n=1#timeout=5s"),
        ("rtmp://server/live/${B}", "rtmp://server/live/joe"),
        ("sub+connect:tcp://127.0.0.1:5555#topic=${B}", "sub+connect:tcp://127.0.0.1:5555#topic=joe"),
        ("rtsp://joe:$${B}@camera", "rtsp://joe:${B}@camera"),
        ("$${A} ${B} $$ $ {A}", "${A} joe $$ $ {A}"),
        (["null:", "${B}.mp4"], ["null:", "joe.mp4"]),
        (5, 5),
    ],
)  # fmt: skip
def test_a_secret_stands_where_its_name_was_as_the_place_needs_it(value: object, expected: object) -> None:
    assert Secrets({"A": PASSWORD, "B": "joe"}).put_into(value) == expected


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("${NOBODY}", "NOBODY is neither a credential (LoadCredential=NOBODY:FILE) nor in the environment"),
        ("${EMPTY}", "expected one line of letters, digits and signs in EMPTY"),
        ("${LINES}", "expected one line of letters, digits and signs in LINES"),
        ("${A", "expected ${NAME}"),
        ("${}", "expected ${NAME}"),
        ("${../passwd}", "expected ${NAME}"),
        ("${A:-default}", "expected ${NAME}"),
    ],
)
def test_what_names_no_secret_is_refused(value: str, complaint: str) -> None:
    with pytest.raises(SecretError) as caught:
        Secrets({"A": PASSWORD, "EMPTY": "", "LINES": "one\ntwo"}).put_into(value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o420, 0o666])
def test_a_credential_that_others_can_read_is_refused(credentials: Path, mode: int) -> None:
    """FAULTS row 58."""
    (credentials / "CAMERA").chmod(mode)
    with pytest.raises(SecretError, match=rf"CAMERA: its mode {mode:04o} lets others in; expected 0.00 \(chmod\)"):
        Secrets({DIRECTORY: str(credentials)}).put_into("${CAMERA}")


def test_a_credential_that_is_a_link_is_refused(credentials: Path) -> None:
    (credentials / "LINK").symlink_to(credentials / "CAMERA")
    with pytest.raises(SecretError, match="LINK: is a symbolic link"):
        Secrets({DIRECTORY: str(credentials)}).put_into("${LINK}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_credential_of_somebody_else_is_refused(credentials: Path) -> None:
    os.chown(credentials / "CAMERA", 12345, -1)
    with pytest.raises(SecretError, match="belongs to user 12345"):
        Secrets({DIRECTORY: str(credentials)}).put_into("${CAMERA}")


def give(path: Path, *, to_user: int, to_group: bool) -> None:
    """Let a user read a file by an access list, as systemd does, and perhaps a group, too."""
    nobody = 0xFFFFFFFF
    owner, user, group = (0x01, 4, nobody), (0x02, 4, to_user), (0x04, 4 * to_group, nobody)
    mask, others = (0x10, 4, nobody), (0x20, 0, nobody)
    listed = b"".join(struct.pack("<HHI", *entry) for entry in (owner, user, group, mask, others))
    try:
        os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + listed)
    except OSError as error:
        needed(f"needs a file system with access lists: {error}" if error.errno == errno.ENOTSUP else None)
        raise


def test_the_access_list_by_which_systemd_lets_a_service_read_is_no_offense(credentials: Path) -> None:
    give(credentials / "CAMERA", to_user=12345, to_group=False)
    assert (credentials / "CAMERA").stat().st_mode & 0o040, "the mask of the list shows as the group's"
    secrets = Secrets({DIRECTORY: str(credentials)})
    assert secrets.put_into("${CAMERA}") == "from-a-credential"
    give(credentials / "CAMERA", to_user=12345, to_group=True)
    with pytest.raises(SecretError, match="lets others in"):
        secrets.put_into("${CAMERA}")


def test_a_missing_secret_stops_the_start_with_78_and_names_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "door.toml"
    path.write_text('source = "rtsp://joe:${DOOR_PASSWORD}@camera"\n')
    assert main(["check", "-c", str(path)]) == 78
    complaint = capsys.readouterr().err
    assert f"file {path}: source: DOOR_PASSWORD is neither a credential" in complaint


def test_a_wrong_value_that_came_from_a_secret_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "door.toml"
    path.write_text('name = "${A}"\nsource = "gopher://${A}"\n[paint]\nfps = "${A}"\nstyle = "${A}"\n')
    with pytest.raises(ConfigError) as caught:
        load(path, {"A": "hunter2 hunter2"}, {})
    assert len(caught.value.problems) == 4
    assert "hunter2" not in str(caught.value)


def test_every_setting_may_hold_a_secret_from_wherever_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "door.toml"
    path.write_text('[http]\ntoken = "${TOKEN}"\n')
    environ = {"TOKEN": "0123456789abcdef", "DEEPMOVIE_SINKS": '["null:", "${FILM}"]', "FILM": "film.mp4"}
    config = load(path, environ, {"source": "rtsp://joe:${TOKEN}@camera"}).config
    assert config == Config(
        source="rtsp://joe:0123456789abcdef@camera",
        sinks=("null:", "film.mp4"),
        http=Http(token="0123456789abcdef"),  # noqa: S106 - that of nobody
    )
