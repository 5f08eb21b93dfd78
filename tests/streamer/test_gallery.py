"""The paintings by name."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from protocols.jpeg import decode_jpeg
from streamer import gallery as gallery_file
from streamer.gallery import Gallery, GalleryError, Painting, state_folder
from streamer.picture import PictureError
from tests.endpoints import picture


def png(height: int = 96, width: int = 128, *, seed: int = 0) -> bytes:
    """Return a random picture as a file."""
    encoded, data = cv2.imencode(".png", picture(height, width, seed=seed))
    assert encoded
    return data.tobytes()


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Return a folder for uploads that is not there yet."""
    return tmp_path / "state" / "styles"


def gallery(uploads: Path, *, folder: Path | None = None, settings: tuple[Path, ...] = ()) -> Gallery:
    """Return a gallery with one built-in painting, which is black."""
    black = np.zeros((96, 128, 3), np.uint8)
    return Gallery(("black",), paint=lambda _: black, settings=settings, folder=folder, uploads=uploads)


def test_paintings_of_every_kind_are_found_by_name(tmp_path: Path, uploads: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    own = tmp_path / "own.png"
    for path in (own, folder / "The Sea (1899).png", folder / "b.JPEG", folder / ".hidden.png", folder / "notes.txt"):
        path.write_bytes(png())
    (folder / "sub.png").mkdir()
    found = gallery(uploads, folder=folder, settings=(own,))
    found.put("mine", png())
    assert found.describe() == (
        Painting("black", "built-in"),
        Painting("own", "settings"),
        Painting("mine", "uploaded"),
        Painting("The-Sea-1899-", "folder"),
        Painting("b", "folder"),
    )
    assert [found.picture(name).shape for name in found.names()] == [(96, 128, 3)] * 5


def test_two_files_of_one_name_have_two_names(tmp_path: Path, uploads: Path) -> None:
    for name in ("sea.png", "sea.jpg", "black.png", "none.png"):
        (tmp_path / name).write_bytes(png())
    assert gallery(uploads, folder=tmp_path).names() == ("black", "black.png", "none.png", "sea", "sea.png")


def test_a_picture_that_is_put_into_the_folder_later_can_be_chosen(tmp_path: Path, uploads: Path) -> None:
    found = gallery(uploads, folder=tmp_path)
    assert found.names() == ("black",)
    (tmp_path / "late.png").write_bytes(png())
    assert found.names() == ("black", "late")


def test_an_upload_is_kept_over_a_restart_with_its_bytes(uploads: Path) -> None:
    data = png(seed=3)
    assert gallery(uploads).put("own.style-1", data) == "own.style-1"
    assert (uploads / "own.style-1").read_bytes() == data
    again = gallery(uploads)
    assert again.names() == ("black", "own.style-1")
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert expected is not None
    assert np.array_equal(again.picture("own.style-1"), expected)
    assert [path.name for path in uploads.iterdir()] == ["own.style-1"]


def test_a_new_upload_takes_the_place_of_an_old_one_and_is_another_edition(uploads: Path) -> None:
    found = gallery(uploads)
    found.put("own", png(seed=1))
    before = found.edition("own"), found.thumbnail("own")
    found.put("own", png(seed=2))
    assert found.edition("own") > before[0]
    assert found.thumbnail("own") != before[1]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../etc", "a/b", "/etc/passwd", ".hidden", "a b", "a\0b", "n" * 65, "ä", "a\n", "black", "none"],
)
def test_a_name_that_is_a_path_or_belongs_to_another_is_refused_and_nothing_is_written(
    uploads: Path, name: str
) -> None:
    with pytest.raises(GalleryError, match=r"must be 1 to 64|belongs to another"):
        gallery(uploads).put(name, png())
    assert not uploads.exists()


def test_what_is_no_picture_is_refused_and_nothing_is_written(uploads: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bomb = bytearray(png())
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    too_large = png() + bytes(gallery_file.MAX_UPLOAD_BYTES)
    for data in (b"", b"GIF89a" + bytes(99), bytes(bomb), png()[:-900], png(32, 24), b"\x89PNG\r\n\x1a\n", too_large):
        with pytest.raises(PictureError, match="own"):
            gallery(uploads).put("own", data)
    assert not uploads.exists()
    assert capfd.readouterr().err == ""


def test_a_link_among_the_uploads_leads_nowhere_if_its_name_is_not_allowed(tmp_path: Path, uploads: Path) -> None:
    uploads.mkdir(parents=True)
    (uploads / "with space").symlink_to(tmp_path)
    (uploads / ".part").write_bytes(png())
    assert gallery(uploads).names() == ("black",)


def test_too_many_uploads_are_refused_but_an_old_one_can_be_replaced(
    uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_file, "MAX_UPLOADS", 2)
    found = gallery(uploads)
    found.put("a", png())
    found.put("b", png())
    with pytest.raises(GalleryError, match="2 pictures are here already"):
        found.put("c", png())
    found.put("a", png(seed=1))


def test_a_folder_that_cannot_be_made_is_an_os_error(uploads: Path) -> None:
    uploads.parent.write_text("a file, where a folder should be")
    with pytest.raises(OSError, match="Not a directory"):
        gallery(uploads).put("own", png())


def test_a_file_that_has_gone_is_no_painting_any_more(tmp_path: Path, uploads: Path) -> None:
    (tmp_path / "sea.png").write_bytes(png())
    found = gallery(uploads, folder=tmp_path)
    found.check("sea")
    (tmp_path / "sea.png").unlink()
    for look in (found.check, found.picture, found.thumbnail):
        with pytest.raises(PictureError, match="no painting 'sea'"):
            look("sea")


def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(uploads: Path) -> None:
    found = gallery(uploads)
    found.put("wide", png(100, 400))
    small = decode_jpeg(found.thumbnail("wide"), max_pixels=100_000)
    assert small.shape == (40, 160, 3)
    assert found.thumbnail("wide") is found.thumbnail("wide"), "it is made once"


def test_the_settings_name_a_painting_by_its_path(tmp_path: Path, uploads: Path) -> None:
    own = tmp_path / "my picture.png"
    own.write_bytes(png())
    found = gallery(uploads, settings=(own,))
    assert found.name_of(str(own)) == "my-picture"
    assert found.name_of("black") == "black"


def test_uploads_lie_where_the_service_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}/a:{tmp_path}/b")
    assert state_folder() == tmp_path / "a"
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "deepmovie"
