"""One order and one clock for a source that comes and goes."""

import pytest

from protocols.frame import Frame
from streamer.timeline import Timeline
from tests.endpoints import frame


def numbers(*frames: Frame) -> list[int | None]:
    timeline = Timeline(epoch=7)
    return [None if placed is None else placed.sequence for placed in map(timeline.place, frames)]


def test_our_numbers_begin_at_zero_and_keep_the_gaps_of_the_source() -> None:
    assert numbers(frame(100), frame(101), frame(105)) == [0, 1, 5]


def test_a_frame_that_comes_late_or_twice_has_no_place() -> None:
    assert numbers(frame(5), frame(7), frame(6), frame(7), frame(8)) == [0, 2, None, None, 3]


def test_numbers_go_on_when_the_source_begins_anew() -> None:
    assert numbers(frame(50), frame(51), frame(0, epoch=1), frame(1, epoch=1)) == [0, 1, 2, 3]


def test_every_frame_given_out_has_our_epoch_and_no_trace_of_an_earlier_painter() -> None:
    placed = Timeline(epoch=7).place(frame(3, epoch=99, stale=True))
    assert placed is not None
    assert (placed.epoch, placed.stale, placed.dropped, placed.painting) == (7, False, 0, None)


def test_gaps_are_counted_as_lost_frames() -> None:
    timeline = Timeline(epoch=0)
    for sequence in (0, 1, 5, 7):
        timeline.place(frame(sequence))
    assert timeline.lost == 4


def test_a_rejected_message_explains_a_gap_and_takes_a_number_where_there_is_none() -> None:
    timeline = Timeline(epoch=0)
    timeline.place(frame(0))
    timeline.reject()
    with_gap = timeline.place(frame(3))
    timeline.reject()
    timeline.reject()
    without_gap = timeline.place(frame(4))
    assert with_gap is not None
    assert without_gap is not None
    assert (with_gap.sequence, without_gap.sequence, timeline.lost) == (3, 6, 1)


def test_time_goes_on_in_real_time_when_the_source_begins_anew_or_jumps_back() -> None:
    timeline = Timeline(epoch=0)
    frames = [
        frame(0, pts=500.0, received_at=10.0),
        frame(1, pts=500.04, received_at=10.04),
        frame(0, pts=0.0, received_at=13.04, epoch=1),
        frame(1, pts=0.5, received_at=13.5, epoch=1),
        frame(2, pts=-3600.0, received_at=13.6, epoch=1),
    ]
    placed = [timeline.place(each) for each in frames]
    assert [each.pts for each in placed if each] == pytest.approx([0.0, 0.04, 3.04, 3.54, 3.64])
