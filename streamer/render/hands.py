"""Lets processes of this machine paint, a scene each; one that dies is replaced, and its scene goes on."""

import json
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self

from streamer.exits import Exit, FatalError
from streamer.render import hand
from streamer.render.failure import Failure
from streamer.render.progress import Report
from streamer.render.scenes import SceneWork
from streamer.render.workshop import Workshop

MOST_DEATHS = 3
"""Of the processes at work on the same frames; then it is their fault."""
END_PATIENCE_S = 5.0
_LAST_WORDS = 6


class Hand:
    """One process; a context manager that ends it.

    Args:
        workshop: where it finds what to paint.
        preview: where it puts its newest frame now and then.
        heard: gets what it says, with itself; None when it has ended.
    """

    def __init__(
        self, workshop: Workshop, preview: Path | None, heard: "SimpleQueue[tuple[Hand, list[Any] | None]]"
    ) -> None:
        self.work: SceneWork | None = None
        self._heard = heard
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", hand.__name__, str(workshop.path), *([str(preview)] if preview else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
        )
        self._listener = Thread(target=self._listen, name=f"hand {self._process.pid}", daemon=True)
        self._listener.start()

    def give(self, work: SceneWork) -> None:
        """Let it paint a scene. If it has just died, that is heard soon."""
        self.work = work
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(f"{work.scene.number}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def obituary(self) -> str:
        """Return how it ended and what it said last. It has ended."""
        code = self._process.wait()
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").splitlines()[-_LAST_WORDS:]
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return how + "".join(["; its last words:", *(f"\n  {line}" for line in lines)] if lines else [])

    def end(self) -> None:
        """End it, whatever it is doing: nothing that is finished is lost."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        with suppress(BrokenPipeError):  # it is gone already
            self._process.stdin.close()
        try:
            self._process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._words.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith("\n"):  # else it was killed while it spoke
                    self._heard.put((self, json.loads(line)))
        self._heard.put((self, None))


class Hands:
    """Processes that share the scenes of a film; a context manager that ends them.

    Args:
        workshop: of the film.
        count: how many.
        preview: where the newest frame goes now and then.
        report: shows how far the work is.
    """

    def __init__(self, workshop: Workshop, *, count: int, preview: Path | None, report: Report) -> None:
        self._workshop = workshop
        self._count = count
        self._preview = preview
        self._report = report
        self._heard: SimpleQueue[tuple[Hand, list[Any] | None]] = SimpleQueue()
        self._at_work: list[Hand] = []
        self._waiting: deque[SceneWork] = deque()
        self._deaths: dict[int, _Deaths] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._at_work:
            each.end()

    def paint(self, works: Sequence[SceneWork]) -> None:
        """Paint what is missing of all these scenes.

        Raises:
            SourceError: the film cannot be read.
            SinkError: what is painted cannot be kept.
            ConfigError: it cannot be painted.
            FatalError: process after process died of the same frames.
        """
        self._waiting.extend(works)
        for _ in range(min(self._count, len(works))):
            self._begin(self._hire())
        while self._at_work:
            each, said = self._heard.get()
            if each not in self._at_work:
                continue  # it was let go, and has ended
            if said is None:
                self._replace(each)
            elif said[0] == hand.FAILED:
                raise Failure(*said[1:]).error()
            elif said[0] == hand.PAINTED:
                self._report.painted(said[1])
            else:
                self._report.over(said[1])
                self._begin(each)

    def _hire(self) -> Hand:
        each = Hand(self._workshop, self._preview, self._heard)
        self._at_work.append(each)
        return each

    def _let_go(self, each: Hand) -> None:
        self._at_work.remove(each)
        each.end()

    def _begin(self, each: Hand) -> None:
        """Give it the next scene, if there is one."""
        if not self._waiting:
            self._let_go(each)
            return
        work = self._waiting.popleft()
        self._report.scene(work.scene.number, work.frames(), work.frames_done())
        each.give(work)

    def _replace(self, each: Hand) -> None:
        """Let another process go on with the scene of one that died.

        Raises:
            FatalError: too many have died of the same frames.
        """
        work, obituary = each.work, each.obituary()
        self._let_go(each)
        if work is None:
            return
        done, before = work.frames_done(), self._deaths.get(work.scene.number)
        deaths = before.count + 1 if before and before.done == done else 1
        self._deaths[work.scene.number] = _Deaths(done, deaths)
        where = f"the process at scene {work.scene.number + 1}, {work.chunk()}"
        if deaths == MOST_DEATHS:
            raise FatalError(f"{where}, died {deaths} times; the last one {obituary}", code=Exit.RESOURCES)
        self._report.say(f"{where}, {obituary}; another one goes on")
        self._waiting.appendleft(work)
        self._begin(self._hire())


@dataclass(frozen=True, slots=True)
class _Deaths:
    """Processes that died without a chunk being done between."""

    done: int
    """Frames of the scene that were done then."""
    count: int
