"""The film that is written: it holds what was seen, and it can be played however its writing ended."""

import dataclasses
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from protocols.errors import SinkError
from protocols.frame import Frame
from protocols.recording import VideoSink
from protocols.scene import render
from protocols.video import VideoSource

FORMATS = ["a.mp4", "a.mkv", "a.mov"]


def frame(index: int, *, width: int = 128, height: int = 72, pts: float | None = None) -> Frame:
    image = render(index, width=width, height=height)
    return Frame(image=image, sequence=index, pts=index / 25 if pts is None else pts, captured_at=0, received_at=0)


def write(path: Path, written: list[Frame], *, crf: int = 12) -> None:
    sink = VideoSink(path, fps=25, crf=crf)
    sink.open()
    for each in written:
        sink.write(each)
    sink.close()


def read(path: Path) -> list[Frame]:
    source = VideoSource(str(path), kind="file", live=False)
    return [item for item in source.frames(threading.Event()) if isinstance(item, Frame)]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_can_be_read(tmp_path: Path, name: str) -> None:
    written = [frame(i) for i in range(60, 80)]
    write(tmp_path / name, written)
    films = read(tmp_path / name)
    assert len(films) == 20
    for before, after in zip(written, films, strict=True):
        assert np.abs(before.image.astype(int) - after.image).mean() < 8
        assert np.abs(before.image.mean((0, 1)) - after.image.mean((0, 1))).max() < 2.5


def test_frames_keep_their_times(tmp_path: Path) -> None:
    times = [5.0, 5.04, 5.5, 5.51, 8.0]
    write(tmp_path / "a.mp4", [frame(i, pts=time) for i, time in enumerate(times)])
    assert [each.pts for each in read(tmp_path / "a.mp4")] == pytest.approx([t - 5 for t in times], abs=0.002)


def test_a_clock_that_stands_or_goes_back_still_takes_each_frame_forward(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [frame(i, pts=time) for i, time in enumerate([1.0, 1.5, 1.5, 1.2, 2.0])])
    times = [each.pts for each in read(tmp_path / "a.mp4")]
    assert len(times) == 5
    assert all(np.diff(times) > 0)
    assert times[-1] == pytest.approx(1.0, abs=0.002)


def test_odd_sides_grow_by_a_pixel(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [frame(i, width=65, height=49) for i in range(3)])
    images = [each.image for each in read(tmp_path / "a.mp4")]
    assert {image.shape for image in images} == {(50, 66, 3)}
    assert np.abs(images[0][-1].astype(int) - images[0][-2]).mean() < 12


def test_a_new_size_begins_a_new_file(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [frame(0), frame(1), frame(2, width=64, height=64), frame(3)])
    assert [len(read(tmp_path / name)) for name in ("a.mp4", "a-2.mp4", "a-3.mp4")] == [2, 1, 1]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [frame(0)])
    first = (tmp_path / "a.mp4").read_bytes()
    write(tmp_path / "a.mp4", [frame(1), frame(2)])
    assert (tmp_path / "a.mp4").read_bytes() == first
    assert len(read(tmp_path / "a-2.mp4")) == 2


def test_a_sink_without_frames_leaves_no_file(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [])
    assert list(tmp_path.iterdir()) == []


def child(code: str, path: Path) -> "subprocess.Popen[str]":
    lines = """
        import resource, sys, time
        from protocols.errors import SinkError
        from protocols.frame import Frame
        from protocols.recording import VideoSink
        from protocols.scene import render
        def frame(i):
            image = render(i, width=128, height=72)
            return Frame(image=image, sequence=i, pts=i / 25, captured_at=0, received_at=0)
        sink = VideoSink(sys.argv[1], fps=25, crf=12)
        sink.open()
    """
    program = textwrap.dedent(lines) + textwrap.dedent(code)
    return subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", FORMATS)
def test_a_film_whose_writer_was_killed_can_be_played(tmp_path: Path, name: str) -> None:
    writer = child(
        """
        for i in range(100):
            sink.write(frame(i))
        print("written", flush=True)
        time.sleep(60)
        """,
        tmp_path / name,
    )
    with writer:
        assert writer.stdout
        assert writer.stdout.readline() == "written\n"
        writer.send_signal(signal.SIGKILL)
    assert len(read(tmp_path / name)) >= 80


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_told_and_what_was_written_can_be_played(tmp_path: Path, name: str) -> None:
    writer = child(
        """
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        for i in range(2000):
            try:
                sink.write(frame(i))
            except SinkError as error:
                print(i, error.reason)
                break
        sink.close()
        """,
        tmp_path / name,
    )
    told, _ = writer.communicate(timeout=60)
    count, reason = told.split()
    assert writer.returncode == 0
    assert reason == "disk"
    assert len(read(tmp_path / name)) >= int(count) - 30 > 0


def test_a_disk_that_stays_full_gathers_no_empty_files(tmp_path: Path) -> None:
    writer = child(
        """
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        for i in range(3):
            try:
                sink.write(frame(i))
            except SinkError as error:
                print(error.reason)
        """,
        tmp_path / "a.mp4",
    )
    told, _ = writer.communicate(timeout=60)
    assert told.split() == ["disk"] * 3
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told_when_opening(tmp_path: Path) -> None:
    with pytest.raises(SinkError) as caught:
        VideoSink(tmp_path / "no" / "a.mp4", fps=25).open()
    assert caught.value.reason == "disk"


@pytest.mark.parametrize(("name", "options"), [("a.avi", {}), ("a", {}), ("a.mp4", {"fps": 0}), ("a.mp4", {"crf": 52})])
def test_wrong_arguments_are_refused(name: str, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="got"):
        VideoSink(name, **{"fps": 25, **options})


def test_a_closed_sink_can_be_opened_again(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.mp4", fps=25)
    for i in range(2):
        sink.open()
        sink.write(dataclasses.replace(frame(i), epoch=i))
        sink.close()
        sink.close()
    assert len(list(tmp_path.iterdir())) == 2
