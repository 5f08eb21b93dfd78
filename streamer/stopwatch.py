"""Times that can be compared: works take turns, A B A B, so that whatever else the machine does hits all of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median

import torch

Work = Callable[[], object]
Settle = Callable[[], None]
"""Waits until what was begun is done: a GPU works on after its kernels were launched."""


def settler(device: torch.device) -> Settle:
    """Return how to wait for ``device``."""
    return (lambda: torch.cuda.synchronize(device)) if device.type == "cuda" else (lambda: None)


def take_turns(
    works: Mapping[str, Work],
    *,
    rounds: int,
    settle: Settle = lambda: None,
    tick: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the milliseconds that each work took, one figure per round.

    A round before them warms everything up and is not counted.

    Args:
        works: by name, in the order in which they take turns.
        rounds: how often each is timed.
        settle: waits for the device.
        tick: called after each work, ``(rounds + 1) * len(works)`` times.
        clock: seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            settle()
            began = clock()
            work()
            settle()
            if number:
                times[name].append(1000 * (clock() - began))
            tick()
    return times


def typical(times: Sequence[float]) -> float:
    """Return the median."""
    return median(times)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the rounds' own ratios: what slows down a whole round falls out."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))


class Split:
    """A stopwatch with a hand for each stage of something larger.

    Args:
        settle: waits for the device.
        clock: seconds.
    """

    def __init__(self, *, settle: Settle = lambda: None, clock: Callable[[], float] = time.perf_counter) -> None:
        self._settle = settle
        self._clock = clock
        self._now: dict[str, float] = {}
        self._times: dict[str, list[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the ``with`` block to a stage; a stage may have several of them."""
        self._settle()
        began = self._clock()
        yield
        self._settle()
        self._now[name] = self._now.get(name, 0.0) + 1000 * (self._clock() - began)

    def lap(self, *, whole: str, rest: str) -> None:
        """End a round: what the stage ``whole`` took beyond the stages within it becomes the stage ``rest``."""
        inner, self._now = self._now, {}
        inner[rest] = inner.pop(whole) - sum(inner.values())
        for name, value in inner.items():
            self._times.setdefault(name, []).append(value)

    def forget(self) -> None:
        """Let go of all rounds so far, which were to warm up."""
        self._times.clear()

    @property
    def times(self) -> Mapping[str, Sequence[float]]:
        """Milliseconds by stage, one figure per round."""
        return self._times
