"""Films begun and ended by people."""

import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import av
import pytest
import structlog
from av.error import InvalidDataError

from streamer.recordings import RecordingError, Recordings
from tests.endpoints import frame, picture


def frames_in(path: Path) -> int:
    """Return how many frames a film has, up to where it is torn."""
    count = 0
    with av.open(str(path)) as film, suppress(InvalidDataError):
        for _ in film.decode(video=0):
            count += 1
    return count


def test_what_is_painted_between_start_and_stop_is_on_the_film(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path / "new" / "rec", live=False)
    recordings.hand(frame(0))
    path = recordings.start()
    assert recordings.path == path
    for number in range(1, 8):
        recordings.hand(frame(number))
    with structlog.testing.capture_logs() as log:
        assert recordings.stop() == path
    recordings.hand(frame(8))
    assert recordings.path is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.mp4", path.name)
    assert path.parent == tmp_path / "new" / "rec"
    assert frames_in(path) == 7
    assert [(entry["event"], entry["frames"], entry["dropped"]) for entry in log] == [("recording_stopped", 7, 0)]


def test_a_second_start_goes_on_with_the_same_film(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    assert recordings.start() == recordings.start()
    recordings.stop()
    assert recordings.stop() is None


def test_two_films_begun_in_one_second_are_two_files(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, live=False)
    paths = []
    for _ in range(3):
        paths.append(recordings.start())
        recordings.hand(frame(0))
        recordings.stop()
    assert len({*paths}) == 3
    assert [frames_in(path) for path in paths] == [1, 1, 1]


def test_a_film_without_a_frame_leaves_no_file(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    recordings.start()
    recordings.stop()
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_the_stream_finishes_the_film(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, live=False)
    path = recordings.start()
    recordings.hand(frame(0))
    recordings.close()
    assert frames_in(path) == 1


def test_where_no_film_can_be_written_none_is_begun(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recordings = Recordings(tmp_path / "file" / "rec")
    with pytest.raises(RecordingError, match=r"no film can be written in .*/file/rec: Not a directory"):
        recordings.start()
    assert recordings.path is None


@contextmanager
def a_disk_of(size_bytes: int) -> Iterator[None]:
    """Let no file grow larger, as if the disk were full then."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_ends_the_film_alone_and_what_is_on_it_can_be_played(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, live=False)
    path = recordings.start()
    with structlog.testing.capture_logs() as log, a_disk_of(100_000):
        for number in range(120):
            recordings.hand(frame(number, image=picture(96, 128, seed=number)))
        assert await_end(recordings)
    failed: Any = next(entry for entry in log if entry["event"] == "recording_failed")
    assert failed["reason"] == "disk"
    assert recordings.path is None
    assert frames_in(path) > 1
    again = recordings.start()
    recordings.hand(frame(0))
    recordings.stop()
    assert frames_in(again) == 1


def await_end(recordings: Recordings, timeout_s: float = 20.0) -> bool:
    """Return whether the film ends by itself in time."""
    pause = Event()
    return any(recordings.path is None or pause.wait(0.02) for _ in range(round(timeout_s / 0.02)))
