"""Times that can be compared, on a clock of our own."""

import pytest

from streamer.stopwatch import Split, ratio, take_turns


class Clock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_ms(self, milliseconds: float) -> None:
        self.now += milliseconds / 1000


def test_works_take_turns_and_the_first_round_does_not_count() -> None:
    clock, done, ticks = Clock(), list[str](), list[int]()
    slow_at_first = iter([900.0, 30.0, 40.0])

    def ours() -> None:
        done.append("ours")
        clock.pass_ms(next(slow_at_first))

    def theirs() -> None:
        done.append("theirs")
        clock.pass_ms(100)

    times = take_turns({"ours": ours, "theirs": theirs}, rounds=2, clock=clock, tick=lambda: ticks.append(1))
    assert done == ["ours", "theirs"] * 3
    assert times == {"ours": pytest.approx([30, 40]), "theirs": pytest.approx([100, 100])}
    assert len(ticks) == 6


def test_a_work_lasts_until_the_device_has_settled() -> None:
    clock = Clock()
    times = take_turns({"launch": lambda: None}, rounds=1, settle=lambda: clock.pass_ms(7), clock=clock)
    assert times["launch"] == pytest.approx([7])


def test_a_ratio_is_that_of_each_round_so_that_a_slow_round_changes_nothing() -> None:
    assert ratio([10, 500, 10], [20, 1000, 20]) == pytest.approx(0.5)
    assert ratio([10, 10, 900], [20, 20, 20]) == pytest.approx(0.5)


def test_what_no_stage_took_is_the_rest() -> None:
    clock = Clock()
    split = Split(clock=clock)
    for flow_ms in (4, 6):
        with split.stage("frame"):
            for _ in range(2):
                with split.stage("flow"):
                    clock.pass_ms(flow_ms)
            clock.pass_ms(3)
        split.lap(whole="frame", rest="warp")
    assert split.times["flow"] == pytest.approx([8, 12])
    assert split.times["warp"] == pytest.approx([3, 3])
    split.forget()
    assert split.times == {}
