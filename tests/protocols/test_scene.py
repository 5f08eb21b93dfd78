"""The built-in scene is what it says: the same every time, moving exactly as its flow tells."""

import threading
import time
from itertools import islice

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from protocols.scene import CUTS, FLASH_GAIN, FLASHES, LENGTH, flow, render, visible
from protocols.scene_source import SceneSource

SIZE = {"width": 256, "height": 144}


def warped(
    image: NDArray[np.uint8 | np.float32], field: NDArray[np.float32], *, method: int = cv2.INTER_CUBIC
) -> NDArray[np.float32]:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    moved = cv2.remap(image.astype(np.float32), x + field[..., 0], y + field[..., 1], method)
    return np.asarray(moved, np.float32)


def rmse(first: NDArray[np.float32], second: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    return float(np.sqrt(np.mean((first[where] - second[where]) ** 2)) / 255)


@pytest.mark.parametrize("size", [(256, 144), (160, 160), (418, 236)])
@pytest.mark.parametrize(("earlier", "later"), [(0, 1), (30, 31), (60, 63), (72, 73), (100, 101), (115, 118)])
def test_moving_a_frame_by_the_flow_gives_the_other_frame(size: tuple[int, int], earlier: int, later: int) -> None:
    shape = {"width": size[0], "height": size[1]}
    first, second = render(earlier, **shape), render(later, **shape)
    backward, seen = flow(later, earlier, **shape), visible(later, earlier, **shape)
    assert seen.mean() > 0.7
    assert rmse(warped(first, backward), second, seen) < 0.02
    assert rmse(first.astype(np.float32), second, seen) > 0.04, "the pictures hardly differ: this tests nothing"


def test_flow_there_and_back_returns_to_the_same_pixel() -> None:
    there, seen = flow(20, 24, **SIZE), visible(20, 24, **SIZE)
    back = warped(flow(24, 20, **SIZE), there, method=cv2.INTER_LINEAR)
    assert np.quantile(np.abs(there + back)[seen], 0.999) < 0.02


def test_things_move_at_their_own_speeds() -> None:
    speeds = np.hypot(*flow(20, 21, **SIZE).transpose(2, 0, 1))
    assert np.quantile(speeds, 0.1) < 1
    assert 3 < np.quantile(speeds, 0.98) < 7


def test_surfaces_are_hidden_and_revealed() -> None:
    hidden, revealed = ~visible(20, 26, **SIZE), ~visible(26, 20, **SIZE)
    assert 0.05 < hidden.mean() < 0.4
    assert 0.05 < revealed.mean() < 0.4
    assert (hidden != revealed).mean() > 0.05


def test_each_cut_changes_the_whole_picture_and_nothing_else_does() -> None:
    shades = [render(i, **SIZE).mean() / (FLASH_GAIN if i in FLASHES else 1) for i in range(LENGTH + 1)]
    jumps = {i % LENGTH for i in range(1, LENGTH + 1) if abs(shades[i] - shades[i - 1]) > 25}
    assert jumps == CUTS


def test_nothing_is_visible_across_a_cut() -> None:
    for cut in sorted(CUTS):
        assert not visible(cut + LENGTH - 1, cut + LENGTH, **SIZE).any()
        assert not flow(cut + LENGTH - 1, cut + LENGTH, **SIZE).any()


def test_the_same_frame_of_another_round_is_another_shot() -> None:
    assert (render(5, **SIZE) == render(5 + LENGTH, **SIZE)).all()
    assert not visible(5, 5 + LENGTH, **SIZE).any()


def test_a_flash_multiplies_the_light_of_the_whole_picture() -> None:
    flash = min(FLASHES)
    lit, before = render(flash, **SIZE), render(flash - 1, **SIZE)
    seen = visible(flash, flash - 1, **SIZE) & (lit.max(axis=-1) < 250)
    plain = warped(before, flow(flash, flash - 1, **SIZE))
    assert np.median(lit[seen] / np.maximum(plain[seen], 1)) == pytest.approx(FLASH_GAIN, abs=0.03)


@pytest.mark.parametrize("size", [(16, 16), (17, 90), (400, 33), (641, 361)])
def test_any_size_is_filled_to_its_corners(size: tuple[int, int]) -> None:
    for index in (0, 40, 71, 72, 119):
        picture = render(index, width=size[0], height=size[1])
        assert picture.shape == (size[1], size[0], 3)
        assert (picture[[0, 0, -1, -1], [0, -1, 0, -1]].max(axis=-1) > 3).all()


def test_a_source_with_an_end_yields_each_frame_once_in_order() -> None:
    frames = list(SceneSource(size=(64, 36), frames=10, fps=5, live=False).frames(threading.Event()))
    assert [frame.sequence for frame in frames] == list(range(10))
    assert [frame.pts for frame in frames] == pytest.approx([i / 5 for i in range(10)])
    assert (frames[7].image == render(7, width=64, height=36)).all()


def test_each_run_of_a_source_is_an_epoch_of_its_own() -> None:
    source = SceneSource(size=(32, 18), frames=1, live=False)
    (first,), (second,) = source.frames(threading.Event()), source.frames(threading.Event())
    assert first.epoch != second.epoch


def test_a_live_source_keeps_the_pace_of_the_clock() -> None:
    began = time.monotonic()
    frames = list(islice(SceneSource(size=(32, 18), fps=50).frames(threading.Event()), 21))
    assert time.monotonic() - began >= 20 / 50 - 0.01
    assert all(frame.received_at - began >= frame.pts - 0.001 for frame in frames)


def test_a_live_source_explains_the_frames_it_left_out() -> None:
    frames = SceneSource(size=(32, 18), fps=1000).frames(threading.Event())
    next(frames)
    deadline = time.monotonic() + 0.05
    while time.monotonic() < deadline:
        pass
    later = next(frames)
    assert later.sequence > 20
    assert later.dropped == later.sequence - 1


def test_a_waiting_source_ends_when_it_is_stopped() -> None:
    stop = threading.Event()
    frames = SceneSource(size=(32, 18), fps=0.05).frames(stop)
    next(frames)
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    assert list(frames) == []
    assert time.monotonic() - began < 1
