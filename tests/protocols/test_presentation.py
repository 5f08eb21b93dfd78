"""Presentation times move forward, whatever the stream's clock says."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.presentation import Presentation


def placed(times: list[float | None], *, live: bool = True, step: float = 0.04) -> list[float]:
    presentation = Presentation(live=live)
    return [presentation.place(time, arrived=9 + i * step, duration=0.04) for i, time in enumerate(times)]


def test_the_stream_begins_at_zero_and_keeps_its_own_steps() -> None:
    assert placed([100.0, 100.05, 100.07]) == pytest.approx([0, 0.05, 0.07])


@pytest.mark.parametrize("jump", [3600.0, -3600.0, -95443.7, None])
def test_a_jump_takes_as_long_as_it_took_and_then_the_stream_is_trusted_again(jump: float | None) -> None:
    after: list[float | None] = [None, None] if jump is None else [100.1 + jump, 100.2 + jump]
    shown = placed([100.0, 100.05, *after])
    assert shown[:3] == pytest.approx([0, 0.05, 0.09])
    assert shown[3] - shown[2] == pytest.approx(0.04 if jump is None else 0.1)


def test_a_film_may_pause_for_long_but_not_go_back() -> None:
    assert placed([0.0, 60.0, 59.0, 59.5], live=False) == pytest.approx([0, 60, 60.04, 60.54])


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=2, max_size=30), st.booleans())
def test_time_always_grows(times: list[float | None], live: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    shown = placed(times, live=live)
    assert all(math.isfinite(time) for time in shown)
    assert all(earlier < later for earlier, later in pairwise(shown))
