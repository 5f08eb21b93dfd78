"""``deepmovie install-service``: the running program, its settings and its unit, as a service that systemd runs.

What cannot work is found before anything is changed. What fails then is taken back, and what ran before runs again.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from streamer.config import Config
from streamer.environment import fill, make
from streamer.exits import Exit, FatalError
from streamer.obstacles import obstacles
from streamer.pack import GPU, UNIT, pack_running, shipped
from streamer.places import Place, instance
from streamer.reference import reference
from streamer.services import check, running
from streamer.steps import Step, answer, carry_out, command, remove, tell, write
from streamer.units import unit_text

NVIDIA = Path("/dev/nvidiactl")


def install(name: str, where: Place, *, python: Path, gpu: bool | None, dry_run: bool) -> int:
    """Install and start a service, or say what that would do; return the exit code.

    Args:
        name: of the instance; its settings are ``name.toml``.
        where: for the machine or for a user.
        python: what makes the virtual environment.
        gpu: whether the services may use the NVIDIA GPUs here; None: if there are any.
        dry_run: change nothing.

    Raises:
        FatalError: Nothing was changed, or it was taken back; or all is installed, and the service does not start.
    """
    found = list(obstacles(name, where, python))
    if found and not dry_run:
        raise FatalError("\n".join(found), code=Exit.UNAVAILABLE)
    os.umask(0o022)  # the service is another account
    steps, start = _plan(name, where, python, gpu=gpu)
    if dry_run:
        tell("\n".join([*(step.told for step in (*steps, *start)), *(f"but: {obstacle}" for obstacle in found)]))
        return Exit.STOPPED
    carry_out(steps)
    carry_out(start)  # not among the others: wrong settings are to be mended, not uninstalled
    tell(_farewell(name, where))
    return Exit.STOPPED


def _plan(name: str, where: Place, python: Path, *, gpu: bool | None) -> tuple[list[Step], list[Step]]:
    """Return what is done or taken back as a whole, and the start of what does not run yet."""
    shared = [*_program(where, python), *_units(where, gpu=gpu)]
    own = [_settings(name, where), _reload(where), _enable(name, where)]
    before = running(where)
    start = [] if instance(name) in before else [_start(name, where)]
    if any(step.is_change for step in shared):
        own += [_check(unit, process, where) for unit, process in before.items()]
        own += [_restart(before, where)] if before else []
    else:
        own += [Step(f"keep {unit} running") for unit in before]
    return [_bring_back(before, where), *shared, *own], start


def _program(where: Place, python: Path) -> Iterator[Step]:
    yield make(where.program, python)
    yield fill(where.program, pack_running())


def _units(where: Place, *, gpu: bool | None) -> Iterator[Step]:
    files = {name: content.decode() for name, content in shipped().items()}
    yield write(where.unit, unit_text(files[UNIT], where))
    if where.scope == "user":
        return  # whose services see all devices that the user sees
    if gpu or (gpu is None and NVIDIA.exists()):
        yield write(where.gpu, files[GPU])
    elif gpu is False and where.gpu.exists():
        yield remove(where.gpu)


def _settings(name: str, where: Place) -> Step:
    path = where.settings_file(name)
    if path.exists():
        return Step(f"keep {path}")
    return write(path, reference().replace('# name = "deepmovie"', f'name = "{name}"'))


def _reload(where: Place) -> Step:
    words = where.systemctl("daemon-reload")
    return Step(f"run {' '.join(words)}", lambda: command(*words, mend="see journalctl --boot"))


def _enable(name: str, where: Place) -> Step:
    unit = instance(name)
    if answer(*where.systemctl("is-enabled", unit)) == "enabled":
        return Step(f"keep {unit} enabled")
    enable, disable = where.systemctl("enable", unit), where.systemctl("disable", unit)
    return Step(
        f"run {' '.join(enable)}",
        lambda: command(*enable, mend=f"see systemctl status {unit}"),
        lambda: command(*disable, mend=f"run {' '.join(disable)}"),
    )


def _start(name: str, where: Place) -> Step:
    """Return the start, which ends when the service paints."""
    start = where.systemctl("start", instance(name))

    def do() -> None:
        try:
            command(*start, mend=f"correct {where.settings_file(name)}, then run {' '.join(start)}")
        except FatalError as error:
            log = answer(*where.journalctl(name, "--no-pager", "--output=cat", "--lines=8"))
            told = f"all is installed, but {instance(name)} does not start; its log ends with\n{log}\n{error}"
            raise FatalError(told, code=error.code) from None

    return Step(f"run {' '.join(start)}", do)


def _check(unit: str, process: str, where: Place) -> Step:
    """Return the step that stops us before a service that runs is stopped for ever."""
    return Step(f"see whether {unit} would start again", lambda: check(unit, process, where))


def _restart(before: Mapping[str, str], where: Place) -> Step:
    words = where.systemctl("restart", *before)
    mend = f"{' '.join(where.journalctl('*', '--lines=50'))} says what is wrong; what ran before is started again"
    return Step(f"run {' '.join(words)}", lambda: command(*words, mend=mend))


def _bring_back(before: Mapping[str, str], where: Place) -> Step:
    """Return the step whose undoing, the last of all, starts what ran before as it was."""

    def undo() -> None:
        command(*where.systemctl("daemon-reload"), mend="see journalctl --boot")
        now = running(where)
        if changed := [unit for unit, process in before.items() if now.get(unit) != process]:
            command(*where.systemctl("restart", *changed), mend=f"see {' '.join(where.journalctl('*'))}")

    return Step(f"find running: {' '.join(before) or 'nothing'}", undo=undo)


def _farewell(name: str, where: Place) -> str:
    lines = {
        "page": f"http://{Config().http.listen}, unless its settings say otherwise",
        "settings": f"{where.settings_file(name)}, then {' '.join(where.systemctl('reload', instance(name)))}",
        "passwords": f"{where.secrets_file(name)}, mode 0600: DEEPMOVIE_SOURCE=rtsp://user:password@camera/live",
        "state": " ".join(where.systemctl("status", instance(name))),
        "log": " ".join(where.journalctl(name, "--follow")),
        "uninstall": f"deepmovie uninstall-service {'--user ' if where.scope == 'user' else ''}{name}",
    }
    if where.scope == "user":
        lines["log-out"] = "ends it, unless: loginctl enable-linger"
    return "\n".join([f"{instance(name)} paints.", *(f"  {key:<10}{text}" for key, text in lines.items())])
