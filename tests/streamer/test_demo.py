"""What the demo shows and says: colors of flow, the contact sheet, the moments on it, the figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

from models.flow import DIS
from protocols.errors import SourceError
from protocols.frame import Frame, Painting, Rejected
from streamer.contact_sheet import PAPER, Moment, color_wheel, contact_sheet, flow_color, longest_motion
from streamer.demo_report import Outcome, choose_moments, picture, side_by_side, table
from streamer.recorder import Recorder, Recording
from streamer.steadiness import Comparison, Shown, Step, compare, last_of_longest_scene, mean_error, steps
from tests.endpoints import ScriptedSource, frame
from tests.tiny import random_image, tiny_objective

SIZE = (36, 64)


def flat(red: int, green: int, blue: int) -> NDArray[np.uint8]:
    return np.full((*SIZE, 3), (red, green, blue), np.uint8)


def hue(direction: tuple[float, float]) -> int:
    """Return the hue, in degrees, of a flow in this direction."""
    flow = np.full((2, 2, 2), direction, np.float32)
    colors = flow_color(flow, longest=1.0).astype(np.float32) / 255
    return round(float(cv2.cvtColor(colors, cv2.COLOR_RGB2HSV)[0, 0, 0]))


def painted(sequence: int, *, cut: bool = False, iterations: int = 2, dropped: int = 0) -> Frame:
    found = frame(sequence, image=flat(sequence % 256, 0, 0), received_at=100 + sequence / 10)
    return replace(found, painting=Painting(iterations, cut=cut), dropped=dropped)


# -- colors of flow ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "degrees"), [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180), ((0, -1), 270), ((1, 1), 45)]
)
def test_each_direction_has_its_hue(direction: tuple[float, float], degrees: int) -> None:
    assert abs(hue(direction) - degrees) <= 1


def test_no_motion_is_white_and_more_motion_is_stronger() -> None:
    flow = np.zeros((1, 3, 2), np.float32)
    flow[0, :, 0] = 0, 1, 2
    still, half, full = flow_color(flow, longest=2.0)[0]
    assert still.tolist() == [255, 255, 255]
    assert half.tolist() == [255, 128, 128]
    assert full.tolist() == [255, 0, 0]


def test_a_longer_motion_than_the_longest_has_full_color() -> None:
    assert flow_color(np.full((1, 1, 2), (50, 0), np.float32), longest=2.0).tolist() == [[[255, 0, 0]]]


def test_the_wheel_shows_the_color_of_each_direction_where_it_points() -> None:
    wheel = color_wheel(101).astype(int)
    assert wheel[50, 50].tolist() == [255, 255, 255]
    assert (wheel[50, 95] - (255, 0, 0)).max() < 40  # right
    assert (wheel[50, 5] - (0, 255, 255)).max() < 40  # left
    assert wheel[0, 0].tolist() == list(PAPER)


def test_noise_is_not_shown_as_motion() -> None:
    assert longest_motion([np.full((4, 4, 2), 0.01, np.float32)]) == 1.0
    assert longest_motion([np.full((4, 4, 2), (3, 4), np.float32)]) == 5.0


# -- contact sheet ----------------------------------------------------------------------------------------------------


def test_the_sheet_has_a_column_for_each_moment_and_rows_for_source_flow_and_painted() -> None:
    right = np.full((*SIZE, 2), (8, 0), np.float32)
    left = np.full((*SIZE, 2), (-8, 0), np.float32)
    moments = [
        Moment(flat(200, 0, 0), right, flat(0, 200, 0), "one", ""),
        Moment(flat(0, 0, 200), left, flat(200, 200, 0), "two", ""),
    ]
    sheet = contact_sheet(moments, caption="caption", cell_width=SIZE[1]).astype(int)
    places = {}
    for name, color in {
        "source 1": (200, 0, 0),
        "flow 1": (255, 0, 0),
        "painted 1": (0, 200, 0),
        "source 2": (0, 0, 200),
        "flow 2": (0, 255, 255),
        "painted 2": (200, 200, 0),
    }.items():
        rows, columns = np.nonzero((sheet == color).all(-1))
        assert len(rows) >= SIZE[0] * SIZE[1], name
        places[name] = (np.median(columns), np.median(rows))
    for column in ("1", "2"):
        xs, ys = zip(*(places[f"{row} {column}"] for row in ("source", "flow", "painted")), strict=True)
        assert max(xs) - min(xs) <= 1
        assert list(ys) == sorted(ys)
    assert places["source 1"][0] + SIZE[1] < places["source 2"][0]


def test_titles_and_notes_are_written() -> None:
    still = np.zeros((*SIZE, 2), np.float32)
    empty = contact_sheet([Moment(flat(0, 0, 0), still, flat(0, 0, 0), "", "")], caption="")
    for change in ({"title": "8.8 s"}, {"note": "2 iterations"}):
        moment = replace(Moment(flat(0, 0, 0), still, flat(0, 0, 0), "", ""), **change)  # type: ignore[arg-type]
        assert (contact_sheet([moment], caption="") != empty).any(), change


# -- moments ----------------------------------------------------------------------------------------------------------


def test_the_moments_are_before_and_in_the_flash_just_after_the_cut_and_the_end_of_that_scene() -> None:
    frames = [painted(number, cut=number in {0, 72, 120}) for number in range(0, 140, 2)]
    shown = [frames[place].sequence for place in choose_moments(frames, {44, 45})]
    assert shown == [32, 44, 74, 118]


def test_without_flash_and_cut_the_moments_are_spread() -> None:
    frames = [painted(number, cut=number == 0) for number in range(41)]
    assert choose_moments(frames, ()) == [10, 20, 30, 40]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_a_few_frames_all_are_shown(count: int) -> None:
    assert choose_moments([painted(number) for number in range(count)], ()) == list(range(count))


# -- recording --------------------------------------------------------------------------------------------------------


def test_a_recording_counts_what_was_dropped_what_was_lost_and_the_cuts() -> None:
    frames = [painted(0, cut=True), painted(1), painted(4, dropped=2, iterations=5), painted(6, dropped=2, cut=True)]
    recording = Recording(frames)
    assert (recording.missing, recording.dropped, recording.cuts) == (3, 2, 1)
    assert recording.fps == pytest.approx(3 / 0.6)
    assert recording.iterations == pytest.approx(11 / 4)


def test_the_age_is_from_capture_to_receipt() -> None:
    received = frame(0)
    old = [replace(received, captured_at=received.captured_at - seconds) for seconds in (0.1, 0.1, 0.4)]
    age = Recording(old).age
    assert age.p50 == pytest.approx(0.1, abs=0.05)
    assert age.p95 == pytest.approx(0.4, abs=0.05)


def test_the_recorder_gives_frames_in_order_and_raises_what_failed() -> None:
    source = ScriptedSource([frame(0), frame(1), Rejected("header", "no JSON")])
    with Recorder(source) as recorder:
        assert [found.sequence for _ in range(2) if (found := recorder.take(timeout_s=10))] == [0, 1]
        with pytest.raises(Exception, match="no JSON"):
            recorder.take(timeout_s=10)
        assert recorder.take(timeout_s=0.01) is None


def test_the_recorder_raises_when_the_stream_fails() -> None:
    source = ScriptedSource([SourceError("gone", reason="stalled")])
    with Recorder(source) as recorder, pytest.raises(SourceError, match="gone"):
        recorder.take(timeout_s=10)


# -- steadiness -------------------------------------------------------------------------------------------------------


def film(*paintings: torch.Tensor, cut_at: int = -1) -> list[Shown]:
    """Return frames of a thing that stands still, painted in these ways."""
    content = random_image(*SIZE)
    return [Shown(content, image, continues=place not in {0, cut_at}) for place, image in enumerate(paintings)]


def test_the_error_of_a_step_is_how_much_the_painting_changed_while_nothing_moved() -> None:
    gray = torch.full((1, 3, *SIZE), 0.5)
    first, step = steps(film(gray, gray + 0.25), DIS())
    assert first is None
    assert step is not None
    assert step.content_error == pytest.approx(0, abs=1e-3)
    assert step.painted_error == pytest.approx(0.25, abs=1e-6)
    assert step.motion.abs().max() < 0.1


def test_motion_is_from_the_earlier_frame_to_the_later() -> None:
    wide = random_image(*SIZE)
    earlier, later = (Shown(image, image, continues=True) for image in (wide, torch.roll(wide, 2, dims=3)))
    step = steps([earlier, later], DIS())[1]
    assert step is not None
    assert step.motion[0, 0, 10:-10, 15:-15].median() == pytest.approx(2, abs=0.2)


def test_no_step_leads_over_a_cut() -> None:
    gray = torch.full((1, 3, *SIZE), 0.5)
    assert [step is None for step in steps(film(gray, gray, gray, cut_at=1), DIS())] == [True, True, False]


def test_the_longest_scene_is_compared_at_its_end() -> None:
    shown = film(*(torch.full((1, 3, *SIZE), place / 10) for place in range(9)), cut_at=6)
    assert last_of_longest_scene(shown, 2) == shown[4:6]
    assert last_of_longest_scene(shown, 99) == shown[:6]


def test_frames_are_painted_each_from_itself_until_the_time_is_over(tmp_path: Path) -> None:
    objective = tiny_objective(tmp_path / "tiny.safetensors")
    shown = film(*(random_image(*SIZE) for _ in range(4)))
    late = compare(shown, objective, DIS(), iterations=3, deadline=0.0, clock=lambda: 1.0)
    assert late is not None
    assert (late.frames, late.iterations) == (2, 3)
    assert late.alone_energy < late.streamed_energy, "the paintings were the frames themselves"
    assert late.alone_error == pytest.approx(0, abs=1e-2), "the same frame is painted the same"
    in_time = compare(shown, objective, DIS(), iterations=1, deadline=2.0, clock=lambda: 1.0)
    assert in_time is not None
    assert in_time.frames == 4
    assert compare(shown[:1], objective, DIS(), iterations=1, deadline=2.0) is None


def test_the_mean_error_leaves_out_what_is_not_known() -> None:
    assert mean_error([0.1, None, 0.3]) == pytest.approx(0.2)
    assert mean_error([None]) is None


# -- report -----------------------------------------------------------------------------------------------------------


def outcome(frames: Sequence[Frame], comparison: Comparison | None = None) -> Outcome:
    motion = torch.zeros(1, 2, *SIZE)
    known: list[Step | None] = [Step(motion, content_error=0.01, painted_error=0.02) for _ in frames[1:]]
    sources = [flat(0, 0, 9) for _ in frames]
    return Outcome(Recording(frames), sources, [None, *known], comparison, flashes={4})


def test_the_table_holds_every_figure() -> None:
    comparison = Comparison(
        frames=2, iterations=15, alone_error=0.1, streamed_error=0.03, alone_energy=2.9, streamed_energy=2.1
    )
    frames = [painted(0, cut=True), painted(1), painted(4, dropped=2), painted(6, dropped=2, cut=True)]
    console = Console(width=120)
    with console.capture() as printed:
        console.print(table(outcome(frames, comparison)))
    text = " ".join(printed.get().split())
    for expected in (
        "frames per second 5.0",
        "iterations per frame 2.0",
        "frames received 4",
        "frames dropped 2",
        "frames lost 1",
        "cuts 1",
        "temporal error, source 0.0100",
        "temporal error, painted 0.0200",
        "of 2 frames of it 0.0300 energy 2.1",
        "of the same by themselves 0.1000 each from itself, 15 iterations; energy 2.9",
    ):
        assert expected in text


def test_the_picture_shows_what_was_sent_and_what_was_received() -> None:
    frames = [painted(number, cut=number in {0, 6}) for number in range(12)]
    sheet = np.asarray(picture(outcome(frames), caption="", cell_width=SIZE[1])).astype(int)
    for number in choose_moments(frames, {4}):
        assert (sheet == (number, 0, 0)).all(-1).sum() >= SIZE[0] * SIZE[1]
    assert (sheet == (0, 0, 9)).all(-1).sum() >= 4 * SIZE[0] * SIZE[1]


def test_the_film_shows_both_beside_each_other_large_enough_to_watch() -> None:
    both = side_by_side(flat(9, 0, 0), flat(0, 9, 0))
    assert both.shape == (270, 960, 3)
    assert both[100, 100].tolist() == [9, 0, 0]
    assert both[100, 900].tolist() == [0, 9, 0]
