"""What must not grow in a daemon that is left running, and what must not become of its frames."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
import zmq

from tests.end_to_end.daemon import PATIENCE_S

MOST_B_PER_FRAME, OVER_FRAMES = 100, 20_000
"""The mark of the fault table: so much more memory with each frame, in a run of so many frames."""
FEWEST_SAMPLES = 6
"""A slope through fewer says nothing."""
MEMORY = ("resident", "allocated")
COUNTS = ("descriptors", "threads", "files")


@dataclass(frozen=True, slots=True)
class Sample:
    """A daemon at one moment."""

    published: int
    resident_bytes: int
    allocated_bytes: int
    """By the C library, and not freed."""
    descriptors: int
    threads: int
    files: int
    """In its folder for temporary files."""


def complaints(samples: Sequence[Sample], received: Sequence[int]) -> list[str]:
    """Return what did not stay as it was in the second half of a run, and what became of the frames.

    Args:
        samples: of the whole run; its first half warms up.
        received: the sequence numbers of the frames that arrived, in the order of their arrival.
    """
    late = second_half(samples)
    if len(late) < FEWEST_SAMPLES:
        return [f"{len(late)} samples of the second half are too few"]
    lost = sum(max(0, b - a - 1) for a, b in pairwise(received))
    disorder = sum(b <= a for a, b in pairwise(received))
    return [
        *(f"{name} grew from {before:g} to {after:g}" for name, before, after in _counts(late) if after > before),
        *(
            f"{name} memory grows by {slope:.0f} B a frame, more than {most(samples, name):.0f}"
            for name in MEMORY
            if (slope := slope_b_per_frame(samples, name)) > most(samples, name)
        ),
        *([f"{lost} frames lost on the way"] if lost else []),
        *([f"{disorder} frames out of order"] if disorder else []),
    ]


def most(samples: Sequence[Sample], name: str) -> float:
    """Return by how many bytes a kind of memory may grow with a frame.

    What is handed out is known to the byte. Resident memory is whole pages, and what Python keeps for small objects: a
    short run has the tolerance of the long one as a whole, not by the frame.
    """
    return MOST_B_PER_FRAME * (max(1, OVER_FRAMES / samples[-1].published) if name == "resident" else 1)


def slope_b_per_frame(samples: Sequence[Sample], name: str) -> float:
    """Return by how many bytes a kind of memory grows with a frame, over the second half: the median of all pairs.

    (Theil and Sen's estimate: one jump does not decide it, as it would with least squares.)
    """
    late = second_half(samples)
    bytes_ = np.array([getattr(each, f"{name}_bytes") for each in late], float)
    published = np.array([each.published for each in late], float)
    first, second = np.triu_indices(len(late), 1)
    return float(np.median((bytes_[second] - bytes_[first]) / (published[second] - published[first])))


def second_half(samples: Sequence[Sample]) -> list[Sample]:
    """Return what was seen once half of all frames were published."""
    return [each for each in samples if each.published >= samples[-1].published / 2]


def _counts(late: Sequence[Sample]) -> Iterator[tuple[str, float, float]]:
    """Yield how many there are of each kind at first and at last."""
    third = len(late) // 3
    for name in COUNTS:
        counts = [getattr(each, name) for each in late]
        yield name, median(counts[:third]), median(counts[-third:])


class Collector:
    """The sequence numbers of all frames that a PUSH sink gives us."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.sequences: list[int] = []
        self._socket = socket

    def collect(self, stop: threading.Event) -> None:
        """Take frames until told to stop."""
        while not stop.is_set():
            if self._socket.poll(50):
                self.sequences.append(json.loads(self._socket.recv_multipart()[0])["seq"])


@contextmanager
def collector() -> Iterator[tuple[Collector, str]]:
    """Give a collector, and the URL of the sink that pushes to it."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        found, stop = Collector(socket), threading.Event()
        thread = threading.Thread(target=found.collect, args=(stop,))
        thread.start()
        try:
            yield found, f"push+connect:tcp://127.0.0.1:{port}"
        finally:
            stop.set()
            thread.join(PATIENCE_S)
