"""The real program in a process of its own: started, heard, stopped, and its accounts audited."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import psutil

from tests.endpoints import picture
from tests.tiny import tiny_weights

PATIENCE_S = 30.0
STOP_S = 5.0
LOGGED = ("--log-format", "json")
QUIET = (*LOGGED, "--listen", "off")
"""For tests: a log to read, and no page, as many daemons run at a time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the daemon's log."""

    at: float
    """``time.monotonic()`` when we read it, s."""
    facts: Mapping[str, Any]

    @property
    def event(self) -> str:
        """What happened."""
        return str(self.facts["event"])


def usual_environment() -> dict[str, str]:
    """Return our environment without anything that the daemon would take for a setting of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DEEPMOVIE_")}


@dataclass(frozen=True, slots=True)
class Kit:
    """What a daemon needs to paint fast: tiny weights, a small painting, a cache folder."""

    folder: Path

    @classmethod
    def made_in(cls, folder: Path) -> "Kit":
        """Return a kit whose files lie in ``folder``."""
        tiny_weights(folder / "tiny.safetensors")
        cv2.imwrite(str(folder / "style.png"), picture(96, 128, seed=1))
        return cls(folder)

    def command(
        self, *arguments: str, iterations: int = 1, fps: float = 20, size: int = 64, listen: str = "off"
    ) -> list[str]:
        """Return the command line of a daemon that paints small pictures, and has no page unless it listens."""
        paint = {"iterations": iterations, "fps": fps, "size": size, "device": "cpu"}
        files = {"weights": self.folder / "tiny.safetensors", "style": self.folder / "style.png"}
        options = [text for key, value in (paint | files).items() for text in (f"--{key}", str(value))]
        return [sys.executable, "-m", "streamer", "run", *arguments, *options, *LOGGED, "--listen", listen]

    @property
    def environment(self) -> dict[str, str]:
        """The environment for that command."""
        return usual_environment() | {"XDG_CACHE_HOME": str(self.folder), "OMP_NUM_THREADS": "1"}


class Deepmovie:
    """A daemon that runs. All it prints must be JSON lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[Entry] = []
        self.output = ""
        self._changed = threading.Condition()
        self._stray: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.output += line
                try:
                    self.log.append(Entry(time.monotonic(), json.loads(line)))
                except ValueError:
                    self._stray.append(line)
                self._changed.notify_all()

    def await_entry(
        self,
        event: str | tuple[str, ...],
        holds: Callable[[Mapping[str, Any]], bool] = lambda _: True,
        *,
        after: float = 0.0,
    ) -> Entry:
        """Return the first entry of a kind, or of several, that came after a moment and of which ``holds`` is true."""
        kinds = (event,) if isinstance(event, str) else event

        def found() -> Entry | None:
            wanted = (entry for entry in self.log if entry.at > after and entry.event in kinds and holds(entry.facts))
            return next(wanted, None)

        with self._changed:
            self._changed.wait_for(found, PATIENCE_S)
            entry = found()
        assert entry, f"waited in vain for {event}"
        return entry

    def entries(self, event: str) -> list[Entry]:
        """Return what was logged of one kind."""
        with self._changed:
            return [entry for entry in self.log if entry.event == event]

    def await_stats(self, holds: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> Mapping[str, Any]:
        """Return the first numbers that are logged from now on and of which ``holds`` is true."""
        return self.await_entry("stats", holds, after=time.monotonic()).facts

    @property
    def resident_bytes(self) -> int:
        """How much memory it has now."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @property
    def threads(self) -> int:
        """How many threads it has now."""
        return int(psutil.Process(self.process.pid).num_threads())

    def stop(self) -> float:
        """Ask it to end; return how long that took, in s."""
        asked_at = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        return time.monotonic() - asked_at

    def join(self) -> None:
        """Wait for the last line of a process that has ended."""
        self._reader.join(PATIENCE_S)
        assert not self._reader.is_alive()

    def audit(self) -> None:
        """Fail unless every frame is accounted for at every moment, and nothing but the log was printed."""
        assert not self._stray, self._stray
        stats = [entry.facts for entry in self.entries("stats")]
        assert all(map(is_balanced, stats))
        assert not [entry for entry in self.log if entry.facts["level"] in ("error", "critical")]
        if stats and self.log[-1].event == "stopped":
            assert stats[-1]["state"] == "stopped"
            sinks = stats[-1]["sinks"].values()
            assert [stats[-1]["waiting"], stats[-1]["painting"], *(sink["in_flight"] for sink in sinks)] == [0] * (
                2 + len(sinks)
            )


@contextmanager
def mortal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Deepmovie]:
    """Run a daemon that is killed at the end."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True
    ) as process:
        daemon = Deepmovie(process)
        try:
            yield daemon
        except BaseException as error:
            error.add_note(f"The end of the daemon's log:\n{daemon.output[-3000:]}")
            raise
        finally:
            process.kill()
            daemon.join()


@contextmanager
def deepmovie(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Deepmovie]:
    """Run a daemon; at the end stop it as a service manager would, in time and with exit code 0, and audit it."""
    with mortal(command, environment) as daemon:
        yield daemon
        assert daemon.process.poll() is None, "it ended by itself"
        assert daemon.stop() < STOP_S
        daemon.join()
        assert daemon.process.returncode == 0
        assert daemon.log[-1].event == "stopped"
        daemon.audit()


def is_balanced(stats: Mapping[str, Any]) -> bool:
    """Return whether each frame is accounted for in a ``stats`` event, and so by each sink."""
    gone = stats["published"] + sum(stats["dropped"].values()) + stats["waiting"] + stats["painting"]
    return bool(stats["received"] == gone) and all(
        sink["handed"] == sink["written"] + sum(sink["dropped"].values()) + sink["in_flight"]
        for sink in stats["sinks"].values()
    )
