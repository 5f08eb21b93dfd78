"""Lines to a file descriptor that may be slow, stuck or gone, written by a thread, so that whoever logs never waits."""

import os
import select
import threading
import time
from queue import SimpleQueue

CAPACITY_LINES = 2000
_CHUNK_BYTES = 4096  # PIPE_BUF: a pipe that polls as writable takes so much without blocking
_TICK_MS = 100


class LogWriter:
    """A structlog logger: what it is told is queued, and thrown away (counted) when the queue is full.

    The queue is a ``SimpleQueue``, because a signal handler may log while the thread it interrupted is logging.
    """

    def __init__(self, fd: int) -> None:
        self.dropped_total = 0
        self._fd = fd
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._counting = threading.RLock()
        self._deadline: float | None = None
        self._writable = select.poll()
        self._writable.register(fd, select.POLLOUT)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def msg(self, line: str) -> None:
        """Queue ``line``; after ``close``, write it at once if that needs no waiting."""
        content = line.encode(errors="backslashreplace") + b"\n"
        if self._deadline is not None:
            self._write(content)
        elif self._lines.qsize() < CAPACITY_LINES:
            self._lines.put(content)
        else:
            self._drop()

    debug = info = warning = error = critical = msg

    def close(self, timeout_s: float) -> None:
        """Write what waits, for at most ``timeout_s``; count the rest as dropped."""
        if self._deadline is None:
            self._deadline = time.monotonic() + timeout_s
            self._lines.put(None)
            self._thread.join(timeout_s + 2 * _TICK_MS / 1000)

    def _run(self) -> None:
        while (content := self._lines.get()) is not None:
            self._write(content)

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                self._wait()
                rest = rest[os.write(self._fd, rest[:_CHUNK_BYTES]) :]
        except OSError:  # nobody reads, disk full, closed: nowhere left to say so but in the count
            self._drop()

    def _wait(self) -> None:
        """Return when the descriptor takes a chunk.

        Raises:
            TimeoutError: the writer is being closed and its time is over.
        """
        while not self._writable.poll(0 if self._is_late() else _TICK_MS):
            if self._is_late():
                raise TimeoutError

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _drop(self) -> None:
        with self._counting:
            self.dropped_total += 1
