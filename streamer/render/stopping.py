"""Ctrl-C and SIGTERM as an exception, for work that may be left at any moment."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StoppedError(BaseException):
    """The user, or the machine that shuts down, wants us to end. No library is to take it for an error of its own."""


@contextmanager
def raising_on_signal() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM raise `StoppedError` in the main thread; a second one ends the process."""

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise StoppedError

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
