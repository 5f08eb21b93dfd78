"""A descent whose iterations are recorded once, as a CUDA graph, and then only replayed.

One iteration is some hundred kernels, most of which the GPU finishes before Python has asked for the next one. A graph
asks for all of them at once. It knows tensors by their place in memory, so everything that may change from frame to
frame is copied into places of its own before the first iteration of a frame.
"""

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from models.adam import Adam
from models.adjoint import AdjointEnergy, Aims
from models.optimizer import Begin, Differentiable, State

WARM_UP = 3
"""Calls before the recording, in which libraries choose and load their kernels."""

Body = Callable[[], None]
"""Work in place on tensors that stay where they are."""


def recorded(body: Body) -> Body:
    """Return `body` as one CUDA graph; it is called a few times first."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP):
            body()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may look at paintings meanwhile
        body()
    return graph.replay


class Tail:
    """The iterations that the GPU has yet to end."""

    def __init__(self) -> None:
        self._last: torch.cuda.Event | None = None

    def grow(self) -> None:
        """One more was begun: wait for the one before it, so that the GPU always has one to go on with."""
        event = torch.cuda.Event()
        event.record()
        before, self._last = self._last, event
        if before is not None:
            before.synchronize()


class Replayed:
    """A `models.descent.Loop` for the energies of `models.adjoint`.

    Args:
        record: turns a body into what repeats it.
        tail: waits for iterations; None where nothing runs ahead.
        begin: the optimizer's.
    """

    def __init__(
        self, record: Callable[[Body], Body] = recorded, tail: Tail | None = None, *, begin: Begin = Adam.at
    ) -> None:
        self.begin = begin
        self._record = record
        self._tail = tail
        self.lag = 0 if tail is None else 1
        self._signature: Hashable = None
        self.recordings = 0
        """How often a new size, other layers, or a temporal term that comes or goes made a new recording necessary."""

    def load(self, energy: Differentiable, state: State, step_size: Tensor) -> None:
        """Begin a descent.

        Raises:
            TypeError: the energy does not tell its aims.
        """
        if not isinstance(energy, AdjointEnergy):
            raise TypeError(f"only an AdjointEnergy can be recorded, got {type(energy).__name__}")
        signature = (energy.signature, state.image.shape, step_size.shape)
        if signature != self._signature:
            self._aims, self._state, self._step_size = energy.aims.copy(), state.copy(), step_size.clone()
            self._replay = self._recording(energy.aimed_at(self._aims))
            self._signature = signature
            self.recordings += 1
        _copy_into(self._aims, energy.aims)
        for mine, given in zip(self._state.tensors(), state.tensors(), strict=True):
            mine.copy_(given)
        self._step_size.copy_(step_size)

    def _recording(self, energy: AdjointEnergy) -> Body:
        self._signature = None  # of a recording that fails, nothing is used
        return self._record(lambda: self._state.iterate(energy, self._step_size))

    def iterate(self) -> None:
        """Begin one iteration."""
        self._replay()

    def keep_pace(self) -> None:
        """Wait until all but the last iteration have ended."""
        if self._tail is not None:
            self._tail.grow()

    def state(self) -> State:
        """Return a copy of where the descent is."""
        return self._state.copy()


def _copy_into(mine: Aims, given: Aims) -> None:
    for place, tensor in zip(mine.tensors(), given.tensors(), strict=True):
        place.copy_(tensor)
