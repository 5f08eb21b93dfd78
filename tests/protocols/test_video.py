"""Films as a source: every frame, upright, in its colors and in time; and what is not a frame is told."""

import threading
import time
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from protocols.errors import SourceError
from protocols.frame import Frame, Rejected
from protocols.video import VideoSource
from protocols.wire import Limits
from tests import clips
from tests.protocols.films import scenery, turned, write_film


def film(path: Path, *, limits: Limits | None = None, live: bool = False) -> VideoSource:
    return VideoSource(str(path), kind="file", live=live, limits=limits)


def read(source: VideoSource) -> list[Frame | Rejected]:
    return list(source.frames(threading.Event()))


def frames(source: VideoSource) -> list[Frame]:
    return [item for item in read(source) if isinstance(item, Frame)]


def test_a_film_gives_every_frame_it_has() -> None:
    read_frames = frames(film(clips.path("bikes")))
    assert [frame.sequence for frame in read_frames] == list(range(250))
    with av.open(str(clips.path("bikes"))) as container:
        expected = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(read_frames[0].image.astype(int) - expected).mean() < 1
    assert read_frames[0].image.flags.c_contiguous


def test_times_are_those_of_the_film(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.21, 1.5]
    write_film(tmp_path / "a.mp4", scenery(5), times=times)
    assert [frame.pts for frame in frames(film(tmp_path / "a.mp4"))] == pytest.approx(times, abs=0.001)


@pytest.mark.parametrize("full_range", [False, True])
def test_colors_are_those_that_were_filmed(tmp_path: Path, full_range: bool) -> None:  # noqa: FBT001 - a parameter
    chart = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    image = cv2.resize(chart, (256, 192), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    write_film(tmp_path / "a.mp4", [image] * 3, full_range=full_range)
    seen = frames(film(tmp_path / "a.mp4"))[-1].image[16::32, 16::32].astype(int)
    assert np.abs(seen - chart).max() <= 4
    assert np.abs(seen - chart).mean() < 1.5


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_a_film_taken_sideways_stands_upright(tmp_path: Path, degrees: int, turns: int) -> None:
    image = scenery(1)[0]
    write_film(tmp_path / "a.mp4", [image])
    turned(tmp_path / "a.mp4", degrees)
    seen = frames(film(tmp_path / "a.mp4"))[0].image
    assert np.abs(seen.astype(int) - np.rot90(image, turns)).mean() < 4
    assert seen.flags.c_contiguous


def test_the_size_may_change_midway(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    for width, height in ((320, 180), (640, 360), (176, 144)):
        write_film(tmp_path / "part.h264", scenery(4, width=width, height=height))
        with path.open("ab") as whole:
            whole.write((tmp_path / "part.h264").read_bytes())
    read_frames = frames(film(path))
    sizes = [frame.image.shape[1::-1] for frame in read_frames]
    assert sizes == [(320, 180)] * 4 + [(640, 360)] * 4 + [(176, 144)] * 4
    expected = scenery(4, width=640, height=360)[3]
    assert np.abs(read_frames[7].image.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_film_that_is_cut_off_gives_what_it_has_and_ends(tmp_path: Path, share: float) -> None:
    write_film(tmp_path / "whole.mkv", scenery(50))
    data = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: int(len(data) * share)])
    count = len(frames(film(tmp_path / "cut.mkv")))
    assert 50 * share * 0.6 <= count <= 50 * share * 1.4


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_told_and_never_shown(tmp_path: Path, seed: int) -> None:
    write_film(tmp_path / "whole.ts", scenery(60), form="mpegts")
    whole = {round(frame.pts, 2): frame.image for frame in frames(film(tmp_path / "whole.ts"))}
    data = bytearray((tmp_path / "whole.ts").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(4000, len(data), 3):
        data[place] ^= 1 << rng.integers(8)
    (tmp_path / "bad.ts").write_bytes(data)
    items = read(film(tmp_path / "bad.ts"))
    rejected = [item for item in items if isinstance(item, Rejected)]
    good = [item for item in items if isinstance(item, Frame)]
    assert {item.reason for item in rejected} == {"corrupt"}
    assert len(good) >= 20
    assert good[-1].dropped == good[-1].sequence + 1 - len(good)
    for frame in good:
        assert min(np.abs(frame.image.astype(int) - image).mean() for image in whole.values()) < 1


@pytest.mark.parametrize("max_pixels", [640 * 359, 20_000])
def test_a_frame_that_is_too_large_is_rejected(tmp_path: Path, max_pixels: int) -> None:
    write_film(tmp_path / "a.mp4", scenery(3, width=640, height=360))
    items = read(film(tmp_path / "a.mp4", limits=Limits(max_pixels=max_pixels)))
    assert {item.reason if isinstance(item, Rejected) else "accepted" for item in items} == {"pixels"}
    assert "640 x 360" in str(items[0])


def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", scenery(3, width=320, height=180))
    assert len(frames(film(tmp_path / "a.mp4", limits=Limits(max_pixels=320 * 180)))) == 3


def test_a_frame_that_is_too_small_is_rejected(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", scenery(2, width=64, height=32))
    items = read(film(tmp_path / "a.mp4", limits=Limits(min_side_px=33)))
    assert [item.reason for item in items if isinstance(item, Rejected)] == ["pixels"] * 2


def test_a_looped_film_goes_on_without_a_jump(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", scenery(5))
    source = VideoSource(str(tmp_path / "a.mp4"), kind="file", live=False, loop=True)
    looped = [item for item in islice(source.frames(threading.Event()), 12) if isinstance(item, Frame)]
    assert [frame.sequence for frame in looped] == list(range(12))
    assert np.diff([frame.pts for frame in looped]) == pytest.approx([0.04] * 11, abs=0.002)
    assert (looped[1].image == looped[6].image).all()


def test_a_paced_film_gives_frames_when_they_are_due(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", scenery(6), fps=20)
    source = VideoSource(str(tmp_path / "a.mp4"), kind="file", live=True, pace=True)
    began_at = time.monotonic()
    paced = frames(source)
    assert len(paced) == 6
    assert all(frame.received_at - began_at >= frame.pts for frame in paced)


def test_a_film_that_waits_for_its_time_ends_when_it_is_stopped(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", scenery(2), times=[0, 60])
    stop = threading.Event()
    paced = VideoSource(str(tmp_path / "a.mp4"), kind="file", live=True, pace=True).frames(stop)
    next(paced)
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    assert list(paced) == []
    assert time.monotonic() - began < 1
    assert not [thread for thread in threading.enumerate() if thread.name == "video-reader"]


def test_a_reader_that_goes_away_leaves_no_thread(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4", scenery(30))
    read_frames = film(tmp_path / "a.mp4").frames(threading.Event())
    next(read_frames)
    del read_frames
    assert not [thread for thread in threading.enumerate() if thread.name == "video-reader"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("nowhere.mp4", None, "not_found"),
        ("text.mp4", b"no film at all\n" * 100, "format"),
        ("empty.mp4", b"", "format"),
    ],
)
def test_what_is_no_film_is_told(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name) as caught:
        read(film(tmp_path / name))
    assert caught.value.reason == reason


def test_a_camera_that_is_not_there_is_told() -> None:
    with pytest.raises(SourceError) as caught:
        read(VideoSource("/dev/video99", kind="camera", live=True, size=(640, 480), fps=30))
    assert caught.value.reason == "not_found"
