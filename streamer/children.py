"""Processes of our own that belong to one command: started, watched, and ended with it whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from threading import Condition, Thread
from types import TracebackType
from typing import Any, Self

LINES_KEPT, LINES_SHOWN = 200, 6
END_PATIENCE_S = 8.0
_SETTINGS = "DEEPMOVIE_"
_POLL_S = 0.2


class ChildError(Exception):
    """A process failed; the message names it and ends with the last lines of its log."""


class Child:
    """A ``deepmovie`` command in a process of its own; a context manager that ends it.

    It sees none of the user's ``DEEPMOVIE_`` variables, so that it does what it is told here and nothing else.

    Args:
        name: for people.
        arguments: the command and its arguments.
    """

    def __init__(self, name: str, *arguments: str) -> None:
        self.name = name
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._events: dict[str, dict[str, Any]] = {}
        self._heard = Condition()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", "streamer", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={key: value for key, value in os.environ.items() if not key.startswith(_SETTINGS)},
        )
        self._listener = Thread(target=self._listen, name=f"log of {name}", daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it ended and did what it should."""
        self.check()
        return self._process.returncode is not None

    def event(self, name: str) -> dict[str, Any] | None:
        """Return the fields of the latest event of this name in its JSON log; None if there was none."""
        with self._heard:
            return self._events.get(name)

    def await_event(self, name: str, *, timeout_s: float) -> None:
        """Wait for an event in its JSON log.

        Raises:
            ChildError: it ended instead, or took too long.
        """
        deadline = time.monotonic() + timeout_s
        with self._heard:
            while name not in self._events:
                self._heard.wait(_POLL_S)
                if name not in self._events and self._process.poll() is not None:
                    raise ChildError(self._obituary())
                if time.monotonic() > deadline:
                    raise ChildError(f"{self.name} said no {name!r} for {timeout_s:g} s{self._last_words()}")

    def check(self) -> None:
        """Raise ChildError if it failed."""
        if self._process.poll():
            raise ChildError(self._obituary())

    def end(self) -> None:
        """Ask it to end as systemd would, then make it. Harmless when it is over."""
        self._process.terminate()
        try:
            self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._lines.append(f"(killed: it did not end within {END_PATIENCE_S:g} s of being asked to)")
        finally:  # also when Ctrl-C interrupts the wait
            self._process.kill()
            self._process.wait()
            self._listener.join(END_PATIENCE_S)

    def _listen(self) -> None:
        stream = self._process.stderr
        if stream is None:
            return
        with stream:
            for line in stream:
                found = _event(line)
                with self._heard:
                    self._lines.append(line.rstrip())
                    if found:
                        self._events[str(found["event"])] = found
                    self._heard.notify_all()

    def _obituary(self) -> str:
        self._listener.join(1.0)
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{self.name} {how}{self._last_words()}"

    def _last_words(self) -> str:
        lines = list(self._lines)[-LINES_SHOWN:]
        return "".join(["; its last words:", *(f"\n  {line}" for line in lines)]) if lines else ""


def _event(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None
