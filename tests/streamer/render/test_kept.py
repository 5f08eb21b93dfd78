"""What a rendered film keeps of its source: times, sound, colors, shape; and what it is made of otherwise."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.protocols.films import turned
from tests.streamer.render.material import SIZE, bikes, load, pictures, rendered, sounds, times, wish, write

UNEVEN = [0, 512, 600, 1900, 2412, 7000, 7001, 9000]
"""Ticks of a film whose frames are as far apart as they like."""


def seen(film: Path) -> av.VideoFrame:
    """Return the first frame as it is coded."""
    with av.open(str(film)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_frames_are_shown_when_those_of_the_source_are_and_the_sound_is_the_same(tmp_path: Path, ending: str) -> None:
    source = write(tmp_path / "source.mp4", bikes()[26:38], sound=True, bframes=2)
    out = tmp_path / f"out{ending}"
    code, told = rendered(wish(source, out))
    assert code == 0, told
    exact = ending != ".mkv"  # Matroska counts milliseconds
    assert times(out) == (times(source) if exact else [round(time * 1000) / Fraction(1000) for time in times(source)])
    assert [packet for _, packet in sounds(out)] == [packet for _, packet in sounds(source)]
    assert [float(time) for time, _ in sounds(out)] == pytest.approx(
        [float(time) for time, _ in sounds(source)], abs=1e-9 if exact else 6e-4
    )
    with av.open(str(out)) as film:
        assert film.streams.video[0].average_rate == 25
    assert not (tmp_path / f"out{ending}.work").exists()


@pytest.mark.parametrize("begins", [0, 777])
def test_a_variable_frame_rate_is_kept_to_the_tick(tmp_path: Path, begins: int) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:8], ticks=[begins + tick for tick in UNEVEN])
    rendered(wish(source, tmp_path / "out.mp4", chunk=3))
    assert times(tmp_path / "out.mp4") == times(source)
    assert len(set(np.diff([float(time) for time in times(source)]).round(6))) > 3


@pytest.mark.parametrize(("matrix", "full"), [(1, False), (1, True), (6, False), (9, False)])
def test_colors_are_coded_as_in_the_source(tmp_path: Path, matrix: int, *, full: bool) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:2], colors=(matrix, 1, 13, 2 if full else 1))
    rendered(wish(source, tmp_path / "out.mp4"))
    before, after = seen(source), seen(tmp_path / "out.mp4")
    for name in ("colorspace", "color_primaries", "color_trc", "color_range"):
        assert getattr(before, name) == getattr(after, name), name


def test_colors_come_out_as_they_were_painted(tmp_path: Path) -> None:
    """The film against the PNGs of the same frames: a matrix or a range taken for another would be off by more."""
    for number, colors in enumerate([(1, 1, 1, 1), (6, 6, 6, 2), (9, 9, 14, 1)]):
        source = write(tmp_path / f"{number}.mp4", bikes()[:2], colors=colors)
        rendered(wish(source, tmp_path / f"{number}-out.mp4", crf=0))
        rendered(wish(source, tmp_path / f"{number}-out"))
        [film, _] = pictures(tmp_path / f"{number}-out.mp4")
        picture = load(tmp_path / f"{number}-out" / "00000000.png")
        assert np.abs(film.astype(int).mean((0, 1)) - picture.mean((0, 1))).max() < 1.5


def test_a_turned_film_comes_out_upright(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:2])
    turned(source, 90)
    rendered(wish(source, tmp_path / "out.mp4"))
    frame = seen(tmp_path / "out.mp4")
    assert (frame.height, frame.width, frame.rotation) == (SIZE, 28, 0)


@pytest.mark.parametrize(("turn", "shape"), [(0, (28, 64)), (90, (64, 28))])
def test_long_pixels_stay_long(tmp_path: Path, turn: int, shape: tuple[int, int]) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:2], aspect=Fraction(4, 3))
    if turn:
        turned(source, turn)
    rendered(wish(source, tmp_path / "out.mp4"))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == (Fraction(3, 4) if turn else Fraction(4, 3))
        assert next(container.decode(video=0)).height == shape[0]


def test_sides_of_odd_length_grow_by_a_pixel(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", [image[:27, :51] for image in bikes()[:2]], pixels="yuv444p")
    assert rendered(wish(source, tmp_path / "out.mp4", size="source"))[0] == 0
    assert pictures(tmp_path / "out.mp4")[0].shape == (28, 52, 3)


def test_ten_bits_are_taken(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:2], pixels="yuv420p10le")
    assert rendered(wish(source, tmp_path / "out.mp4"))[0] == 0
    assert len(pictures(tmp_path / "out.mp4")) == 2


def test_a_film_of_one_frame_is_a_film(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:1])
    _, told = rendered(wish(source, tmp_path / "out.mp4"))
    assert told == f"painting 1 frame in 1 scene, of which 0 are done\n{tmp_path / 'out.mp4'}: 1 frame\n"
    assert len(pictures(tmp_path / "out.mp4")) == 1


def test_a_folder_becomes_a_film_at_the_rate_that_is_asked_for_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (10, 9, 100):
        cv2.imwrite(str(tmp_path / "in" / f"frame{number}.png"), np.full((32, 48, 3), number, np.uint8))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    asked = wish(tmp_path / "in", tmp_path / "out.mp4", rate=Fraction(10), settings={"color": "content", "light": 1})
    assert rendered(asked)[0] == 0
    assert times(tmp_path / "out.mp4") == [Fraction(number, 10) for number in range(3)]
    first, second, third = (picture.mean() for picture in pictures(tmp_path / "out.mp4"))
    assert first < second + 1 < third


def test_a_folder_becomes_a_folder_of_the_same_names(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / "in" / name), bikes()[0])
    assert rendered(wish(tmp_path / "in", tmp_path / "out"))[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_picture_becomes_a_picture(tmp_path: Path, ending: str) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), bikes()[0])
    assert rendered(wish(tmp_path / "in.png", tmp_path / f"out{ending}"))[0] == 0
    painted = load(tmp_path / f"out{ending}")
    assert painted.shape == bikes()[0].shape
    assert np.abs(painted.astype(int) - load(tmp_path / "in.png")).mean() > 3


def test_the_preview_is_a_painted_frame(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:2])
    assert rendered(wish(source, tmp_path / "out", preview=tmp_path / "now.png"))[0] == 0
    assert np.array_equal(load(tmp_path / "now.png"), load(tmp_path / "out" / "00000000.png"))
