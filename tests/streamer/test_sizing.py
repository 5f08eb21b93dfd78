"""The working size goes down when memory runs out, and up again when a minute passed without trouble."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

from streamer.sizing import CLIMB_AFTER_S, Sizing


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_steps_down_from_what_did_not_fit_and_climbs_back_a_step_a_minute() -> None:
    clock = Clock()
    sizing = Sizing(640, clock=clock)
    assert sizing.step_down(long_side=640)
    assert sizing.size() == 480
    assert sizing.step_down(long_side=480)
    assert sizing.size() == 360
    assert sizing.is_reduced
    clock.now += CLIMB_AFTER_S - 1
    assert sizing.size() == 360
    clock.now += 1
    assert sizing.size() == 480
    assert sizing.size() == 480, "one step a minute"
    clock.now += CLIMB_AFTER_S
    assert sizing.size() == 640
    assert not sizing.is_reduced


def test_a_frame_smaller_than_the_size_is_what_counts() -> None:
    sizing = Sizing(640, clock=Clock())
    assert sizing.step_down(long_side=320)
    assert sizing.size() == 240


def test_there_is_an_end_to_it() -> None:
    sizing = Sizing(100, clock=Clock())
    assert sizing.step_down(long_side=100)
    assert not sizing.step_down(long_side=75)
    assert sizing.size() == 75


class Meeting(Clock):
    """A clock at which two threads meet, if both may look at it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier: Barrier | None = None

    def __call__(self) -> float:
        if self.barrier is not None:
            with suppress(BrokenBarrierError):
                self.barrier.wait(0.2)
        return self.now


def test_two_threads_that_ask_at_once_climb_one_step() -> None:
    """As the scout and the painter do."""
    clock = Meeting()
    sizing = Sizing(640, clock=clock)
    assert sizing.step_down(long_side=640)
    assert sizing.step_down(long_side=480)
    clock.now, clock.barrier = CLIMB_AFTER_S, Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: sizing.size(), range(2))) == [480, 480]
