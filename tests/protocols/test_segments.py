"""A recording without an end: cut into films that can all be played, of which the old ones go and nothing else."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from protocols.errors import SinkError
from protocols.retention import Keep, names, path_at, tidy
from protocols.segments import SegmentSink
from tests.protocols.test_recording import child, frame, read

NOON = time.mktime((2026, 3, 14, 12, 0, 0, 0, 0, -1))
DAY_S = 86_400.0
NAME = "%Y-%m-%d_%H-%M-%S.mp4"


class Wall:
    """A time of day that the test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def segments(
    folder: Path, *, segment_s: float = 1.0, keep: Keep | None = None, wall: Wall | None = None
) -> SegmentSink:
    return SegmentSink(folder / NAME, segment_s=segment_s, fps=25, crf=30, keep=keep, wall=wall or Wall())


def record(sink: SegmentSink, wall: Wall, count: int, *, first: int = 0) -> None:
    """Write frames of 25 fps, while the time of day goes on."""
    for index in range(first, first + count):
        wall.now = NOON + index / 25
        sink.write(frame(index, width=64, height=48))


def test_each_film_is_as_long_as_was_asked_and_named_by_its_beginning(tmp_path: Path) -> None:
    wall = Wall()
    sink = segments(tmp_path, wall=wall)
    sink.open()
    record(sink, wall, 60)
    sink.close()
    found = sorted(tmp_path.iterdir())
    assert [path.name for path in found] == [f"2026-03-14_12-00-0{second}.mp4" for second in range(3)]
    assert [len(read(path)) for path in found] == [25, 25, 10]


def test_a_new_size_begins_a_new_film(tmp_path: Path) -> None:
    sink = segments(tmp_path)
    sink.open()
    for index, width in enumerate([64, 64, 128]):
        sink.write(frame(index, width=width, height=48))
    sink.close()
    found = sorted(tmp_path.iterdir())
    assert [len(read(path)) for path in found] == [1, 2]
    assert all(names(Path(NAME)).fullmatch(path.name) for path in found)


def test_a_time_that_goes_back_begins_a_new_film(tmp_path: Path) -> None:
    sink = segments(tmp_path, segment_s=100)
    sink.open()
    for pts in (50.0, 50.04, 3.0):
        sink.write(frame(0, width=64, height=48, pts=pts))
    sink.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_only_the_folder_itself_is_made(tmp_path: Path) -> None:
    sink = segments(tmp_path / "rec")
    sink.open()
    record(sink, Wall(), 1)
    sink.close()
    assert len(list((tmp_path / "rec").iterdir())) == 1
    with pytest.raises(SinkError) as caught:
        segments(tmp_path / "not mounted" / "rec").open()
    assert caught.value.reason == "disk"


def test_a_recording_whose_writer_was_killed_can_be_played_all_of_it(tmp_path: Path) -> None:
    writer = child(
        """
        from protocols.segments import SegmentSink
        sink = SegmentSink(sys.argv[1], segment_s=1, fps=25)
        sink.open()
        for i in range(90):
            sink.write(frame(i))
        print("written", flush=True)
        time.sleep(60)
        """,
        tmp_path / "a.mp4",
    )
    with writer:
        assert writer.stdout
        assert writer.stdout.readline() == "written\n"
        writer.send_signal(signal.SIGKILL)
    counts = [len(read(path)) for path in sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)]
    assert counts[:3] == [25, 25, 25]
    assert sum(counts) >= 90 - 13, "half a second may be lost"


def test_a_full_disk_is_told_and_the_next_try_begins_a_new_film(tmp_path: Path) -> None:
    writer = child(
        """
        from protocols.segments import SegmentSink
        sink = SegmentSink(sys.argv[1], segment_s=100, fps=25, crf=12)
        sink.open()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        failures = 0
        for i in range(120):
            try:
                sink.write(frame(i))
            except SinkError as error:
                assert error.reason == "disk", error
                failures += 1
                sink.close()
                sink.open()
        sink.close()
        print(failures)
        """,
        tmp_path / "a.mp4",
    )
    told, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert int(told) >= 1
    found = list(tmp_path.iterdir())
    assert len(found) == int(told) + 1
    assert sum(len(read(path)) for path in found) >= 120 - 13 * len(found)


# -- what goes, and what does not -------------------------------------------------------------------------------------


def put(path: Path, *, days_old: float, size: int = 1000) -> Path:
    path.write_bytes(b"x" * size)
    os.utime(path, (NOON - days_old * DAY_S,) * 2)
    return path


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_is_too_old_goes_while_recording(tmp_path: Path) -> None:
    put(tmp_path / "2026-03-06_12-00-00.mp4", days_old=8)
    put(tmp_path / "2026-03-06_12-00-00-2.mp4", days_old=8)
    put(tmp_path / "2026-03-08_12-00-00.mp4", days_old=6)
    wall = Wall()
    sink = segments(tmp_path, keep=Keep(age_s=7 * DAY_S), wall=wall)
    sink.open()
    record(sink, wall, 30)
    sink.close()
    assert left(tmp_path) == {"2026-03-08_12-00-00.mp4", "2026-03-14_12-00-00.mp4", "2026-03-14_12-00-01.mp4"}


def test_what_is_too_much_goes_the_oldest_first(tmp_path: Path) -> None:
    for day in range(5):
        put(tmp_path / path_at(Path(NAME), NOON - day * DAY_S), days_old=day)
    tidy(tmp_path / NAME, Keep(size_bytes=2500), now=NOON)
    assert left(tmp_path) == {"2026-03-14_12-00-00.mp4", "2026-03-13_12-00-00.mp4"}
    tidy(tmp_path / NAME, Keep(size_bytes=1), now=NOON)
    assert left(tmp_path) == {"2026-03-14_12-00-00.mp4"}, "the newest may be growing"


def test_nothing_but_recordings_goes(tmp_path: Path) -> None:
    outside = put(tmp_path / "precious.mp4", days_old=99)
    rec = tmp_path / "rec"
    rec.mkdir()
    kept = ["2026-03-01_12-00-00.mkv", "2026-03-01.mp4", "x2026-03-01_12-00-00.mp4", "2026-03-01_12-00-00.mp4.txt",
            "2026-03-01_12-00-00-x.mp4", "٢٠٢٦-03-01_12-00-00.mp4", "notes.txt"]  # fmt: skip
    for name in kept:
        put(rec / name, days_old=99)
    (rec / "2026-03-02_12-00-00.mp4").symlink_to(outside)
    (rec / "2026-03-03_12-00-00.mp4").mkdir()
    put(rec / "2026-03-04_12-00-00.mp4", days_old=99)
    put(rec / "2026-03-14_12-00-00.mp4", days_old=0)
    tidy(rec / NAME, Keep(age_s=DAY_S, size_bytes=1), now=NOON)
    assert left(rec) == {*kept, "2026-03-02_12-00-00.mp4", "2026-03-03_12-00-00.mp4", "2026-03-14_12-00-00.mp4"}
    assert outside.exists()


def test_without_a_limit_nothing_goes(tmp_path: Path) -> None:
    put(tmp_path / "2000-01-01_12-00-00.mp4", days_old=9000)
    tidy(tmp_path / NAME, Keep(), now=NOON)
    assert left(tmp_path) == {"2000-01-01_12-00-00.mp4"}


@pytest.mark.parametrize(
    ("name", "example"), [("a.mp4", "a-12.mp4"), ("%d%%.mp4", "14%.mp4"), ("a+(b).mkv", "a+(b).mkv")]
)
def test_a_name_is_known_again(name: str, example: str) -> None:
    assert names(Path(name)).fullmatch(example)
    assert names(Path(name)).fullmatch(path_at(Path(name), NOON).name)


@pytest.mark.parametrize("template", ["rec/%Y/%d.mp4", "rec/%B.mp4", "rec/100%.mp4", "rec/a.%mp4"])
def test_a_name_that_could_not_be_known_again_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=re.escape("%Y %m %d %H %M %S")):
        names(Path(template))
