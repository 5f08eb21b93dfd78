"""Renders in processes that a test may kill: each is a fork of one that has everything imported, and so starts at once.

    python -m tests.streamer.render.mortal

A line with the arguments of `material.wish` as JSON starts one; its number comes back, and its exit code at its end.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from rich.console import Console


class Mortals:
    """Starts renders; a context manager.

    Args:
        limit: a limit of the system and its value, for all of them.
    """

    def __init__(self, *, limit: tuple[int, int] | None = None) -> None:
        self._limit = limit

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", __name__, *map(str, self._limit or ())]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._line() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self, source: Path, out: Path, **changes: Any) -> int:
        """Begin to render, and return the process's number."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"source": str(source), "out": str(out), **changes}) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """Wait for its end, and return the exit code: negative if it was killed."""
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _serve(*limit: str) -> None:
    from streamer.render.rendering import render  # with all that it needs; torch must not have worked before a fork
    from tests.streamer.render.material import wish

    _say("ready")
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            if limit:
                resource.setrlimit(int(limit[0]), (int(limit[1]), int(limit[1])))
            source, out = Path(asked.pop("source")), Path(asked.pop("out"))
            with out.with_name(f"{out.name}.told").open("a") as told:
                code = render(wish(source, out, **asked), console=Console(file=told, width=300))
                told.write(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MiB\n")
            os._exit(code)
        _say(child)
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
