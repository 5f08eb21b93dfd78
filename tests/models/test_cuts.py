"""Scene cuts are found in their own frame; flashes, pans, fades and noise are not taken for cuts.

PySceneDetect is the oracle for the films; its five cuts in `bikes` were confirmed by looking at the frames.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
import torch
from scenedetect import AdaptiveDetector, ContentDetector, SceneDetector, detect

from models.cuts import CutDetector
from protocols import scene
from tests import clips
from tests.clips import HEIGHT, WIDTH, Clip

BIKES_CUTS = {30, 76, 137, 187, 242}
SHOTS = clips.shots()
FLASHES = {f"{gain} x {length}": [gain] * length for gain in (1.6, 2.2, 3.0) for length in (1, 2, 3)}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """On pictures this small, threads spend their time waiting for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _cuts(clip: Clip) -> set[int]:
    detector = CutDetector()
    images = (torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255 for frame in clip)
    return {index for index, image in enumerate(images) if detector(image)}


@cache
def _builtin_scene() -> tuple[Clip, set[int]]:
    """Two rounds of the loop, so that its seam is looked at too."""
    one_round = np.stack([scene.render(index, width=128, height=72) for index in range(scene.LENGTH)])
    cuts = {cut + start for cut in scene.CUTS for start in (0, scene.LENGTH)} - {0}
    return np.concatenate([one_round, one_round]), cuts


def _neighbor(name: str) -> Clip:
    names = list(SHOTS)
    return SHOTS[names[(names.index(name) + 1) % len(names)]]


TREATMENTS: dict[str, Callable[[Clip], Clip]] = {
    "plain": lambda clip: clip,
    "dark": lambda clip: clips.brightened(clip, 0.35),
    "bright": lambda clip: clips.brightened(clip, 1.8),
    "gray": lambda clip: np.repeat(clip[..., 1:2], 3, axis=3),
    "noisy": lambda clip: clips.noisy(clip, 0.05),
    "letterboxed": clips.letterboxed,
    "flickering": lambda clip: clips.flashed(clip, (1.05 + 0.35 * np.sin(5 * np.arange(len(clip)))).tolist(), at=0),
}


def _montages() -> Iterator[tuple[str, Clip, set[int]]]:
    rng = np.random.default_rng(1)
    for treatment, treated in TREATMENTS.items():
        for _ in range(2):
            clip, cuts = clips.montage(rng)
            yield f"montage, {treatment}", treated(clip), cuts


def _labelled() -> Iterator[tuple[str, Clip, set[int]]]:
    """Yield name, clip, and the frames that begin a new scene."""
    yield ("the built-in scene", *_builtin_scene())
    for stride in (1, 2, 3):
        yield f"bikes, every {stride}.", clips.film("bikes")[::stride], {-(-cut // stride) for cut in BIKES_CUTS}
    yield from _montages()
    for name, shot in SHOTS.items():
        for flash, gains in FLASHES.items():
            yield f"{name}, flash {flash}", clips.flashed(shot[:12], gains, at=5), set()
        after_flash = np.concatenate([clips.flashed(shot[:10], [2.5, 2.5], at=8), _neighbor(name)[:6]])
        yield f"{name}, cut in a flash", after_flash, {10}
        before_flash = np.concatenate([shot[:6], clips.flashed(_neighbor(name)[:10], [2.2, 2.2], at=4)])
        yield f"{name}, cut before a flash", before_flash, {6}
    for name, photo in clips.photographs().items():
        yield f"{name}, pan", clips.panned(photo, 0.15), set()


def test_precision_and_recall_over_the_labelled_set_are_at_least_95_percent() -> None:
    right = false = missed = 0
    faults = []
    for name, clip, cuts in _labelled():
        found = _cuts(clip)
        right, false, missed = right + len(found & cuts), false + len(found - cuts), missed + len(cuts - found)
        if found != cuts:
            faults.append(f"{name}: false {sorted(found - cuts)}, missed {sorted(cuts - found)}")
    assert right + missed > 200, "the set has cuts enough to tell"
    assert right / (right + false) >= 0.95, faults
    assert right / (right + missed) >= 0.95, faults


@pytest.mark.parametrize("oracle", [ContentDetector(min_scene_len=2), AdaptiveDetector(min_scene_len=2)])
def test_the_cuts_of_real_films_are_those_that_pyscenedetect_finds(oracle: SceneDetector) -> None:
    scenes = detect(str(clips.path("bikes")), oracle)
    assert {start.frame_num for start, _ in scenes} - {0} == BIKES_CUTS == _cuts(clips.film("bikes"))


def test_the_builtin_scene_is_cut_where_it_says() -> None:
    clip, cuts = _builtin_scene()
    assert cuts
    assert _cuts(clip) == cuts


def test_a_film_of_one_shot_has_no_cut() -> None:
    assert _cuts(clips.film("bigbuckbunny")) == set()


@pytest.mark.parametrize("flash", FLASHES)
@pytest.mark.parametrize("name", ["bikes 0", "bunny", "rocket"])
def test_a_flash_of_one_to_three_frames_is_no_cut(name: str, flash: str) -> None:
    assert _cuts(clips.flashed(SHOTS[name][:12], FLASHES[flash], at=5)) == set()


@pytest.mark.parametrize("bars", [False, True])
def test_a_flash_that_leaves_nothing_but_white_is_no_cut(*, bars: bool) -> None:
    clip = SHOTS["bunny"][:12].copy()
    clip[5:8] = 255
    assert _cuts(clips.letterboxed(clip) if bars else clip) == set()


@pytest.mark.parametrize("first", range(4))
def test_fast_traffic_seen_at_a_quarter_of_its_frames_is_not_cut_to_pieces(first: int) -> None:
    cuts = {-(-(cut - first) // 4) for cut in BIKES_CUTS}
    assert _cuts(clips.film("bikes")[first::4]) == cuts


@pytest.mark.parametrize("step", [0.05, 0.10, 0.15])
@pytest.mark.parametrize("name", clips.photographs())
def test_a_fast_pan_is_no_cut(name: str, step: float) -> None:
    assert _cuts(clips.panned(clips.photographs()[name], step)) == set()


@pytest.mark.parametrize("name", SHOTS)
def test_fading_out_to_black_and_in_from_black_is_no_cut(name: str) -> None:
    clip = np.concatenate([clips.faded(SHOTS[name][:12]), clips.faded(_neighbor(name)[:12])[::-1]])
    assert _cuts(clip) == set()


@pytest.mark.parametrize("name", SHOTS)
def test_a_cross_fade_is_no_cut(name: str) -> None:
    assert _cuts(clips.faded(SHOTS[name][:12], _neighbor(name)[:12])) == set()


@pytest.mark.parametrize("name", SHOTS)
def test_noise_is_no_cut(name: str) -> None:
    still = np.repeat(SHOTS[name][:1], 12, axis=0)
    assert _cuts(clips.noisy(still, 0.05)) == set()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_frames_of_one_color_are_never_a_cut(level: int) -> None:
    flat = np.full((8, HEIGHT, WIDTH, 3), level, np.uint8)
    assert _cuts(flat) == set()
    assert _cuts(clips.noisy(flat, 0.05)) == set()
    assert _cuts(np.concatenate([SHOTS["bunny"][:5], flat])) == set()


def test_a_picture_that_appears_at_once_out_of_black_is_a_cut() -> None:
    black = np.zeros((8, HEIGHT, WIDTH, 3), np.uint8)
    assert _cuts(np.concatenate([black, SHOTS["bunny"][:5]])) == {8}


def test_a_single_foreign_frame_makes_two_cuts() -> None:
    clip = SHOTS["bunny"][:12].copy()
    clip[6] = SHOTS["coffee"][0]
    assert _cuts(clip) == {6, 7}


def test_a_decision_does_not_depend_on_later_frames() -> None:
    film = clips.film("bikes")[20:40]
    assert _cuts(film[:11]) == {10} == _cuts(film) & set(range(11))


def test_after_a_reset_the_next_frame_is_the_first_one_again() -> None:
    detector = CutDetector()
    one, other = (torch.from_numpy(SHOTS[name][0]).permute(2, 0, 1)[None].float() / 255 for name in ("bunny", "coffee"))
    assert [detector(one), detector(other)] == [False, True]
    detector.reset()
    assert not detector(one)


def test_a_new_shape_is_taken_for_a_first_frame() -> None:
    detector = CutDetector()
    wide = torch.from_numpy(SHOTS["bunny"][0]).permute(2, 0, 1)[None].float() / 255
    assert not detector(wide)
    assert not detector(wide.transpose(2, 3))
    assert not detector(wide[..., :5, :3])
