"""Sources that are none, or broken, and places that cannot be written to: a clear word, and nothing lost."""

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from protocols.errors import SourceError
from streamer.config import ConfigError
from streamer.render.looking import look_through
from streamer.render.opening import reel_of
from streamer.render.premises import taken_up
from streamer.render.reading import Reader
from tests.streamer.render.material import begun, bikes, load, pictures, rendered, silent, sounds, times, wish, write
from tests.streamer.render.mortal import Mortals


def refused(source: Path, out: Path, **changes: Any) -> str:
    """Return what is said about a source that cannot be read; nothing is left behind."""
    code, told = rendered(wish(source, out, **changes))
    assert code == 69, told
    assert told.startswith("deepmovie render: ")
    assert not out.exists()
    assert not out.with_name(f"{out.name}.work").exists()
    return told


def test_no_source_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'none.mp4'}: there is no such file" in refused(tmp_path / "none.mp4", tmp_path / "out.mp4")


@pytest.mark.parametrize("content", [b"", b"Dear diary, today I saw a film.", b"\0" * 5000])
def test_what_is_no_film_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "diary.mp4").write_bytes(content)
    assert "diary.mp4: Invalid data found when processing input" in refused(
        tmp_path / "diary.mp4", tmp_path / "out.mp4"
    )


def test_a_film_without_pictures_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "film.mp4", bikes()[:2], sound=True)
    with av.open(str(source)) as film, av.open(str(tmp_path / "sound.mp4"), "w") as sound:
        stream = sound.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(audio=0):
            if packet.size:
                packet.stream = stream
                sound.mux(packet)
    assert "sound.mp4 has no picture" in refused(tmp_path / "sound.mp4", tmp_path / "out.mp4")


def test_a_film_of_no_frames_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "film.h264", bikes()[:1])
    header = source.read_bytes().index(b"\0\0\1\x65")  # parameters come first, then the only picture
    source.write_bytes(source.read_bytes()[:header])
    assert "film.h264" in refused(source, tmp_path / "out.mp4")


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_a_film_that_is_cut_off_is_painted_up_to_there_or_refused(tmp_path: Path, ending: str, tenth: int) -> None:
    whole = write(tmp_path / f"whole{ending}", bikes()[:20], sound=True)
    source = tmp_path / f"cut{ending}"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size * tenth // 10])
    if ending == ".mp4":  # which has its index at the end
        refused(source, tmp_path / "out.mp4")
        return
    code, told = rendered(wish(source, tmp_path / "out.mp4", chunk=50))
    if code:
        assert tenth == 1, told
        assert "cut.mkv" in told
        return
    painted = times(tmp_path / "out.mp4")
    assert 0 < len(painted) < 20
    assert painted == times(whole)[: len(painted)]
    heard, there = sounds(tmp_path / "out.mp4"), sounds(whole)
    assert [packet for _, packet in heard] == [packet for _, packet in there[: len(heard)]]


def test_of_a_damaged_film_what_can_be_decoded_is_painted_at_its_time(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mkv", bikes()[:24], gop=6)
    whole = times(source)
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    source.write_bytes(content)
    code, told = rendered(wish(source, tmp_path / "out.mp4"))
    assert code == 0, told
    assert "that cannot be decoded, left out; the rest keeps its time" in told
    painted = times(tmp_path / "out.mp4")
    assert 10 < len(painted) < 24
    assert set(painted) < set(whole)
    assert painted[-1] == whole[-1]


def test_frames_of_another_size_are_scaled_to_the_first(tmp_path: Path) -> None:
    small = [cv2.resize(image, (48, 32)) for image in bikes()[6:12]]
    parts = [write(tmp_path / "a.ts", bikes()[:6]), write(tmp_path / "b.ts", [np.asarray(s, np.uint8) for s in small])]
    source = tmp_path / "both.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    code, told = rendered(wish(source, tmp_path / "out.mp4"))
    assert code == 0, told
    assert "6 frames of another size than the first, scaled to it" in told
    assert {image.shape for image in pictures(tmp_path / "out.mp4")} == {bikes()[0].shape}
    assert len(pictures(tmp_path / "out.mp4")) == 12


def test_a_film_without_sound_has_none(tmp_path: Path) -> None:
    rendered(wish(write(tmp_path / "source.mp4", bikes()[:2]), tmp_path / "out.mp4"))
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video"]


@pytest.mark.parametrize(
    ("codec", "ending", "able"),
    [("libmp3lame", ".mp4", ""), ("wavpack", ".mp4", ".mkv"), ("flac", ".mov", ".mp4 and .mkv"), ("flac", ".mp4", "")],
)
def test_sound_that_the_film_cannot_hold_is_left_out_and_named_before_the_painting(
    tmp_path: Path, codec: str, ending: str, able: str
) -> None:
    source = tmp_path / "source.mkv"
    with av.open(str(write(tmp_path / "plain.mkv", bikes()[:3]))) as plain, av.open(str(source), "w") as film:
        picture = film.add_stream_from_template(plain.streams.video[0])
        sound: Any = film.add_stream(codec, rate=16000)
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = picture
                film.mux(packet)
        form, kind = ("s16", np.int16) if codec == "flac" else ("fltp", np.float32)
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 1600), kind), format=form, layout="mono")
        heard.rate, heard.pts = 16000, 0
        film.mux(sound.encode(heard))
        film.mux(sound.encode(None))
    code, told = rendered(wish(source, tmp_path / f"out{ending}"))
    assert code == 0, told
    complaint = f"a {ending} cannot hold audio 1 ({codec}) of the source: it is left out ({able} can)\n"
    assert told.startswith(f"{complaint if able else ''}painting 3 frames")
    if not able:
        assert [packet for _, packet in sounds(tmp_path / f"out{ending}")] == [packet for _, packet in sounds(source)]


def test_of_recordings_one_behind_the_other_all_is_seen_and_heard(tmp_path: Path) -> None:
    """Whose times begin anew in the middle."""
    parts = [write(tmp_path / f"{first}.ts", bikes()[first : first + 8], sound=True) for first in (0, 8)]
    source = tmp_path / "both.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    for ending in ".mp4", ".mkv":
        out = tmp_path / f"out{ending}"
        code, told = rendered(wish(source, out))
        assert code == 0, told
        assert len(times(out)) == 16
        heard = [moment for moment, _ in sounds(out)]
        assert len(heard) == len(sounds(source))
        assert heard == sorted(heard)
        assert float(heard[-1]) == pytest.approx(2 * float(sounds(parts[0])[-1][0]), abs=0.1)


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert f"{tmp_path / 'in'} holds no picture" in refused(tmp_path / "in", tmp_path / "out.mp4")


def test_what_is_no_picture_in_a_folder_does_not_matter_and_may_change(tmp_path: Path) -> None:
    """Another folder, what a Mac leaves behind, notes."""
    source, name = tmp_path / "in", os.fsdecode(b"latin\xe9.png")
    (source / "thumbnails.png").mkdir(parents=True)
    (source / "._1.png").write_bytes(b"not a picture")
    for number in range(7):
        cv2.imwrite(str(source / f"{number}.png"), bikes()[number])
    (source / "6.png").rename(source / name)
    begun(wish(source, tmp_path / "out"), tasks=1)
    (source / "notes.txt").write_text("half of it is painted")
    code, told = rendered(wish(source, tmp_path / "out"))
    assert code == 0, told
    assert "of which 5 are done" in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*(f"{number}.png" for number in range(6)), name}


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_picture_that_cannot_be_read_is_named_before_anything_is_painted(tmp_path: Path, ending: str) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "in" / f"{number}{ending}"), bikes()[number])
    broken = tmp_path / "in" / f"1{ending}"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size * 2 // 3])
    assert str(broken) in refused(tmp_path / "in", tmp_path / "out")


def test_a_film_that_changes_while_it_is_painted_is_noticed(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:12])
    with taken_up(wish(source, tmp_path / "out.mp4")) as (workshop, job):
        film = look_through(job, reel_of(job.source, rate=job.rate), workshop, silent())
        reader = Reader(film.reel, film.survey, film.timetable)
        assert len(list(reader.frames(0, 5))) == 5
        write(source, bikes()[40:52])
        for first in 0, 7:
            with pytest.raises(SourceError, match=f"frame {first} is not what it was"):
                next(Reader(film.reel, film.survey, film.timetable).frames(first, 12))


@pytest.mark.parametrize(
    ("source", "out", "complaint"),
    [
        ("film.mp4", "film.mp4", "the output must not be the source"),
        ("film.mp4", "link.mp4", "the output must not be the source"),
        ("film.mp4", "out.avi", "the output must end in .mp4, .mov, .mkv"),
        ("film.mp4", "out.png", "a picture is made of a picture"),
        ("film.mp4", "nowhere/out.mp4", "there is no folder"),
        ("film.mp4", "full.mp4", "is there already"),
        ("film.mp4", "folder", "is there already"),
        ("film.mp4", "/", "must have a name of its own"),
        ("film.mp4", "..", "must have a name of its own"),
        ("film.mp4", "x" * 250 + ".mp4", "cannot be made: File name too long"),
        ("film.mp4", "/proc/out.mp4", "cannot be made: No such file"),
    ],
)
def test_an_output_that_cannot_be_is_refused(tmp_path: Path, source: str, out: str, complaint: str) -> None:
    write(tmp_path / "film.mp4", bikes()[:1])
    (tmp_path / "link.mp4").symlink_to(tmp_path / "film.mp4")
    (tmp_path / "full.mp4").write_text("somebody's")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letter.txt").write_text("somebody's")
    film = (tmp_path / "film.mp4").read_bytes()
    with pytest.raises(ConfigError, match=complaint):
        rendered(wish(tmp_path / source, tmp_path / out, weights=tmp_path / "tiny.safetensors"))
    assert (tmp_path / "film.mp4").read_bytes() == film


@pytest.mark.parametrize(("out", "complaint"), [("folder.mp4", "and is a folder"), ("file", "and is no folder")])
def test_what_can_never_be_replaced_is_refused_before_anything_is_painted(
    tmp_path: Path, out: str, complaint: str
) -> None:
    source = write(tmp_path / "film.mp4", bikes()[:1])
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("somebody's")
    with pytest.raises(ConfigError, match=complaint):
        rendered(wish(source, tmp_path / out, overwrite=True))


def test_a_picture_is_not_written_over_by_its_painting(tmp_path: Path) -> None:
    """Which would have the same name in a folder."""
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), bikes()[0])
    (tmp_path / "link.png").symlink_to(tmp_path / "in" / "a.png")
    for source in (tmp_path / "in" / "a.png", tmp_path / "link.png"):
        with pytest.raises(ConfigError, match="must not be the folder that the source is in"):
            rendered(wish(source, tmp_path / "in", overwrite=True))
    assert np.array_equal(load(tmp_path / "in" / "a.png"), bikes()[0][:, :, ::-1])


@pytest.mark.parametrize("option", ["preview", "hashes"])
@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("folder.png", "must be a file"),
        ("nowhere/now.png", "there is no folder"),
        ("/proc/now.png", "nothing can be written to /proc"),
    ],
)
def test_where_nothing_can_be_written_is_found_out_before_anything_is_painted(
    tmp_path: Path, option: str, place: str, complaint: str
) -> None:
    source = write(tmp_path / "film.mp4", bikes()[:1])
    (tmp_path / "folder.png").mkdir()
    changes: dict[str, Any] = {option: tmp_path / place}
    with pytest.raises(ConfigError, match=complaint):
        rendered(wish(source, tmp_path / "out.mp4", **changes))


def test_the_preview_does_not_come_among_the_pictures_that_are_painted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), bikes()[0])
    with pytest.raises(ConfigError, match="must not be among the pictures of the source"):
        rendered(wish(tmp_path / "in", tmp_path / "out", preview=tmp_path / "in" / "now.png"))


@pytest.mark.parametrize("option", ["preview", "hashes"])
def test_nothing_else_is_written_over_the_source(tmp_path: Path, option: str) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), bikes()[0])
    changes: dict[str, Any] = {option: tmp_path / "in.png"}
    with pytest.raises(ConfigError, match="must not be the source"):
        rendered(wish(tmp_path / "in.png", tmp_path / "out.png", **changes))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with 600 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode and os.environ.get("CI") != "true":
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_when_the_disk_is_full_what_is_painted_is_kept_and_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:25])
    out = small_disk / "out.mp4"
    weights = tmp_path / "tiny.safetensors"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 400_000)
    code, told = rendered(wish(source, out, weights=weights, size="source"))
    assert code == 75
    assert "No space left on device; what is painted is kept, and the same command goes on" in told
    done = list((small_disk / "out.mp4.work").glob("painted-*.json"))
    assert len(done) == 1
    assert not out.exists()
    ballast.unlink()
    code, told = rendered(wish(source, out, weights=weights, size="source"))
    assert code == 0, told
    assert f"of which {5 * len(done)} are done" in told
    assert times(out) == times(source)


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:8])
    with Mortals(limit=(resource.RLIMIT_FSIZE, 40_000)) as mortals:
        mortals.start(source, tmp_path / "out.mp4")
        assert mortals.wait() == 75
    assert "File too large; what is painted is kept" in (tmp_path / "out.mp4.told").read_text()
    assert rendered(wish(source, tmp_path / "out.mp4"))[0] == 0
