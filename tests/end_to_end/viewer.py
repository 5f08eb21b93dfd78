"""Who watches: a stock imageZMQ hub that also keeps the headers it reads."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import imagezmq
import numpy as np
from numpy.typing import NDArray

from tests.end_to_end.daemon import PATIENCE_S


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One picture that arrived."""

    name: str
    image: NDArray[np.uint8]
    """H x W x 3, BGR, as the stock hub gives it."""
    header: dict[str, Any]
    at: float
    """``time.monotonic()`` of its arrival, s."""
    age_s: float
    """From its capture to its arrival, by the wall clock."""


class Viewer:
    """What one hub has seen so far."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._changed = threading.Condition()

    def keep(self, seen: Seen) -> None:
        """One more picture came."""
        with self._changed:
            self._seen.append(seen)
            self._changed.notify_all()

    @property
    def seen(self) -> list[Seen]:
        """All that came."""
        with self._changed:
            return list(self._seen)

    @property
    def fresh(self) -> list[Seen]:
        """What came and was no repetition."""
        return [each for each in self.seen if not each.header["stale"]]

    def since(self, moment: float) -> list[Seen]:
        """Return the fresh frames that came after a moment."""
        return [each for each in self.fresh if each.at > moment]

    def await_frames(
        self, count: int = 1, holds: Callable[[Seen], bool] = lambda _: True, *, after: float = 0.0
    ) -> list[Seen]:
        """Return the first ``count`` fresh frames that came after a moment and of which ``holds`` is true."""
        return self._await(count, lambda each: each.at > after and not each.header["stale"] and holds(each))

    def await_stale(self, count: int = 1, *, after: float = 0.0) -> list[Seen]:
        """Return the first ``count`` repetitions that came after a moment."""
        return self._await(count, lambda each: each.at > after and each.header["stale"])

    def _await(self, count: int, wanted: Callable[[Seen], bool]) -> list[Seen]:
        def found() -> list[Seen]:
            return [each for each in self._seen if wanted(each)]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, PATIENCE_S), (
                f"{len(found())} of {count} frames came; {len(self._seen)} in all"
            )
            return found()[:count]


@contextmanager
def viewer(address: str) -> Iterator[Viewer]:
    """Watch an address with a stock hub."""
    hub = imagezmq.ImageHub(open_port=address, REQ_REP=False)
    headers: list[dict[str, Any]] = []
    read_header = hub.zmq_socket.recv_json

    def recv_json(**options: Any) -> dict[str, Any]:
        headers.append(read_header(**options))
        return headers[-1]

    hub.zmq_socket.recv_json = recv_json
    eyes, stop = Viewer(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if hub.zmq_socket.poll(50):
                name, image = hub.recv_image()
                header = headers.pop()
                eyes.keep(Seen(name, image, header, time.monotonic(), time.time() - header["captured_at"]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield eyes
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        hub.close()


def in_order(frames: Sequence[Seen]) -> bool:
    """Return whether the frames are of one epoch and each is newer than the one before."""
    numbers = [each.header["seq"] for each in frames]
    return len({each.header["epoch"] for each in frames}) == 1 and all(a < b for a, b in pairwise(numbers))


def unexplained_gaps(frames: Sequence[Seen]) -> int:
    """Return how many frames are missing that no growth of ``dropped`` explains."""
    headers = [each.header for each in frames]
    return sum(abs((b["seq"] - a["seq"] - 1) - (b["dropped"] - a["dropped"])) for a, b in pairwise(headers))
