"""Changes to a machine, one after the other: each is told, and all are taken back when one fails."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.exits import Exit, FatalError


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change.

    Args:
        told: what it does, for people, with every file and command.
        do: does it; raises FatalError if it cannot.
        undo: takes it back.
    """

    told: str
    do: Callable[[], object] = nothing
    undo: Callable[[], object] = nothing

    @property
    def is_change(self) -> bool:
        """Whether anything is done at all."""
        return self.do is not nothing


def carry_out(steps: Sequence[Step]) -> None:
    """Do all steps, or none: when one fails it is taken back and what was done before it, the last first."""
    begun: list[Step] = []
    try:
        for number, step in enumerate(steps, start=1):
            tell(f"[{number}/{len(steps)}] {step.told}")
            begun.append(step)
            step.do()
    except BaseException:  # Ctrl-C, too
        for step in reversed(begun):
            try:
                step.undo()
            except (FatalError, OSError) as error:
                tell(f"this could not be taken back: {step.told}\n{error}")
        raise


def tell(text: str) -> None:
    """Say something to whom runs the command."""
    print(text, flush=True)  # noqa: T201 - what the command was asked for; in order with what its commands print


def command(*words: str | Path, mend: str) -> None:
    """Run a command that prints for itself.

    Raises:
        FatalError: With ``mend``, if it fails.
    """
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - ours
    except OSError as error:
        raise FatalError(f"{words[0]} cannot be run: {error.strerror}\nmend: {mend}", code=Exit.UNAVAILABLE) from None
    if done.returncode:
        shown = " ".join(map(str, words))
        raise FatalError(f"this failed with {done.returncode}: {shown}\nmend: {mend}", code=Exit.UNAVAILABLE)


def answer(*words: str | Path) -> str:
    """Return what a command prints, and nothing if it fails: a question."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()


def write(path: Path, content: str) -> Step:
    """Return how a file comes to hold ``content``, readable by everybody; it is never seen half written."""

    def undo() -> None:
        if path.exists():
            path.unlink()

    if not path.exists():
        return Step(f"write {path}", lambda: _replace(path, content), undo)
    before = path.read_text()
    if before == content:
        return Step(f"keep {path}, which is as it should be")
    return Step(f"replace {path}", lambda: _replace(path, content), lambda: _replace(path, before))


def remove(path: Path) -> Step:
    """Return how a file goes, and its folder if that was of its own and is empty then."""
    before = path.read_text()

    def do() -> None:
        path.unlink()
        if "deepmovie" in path.parent.name and not any(path.parent.iterdir()):
            path.parent.rmdir()

    return Step(f"remove {path}", do, lambda: _replace(path, before))


def _replace(path: Path, content: str) -> None:
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(content)
        written = Path(file.name)
        written.chmod(0o644)
        written.replace(path)
    except OSError as error:
        mend = "see whether the disk is full or read-only"
        raise FatalError(f"{path} cannot be written: {error.strerror}\nmend: {mend}", code=Exit.UNAVAILABLE) from None
