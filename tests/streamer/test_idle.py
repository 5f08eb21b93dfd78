"""What goes out while no new frame comes."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.color import color_statistics, palette_fill
from models.cuts import CutDetector
from models.descent import Budget
from models.flow import DIS
from models.stylizer import Stylizer
from streamer.canvas import Canvas, Painted
from streamer.gallery import Gallery
from streamer.idle import Hold, Refine, Slate
from streamer.paint import Hot
from streamer.pixels import to_pixels
from streamer.slate import palette, slate
from streamer.telemetry import Telemetry
from tests.endpoints import frame
from tests.tiny import random_image, tiny_objective

HOT = Hot(iterations=4, fps=20)


@pytest.fixture
def canvas(tmp_path: Path) -> Canvas:
    """Return a canvas that paints with the tiny network."""
    colors = color_statistics(random_image(seed=9))
    stylizer = Stylizer(
        tiny_objective(tmp_path / "tiny.safetensors"),
        flow=DIS(),
        cuts=CutDetector(),
        fill=lambda content: palette_fill(content, colors),
    )
    return Canvas(stylizer, size=64, device="cpu", telemetry=Telemetry())


@pytest.fixture
def last(canvas: Canvas) -> Painted:
    """Return a frame that was painted."""
    source = frame(5, image=to_pixels(random_image(seed=1)))
    painted = canvas.paint(source, Budget(2), HOT, at_s=source.pts)
    assert painted is not None
    return painted


def test_hold_sends_the_last_picture_as_stale(last: Painted) -> None:
    held = Hold().picture(last, HOT, heard_at=last.source.received_at)
    assert held.image is last.frame.image
    assert held.stale
    assert held.sequence == 5
    assert Hold().spend(last, HOT) is None


def test_refine_paints_the_same_frame_on_until_the_picture_rests(canvas: Canvas, last: Painted) -> None:
    refine = Refine(canvas)
    pictures, totals = [last.frame.image], []
    while (better := refine.spend(last, HOT)) is not None:
        assert len(pictures) < 1000, "it never rests"
        assert better.source is last.source
        last = better
        pictures.append(better.frame.image)
        assert better.stylized.terms is not None
        totals.append(float(better.stylized.terms.total))
    sent = refine.picture(last, HOT, heard_at=last.source.received_at)
    assert (sent.stale, sent.sequence) == (True, 5)
    assert sent.image is pictures[-1]
    assert len(pictures) > 10
    assert totals[-1] < 0.9 * totals[0], "the picture is nearer to the painting than the one that was first sent"
    assert difference(pictures[0], pictures[-1]) > 3
    assert difference(pictures[-2], pictures[-1]) < 0.5


def test_refine_begins_again_when_another_frame_was_painted_or_a_setting_changed(canvas: Canvas, last: Painted) -> None:
    refine = Refine(canvas)
    rested = last
    while (better := refine.spend(rested, HOT)) is not None:
        rested = better
    assert refine.spend(rested, HOT.model_copy(update={"color": "content"})) is not None
    other = replace(rested, source=frame(6, image=to_pixels(random_image(seed=2))))
    assert refine.spend(other, HOT) is not None


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return how far two pictures are apart, in 8-bit levels."""
    return float(np.abs(one.astype(float) - other).mean())


class Clocks:
    """A monotonic clock and one on the wall that both stand."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.wall = lambda: time.mktime((2026, 5, 4, 3, 2, 1, 0, 0, -1))

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def painting() -> NDArray[np.uint8]:
    """Return a painting of two colors."""
    halves = np.zeros((96, 128, 3), np.uint8)
    halves[:48], halves[48:] = (20, 30, 90), (240, 200, 40)
    return halves


def test_the_slate_waits_until_the_source_has_been_silent_for_long_enough(
    last: Painted, painting: NDArray[np.uint8]
) -> None:
    clocks = Clocks(last.source.received_at + 2.9)
    gallery = Gallery(("starry",), paint=lambda _: painting)
    idle = Slate(gallery, patience_s=3, clock=clocks, wall=clocks.wall)
    assert idle.picture(last, HOT, heard_at=last.source.received_at).image is last.frame.image
    clocks.now += 0.2
    card = idle.picture(last, HOT, heard_at=last.source.received_at)
    assert (card.stale, card.sequence) == (True, 5)
    assert card.image.shape == last.frame.image.shape
    assert difference(card.image, last.frame.image) > 20
    clocks.now += 60
    assert idle.picture(last, HOT, heard_at=last.source.received_at) is card, "it says since when, not for how long"
    expected = slate(last.frame.image, painting, title="no signal", detail="since 03:01:57")
    at = Slate(gallery, patience_s=3, clock=Clocks(last.source.received_at + 4), wall=clocks.wall)
    assert np.array_equal(at.picture(last, HOT, heard_at=last.source.received_at).image, expected)


def test_a_slate_can_be_drawn_without_the_paintings_file(last: Painted) -> None:
    idle = Slate(Gallery(()), patience_s=0)
    assert idle.picture(last, HOT, heard_at=last.source.received_at).image.shape == last.frame.image.shape


@pytest.mark.parametrize(("height", "width"), [(48, 64), (144, 256), (256, 144), (360, 640), (16, 400), (400, 16)])
def test_a_slate_has_the_paintings_colors_over_the_darkened_picture(
    height: int, width: int, painting: NDArray[np.uint8]
) -> None:
    bright = np.full((height, width, 3), 200, np.uint8)
    card = slate(bright, painting, title="no signal", detail="since 14:03:22")
    assert card.shape == bright.shape
    assert card[0, 0].tolist() == [60, 60, 60], "the picture, at three tenths of its light"
    near = np.abs(card.astype(int) - np.array([240, 200, 40])).sum(2) < 90
    assert near.any(), "the light letters"
    dark = np.abs(card.astype(int) - np.array([20, 30, 90])).sum(2) < 20
    assert dark.any(), "the card"


def test_the_palette_is_sorted_by_light(painting: NDArray[np.uint8]) -> None:
    assert palette(painting) == [(20, 30, 90), (240, 200, 40)]
