"""How much of a frame's time goes into iterations; with simulated costs and a clock that only they move."""

import random
from dataclasses import dataclass, field

import pytest

from streamer.governor import Punctual, Unhurried

FPS = 10


@dataclass
class Machine:
    """Paints as `models.descent` does: stops before an iteration that would end after the deadline."""

    before_s: float
    iteration_s: float
    after_s: float
    now: float = 1000.0
    jitter: random.Random = field(default_factory=lambda: random.Random(5))

    def clock(self) -> float:
        return self.now

    def paint(self, governor: Punctual, *, waited: bool = False) -> tuple[int, float]:
        """Return the iterations of one frame, and how long after its tick it was published."""
        self.now += governor.pause_s()
        tick = self.now
        budget = governor.begin(waited=waited)
        self.now += self.before_s
        iterations, spent = 0, 0.0
        while iterations < budget.iterations:
            took = self.iteration_s * self.jitter.uniform(0.97, 1.03)
            self.now, spent, iterations = self.now + took, spent + took, iterations + 1
            if budget.deadline is not None and self.now + spent / iterations > budget.deadline:
                break
        self.now += self.after_s * self.jitter.uniform(0.9, 1.1)
        governor.finish(iterations)
        return iterations, self.now - tick


def run(machine: Machine, frames: int, *, iterations: int = 50, warmup: int = 30) -> list[tuple[int, float]]:
    governor = Punctual(fps=FPS, iterations=iterations, clock=machine.clock)
    painted = [machine.paint(governor) for _ in range(frames)]
    return painted[warmup:]


@pytest.mark.parametrize("after_s", [0.0, 0.004, 0.02, 0.045])
def test_the_time_of_a_frame_is_filled_with_iterations_and_it_is_out_in_time(after_s: float) -> None:
    painted = run(Machine(before_s=0.02, iteration_s=0.004, after_s=after_s), 230)
    possible = (0.1 - 0.02 - after_s) / 0.004
    late = sum(age > 0.1 + 0.001 for _, age in painted)
    assert late <= 0.05 * len(painted)
    assert max(age for _, age in painted) < 0.1 + 0.004, "less than one iteration late, ever"
    assert sum(count for count, _ in painted) / len(painted) >= possible - 3


def test_the_cap_is_kept_where_there_is_time_for_more() -> None:
    painted = run(Machine(before_s=0.01, iteration_s=0.002, after_s=0.001), 60, iterations=8)
    assert {count for count, _ in painted} == {8}


def test_a_machine_that_is_too_slow_does_one_iteration_a_frame() -> None:
    painted = run(Machine(before_s=0.2, iteration_s=0.3, after_s=0.01), 60)
    assert {count for count, _ in painted} == {1}


def test_the_frame_rate_is_never_exceeded_and_does_not_drift() -> None:
    machine = Machine(before_s=0.01, iteration_s=0.002, after_s=0.001)
    governor = Punctual(fps=FPS, iterations=5, clock=machine.clock)
    starts = []
    for _ in range(1000):
        machine.paint(governor)
        starts.append(machine.now)
    assert (starts[-1] - starts[0]) / 999 == pytest.approx(0.1, rel=1e-3)


def test_a_frame_slightly_late_is_caught_up_but_a_backlog_of_ticks_is_not() -> None:
    machine = Machine(before_s=0.01, iteration_s=0.002, after_s=0.001)
    governor = Punctual(fps=FPS, iterations=5, clock=machine.clock)
    machine.paint(governor)
    machine.now += governor.pause_s() + 0.03
    governor.begin(waited=False)
    assert governor.pause_s() == pytest.approx(0.07), "the grid stays"
    machine.now += 2.0
    governor.begin(waited=False)
    assert governor.pause_s() == pytest.approx(0.1), "the grid begins anew, no burst"


def test_waiting_for_a_slow_source_costs_no_painting_time() -> None:
    machine = Machine(before_s=0.01, iteration_s=0.002, after_s=0.001)
    governor = Punctual(fps=FPS, iterations=5, clock=machine.clock)
    machine.now += 0.06
    budget = governor.begin(waited=True)
    assert budget.deadline == pytest.approx(machine.now + 0.1, abs=0.01)


def test_one_hiccup_does_not_teach_a_wide_margin() -> None:
    machine = Machine(before_s=0.01, iteration_s=0.004, after_s=0.004)
    governor = Punctual(fps=FPS, iterations=50, clock=machine.clock)
    for _ in range(25):
        machine.paint(governor)
    before = governor.margin_s
    machine.after_s = 2.0
    machine.paint(governor)
    machine.after_s = 0.004
    assert governor.margin_s == pytest.approx(before, abs=0.002)


def test_a_margin_learned_in_bad_times_is_forgotten_when_it_starves_the_frames() -> None:
    machine = Machine(before_s=0.03, iteration_s=0.02, after_s=0.045)
    governor = Punctual(fps=FPS, iterations=50, clock=machine.clock)
    governor._overruns.extend([0.05] * 20)
    machine.after_s = 0.0
    counts = [machine.paint(governor)[0] for _ in range(60)]
    assert counts[0] == 1
    assert counts[-1] >= 2


def test_a_file_has_all_the_iterations_and_no_deadline() -> None:
    governor = Unhurried(iterations=12)
    budget = governor.begin(waited=True)
    assert (budget.iterations, budget.deadline, governor.pause_s()) == (12, None, 0.0)


def test_another_rate_moves_the_next_tick_and_other_iterations_fill_the_next_frame() -> None:
    machine = Machine(before_s=0.0, iteration_s=0.001, after_s=0.0)
    governor = Punctual(fps=0.1, iterations=5, clock=machine.clock)
    machine.paint(governor)
    assert governor.pause_s() > 9
    governor.adapt(fps=10, iterations=7)
    assert governor.pause_s() < 0.1
    assert machine.paint(governor)[0] == 7
    governor.adapt(fps=1, iterations=7)
    assert governor.pause_s() == pytest.approx(1, abs=0.02)


def test_other_iterations_are_the_next_budget_of_a_file() -> None:
    governor = Unhurried(iterations=12)
    governor.adapt(fps=1, iterations=3)
    assert governor.begin(waited=False).iterations == 3
