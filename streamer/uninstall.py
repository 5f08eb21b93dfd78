"""``deepmovie uninstall-service``: ends a service and removes it; with the last one, the unit of all."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from streamer.exits import Exit, FatalError
from streamer.places import Place, instance
from streamer.services import instances
from streamer.settings import nearest
from streamer.steps import Step, answer, carry_out, command, nothing, remove, tell


def uninstall(name: str, where: Place, *, purge: bool, dry_run: bool) -> int:
    """Remove a service, or say what that would do; return the exit code.

    Args:
        name: of the instance.
        where: for the machine or for a user.
        purge: remove its settings, too, and with the last service the program.
        dry_run: change nothing.

    Raises:
        FatalError: There is no such service, or a part of it cannot be removed.
    """
    if where.scope == "system" and os.geteuid() != 0 and not dry_run:
        raise FatalError("only root can remove a service of the machine\nmend: use sudo", code=Exit.UNAVAILABLE)
    known = instances(where)
    if name not in known:
        told = f"the services here are: {', '.join(sorted(known)) or 'none'}"
        raise FatalError(f"there is no {instance(name)}{nearest(name, known)}; {told}", code=Exit.UNAVAILABLE)
    steps = list(_steps(name, where, purge=purge, is_last=known == {name}))
    if dry_run:
        tell("\n".join(step.told for step in steps))
    else:
        carry_out(steps)
    return Exit.STOPPED


def _steps(name: str, where: Place, *, purge: bool, is_last: bool) -> Iterator[Step]:
    """Yield what is to be done; nothing is taken back, as every part that is gone is as it was wanted."""
    unit = instance(name)
    if where.unit.exists():
        yield _run(where.systemctl("disable", "--now", unit), mend=f"see systemctl status {unit}")
        yield Step(f"forget how {unit} ended", lambda: answer(*where.systemctl("reset-failed", unit)))
    if is_last and where.unit.exists():
        if purge:
            yield _run(where.systemctl("clean", "--what=cache", unit), mend="remove the folder by hand")
        yield from (_gone(path) for path in (where.unit, where.gpu) if path.exists())
        yield _run(where.systemctl("daemon-reload"), mend="see journalctl --boot")
    own = (path for path in (where.settings_file(name), where.secrets_file(name)) if path.exists())
    yield from (_gone(path) if purge else Step(f"keep {path}") for path in own)
    if is_last and where.program.exists():
        if purge:
            yield _run(["rm", "--recursive", str(where.program)], mend=f"remove {where.program} by hand")
        else:
            yield Step(f"keep {where.program}; --purge removes it with the settings of the last service")


def _gone(path: Path) -> Step:
    """Return the step that removes a file for good: it may have held a password."""
    return replace(remove(path), undo=nothing)


def _run(words: list[str], *, mend: str) -> Step:
    return Step(f"run {' '.join(words)}", lambda: command(*words, mend=mend))
