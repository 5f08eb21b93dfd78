"""The descent of one frame: from a picture down an energy, capped by count and by deadline.

What goes down is an optimizer's `State`: Adam's, or that of L-BFGS. Nothing is read back from the device while it does:
numbers that are not finite are noticed at the end, once a frame. Only then is the way gone again, with care for each
step.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from models.adam import STEP_SIZE, Adam
from models.objective import EVEN, Terms
from models.optimizer import Begin, Differentiable, Moments, State
from models.shares import PAUSES, adjusted, keeps_shares

__all__ = ["STEP_SIZE", "Budget", "Descent", "Differentiable", "Eager", "Loop", "Moments", "State", "descend"]

BAD_STEPS_BEFORE_RESTART = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent on one frame."""

    iterations: int
    deadline: float | None = None
    """On ``time.monotonic()``, seconds: no further iteration is begun that would end later; the first always is."""


class Loop(Protocol):
    """Iterates again and again: as it stands (`Eager`), or recorded once (`models.replay.Replayed`)."""

    begin: Begin
    """The optimizer's."""
    lag: int
    """How many iterations may have been begun but not ended after `keep_pace`."""

    def load(self, energy: Differentiable, state: State, step_size: Tensor) -> None:
        """Begin a descent, with a state that `begin` returned."""
        ...

    def iterate(self) -> None:
        """Begin one iteration."""
        ...

    def keep_pace(self) -> None:
        """Wait until all but the last `lag` iterations have ended."""
        ...

    def state(self) -> State:
        """Return where the descent is, in memory that later descents leave alone."""
        ...


class Eager:
    """Runs each iteration as it is asked for.

    Args:
        begin: the optimizer's.
    """

    lag = 0

    def __init__(self, begin: Begin = Adam.at) -> None:
        self.begin = begin

    def load(self, energy: Differentiable, state: State, step_size: Tensor) -> None:
        """Begin a descent."""
        self._energy, self._state, self._step_size = energy, state, step_size

    def iterate(self) -> None:
        """Do one iteration."""
        self._state.iterate(self._energy, self._step_size)

    def keep_pace(self) -> None:
        """Nothing is ahead of us on the CPU."""

    def state(self) -> State:
        """Return where the descent is."""
        return self._state


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where a descent ended."""

    image: Tensor
    moments: Moments
    iterations: int
    """Gradients computed, those that were thrown away included."""
    terms: Terms | None
    """At the last picture that was evaluated, one step before `image`, on the CPU; None if none was finite."""
    failures: int
    """Iterations thrown away because an energy or gradient was not finite."""


def descend(
    energy: Differentiable,
    start: Tensor,
    *,
    budget: Budget,
    refuge: Tensor,
    moments: Moments | None = None,
    step_size: float | Tensor = STEP_SIZE,
    clock: Callable[[], float] = time.monotonic,
    loop: Loop | None = None,
) -> Descent:
    """Return the picture after a descent on `energy` from `start`; it never leaves [0, 1], and is finite.

    If an energy or gradient was not finite, all is thrown away, and the descent goes from `start` again with care: see
    `_carefully`. An energy whose terms shall have their shares is descended with the boosts that are in `moments`, and
    the next ones are in those returned; see `models.shares`.

    Args:
        energy: the function to lower.
        start: 1 x 3 x H x W, in [0, 1].
        budget: at least one iteration is done.
        refuge: a picture known to be good, 1 x 3 x H x W, in [0, 1].
        moments: the memory of the descent so far; None: it begins here.
        step_size: the largest change of a pixel in one iteration, about; one number, or 1 x 1 x H x W.
        clock: the monotonic clock, seconds.
        loop: what runs the iterations, and of which optimizer; None: `Eager` and Adam's.
    """
    loop = loop or Eager()
    sizes = torch.as_tensor(step_size, dtype=start.dtype, device=start.device)
    behind, boosts = (moments.count, moments.boosts) if moments else (0, None)
    pauses = PAUSES if boosts is None and keeps_shares(energy) else frozenset[int]()
    energy = energy.boosted(boosts or EVEN) if keeps_shares(energy) else energy
    loop.load(energy, loop.begin(start, moments), sizes)
    iterations = 0
    for _ in _turns(budget, clock, loop):
        if iterations in pauses:
            energy = _looked_up(energy, loop, sizes, count=behind + iterations)
        loop.iterate()
        iterations += 1
    state = loop.state()
    report = state.report.cpu()
    if report[4].isfinite():
        descent = Descent(state.image, state.moments(behind + iterations), iterations, Terms(*report[:4]), failures=0)
    else:
        turns, again = _turns(budget, clock, Eager()), loop.begin(start, moments)
        slow = _carefully(energy, again, loop.begin, step_size=sizes, refuge=refuge, turns=turns, count=behind)
        descent = replace(slow, iterations=iterations + slow.iterations, failures=iterations + slow.failures)
    return _with_boosts(descent, energy, at_once=boosts is None)


def _looked_up(energy: Differentiable, loop: Loop, step_size: Tensor, *, count: int) -> Differentiable:
    """Let a descent go on with boosts for the terms it has now; return the energy it then goes down."""
    if not keeps_shares(energy):
        return energy
    state = loop.state()
    better = energy.boosted(adjusted(energy, Terms(*state.report[:4].cpu()), at_once=True))
    onward = loop.begin(state.image, state.moments(count))
    onward.report.copy_(state.report)  # which knows whether all numbers so far were finite
    loop.load(better, onward, step_size)
    return better


def _with_boosts(descent: Descent, energy: Differentiable, *, at_once: bool) -> Descent:
    """Return where a descent on `energy` ended, with the boosts for the next one."""
    if not keeps_shares(energy):
        return descent
    boosts = energy.boosts if descent.terms is None else adjusted(energy, descent.terms, at_once=at_once)
    return replace(descent, moments=replace(descent.moments, boosts=boosts))


def _carefully(
    energy: Differentiable,
    state: State,
    begin: Begin,
    *,
    count: int,
    step_size: Tensor,
    refuge: Tensor,
    turns: Iterator[int],
) -> Descent:
    """Return the descent with a look at the numbers of each iteration.

    One that is not finite is thrown away with its gradient and the step is halved; after three in a row the descent
    goes on from `refuge` with an empty memory.
    """
    good = state.copy(), count
    terms: Terms | None = None
    iterations = failures = bad_in_a_row = 0
    for _ in turns:
        before = state.copy(), count
        state.iterate(energy, step_size)
        iterations, count = iterations + 1, count + 1
        report = state.report.cpu()
        if report[4].isfinite():
            good, bad_in_a_row, terms = before, 0, Terms(*report[:4])
            continue
        failures, bad_in_a_row = failures + 1, bad_in_a_row + 1
        step_size = step_size / 2
        if bad_in_a_row == BAD_STEPS_BEFORE_RESTART:
            good = begin(refuge, None), 0
        state, count = good[0].copy(), good[1]
    return Descent(state.image, state.moments(count), iterations, terms, failures)


def _turns(budget: Budget, clock: Callable[[], float], loop: Loop) -> Iterator[int]:
    """Yield the number of each iteration that may still be begun."""
    began = clock()
    for done in range(1, max(budget.iterations, 1) + 1):
        yield done
        if budget.deadline is None:
            continue
        loop.keep_pace()
        now = clock()
        each = (now - began) / max(done - loop.lag, 1)
        if now + (loop.lag + 1) * each > budget.deadline:
            return
