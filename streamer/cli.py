"""The ``deepmovie`` command. Each command imports what is heavy itself, so that help and ``check`` answer at once."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from streamer.allocator import keep_memory
from streamer.arguments import Parser
from streamer.config import ConfigError
from streamer.exits import INTERRUPTED, UNREAD, Exit
from streamer.redaction import text
from streamer.render.command import render
from streamer.service_commands import install_service, uninstall_service
from streamer.settings import nearest
from streamer.settings_commands import check, schema
from streamer.stream_commands import keygen, run, send, watch
from streamer.study_commands import bench, compare, demo, doctor


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the command line."""

    summary: str
    main: Callable[[Sequence[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 1 bug, 2 usage, 69 no source, 78 configuration.

    75 when what it prints cannot be written, 130 after Ctrl-C, 141 when nobody reads that any more.
    """
    _share_processors()
    keep_memory()
    try:
        code = _dispatch(sys.argv[1:] if arguments is None else arguments)
        _flush()
    except ConfigError as error:
        _complain(str(error))
        return os.EX_CONFIG
    except KeyboardInterrupt:
        _complain("stopped")
        return INTERRUPTED
    except BrokenPipeError:  # as "| head" expects
        _print_no_more()
        return UNREAD
    except Exception:  # noqa: BLE001 - Python would print the traceback with the passwords in it
        if failure := _print_failure():
            _complain(f"what it prints cannot be written: {failure.strerror}")
            _print_no_more()
            return Exit.RESOURCES
        _complain(text(traceback.format_exc()))
        return Exit.BUG
    return code


def _print_failure() -> OSError | None:
    """Return why what is printed cannot be written, if so: what could not be is kept, and tried again at each flush."""
    try:
        _flush()
    except OSError as error:
        return error
    return None


def _flush() -> None:
    """Write what is printed; unlike a method of ``sys.stdout``, also where that is None, as after ``>&-``."""
    print(end="", flush=True)  # noqa: T201 - prints nothing


def _print_no_more() -> None:
    """Let what is left to print go nowhere, instead of failing once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _share_processors() -> None:
    """Let the threads of torch sleep while they wait for each other, unless the user says otherwise.

    OpenMP's way is to wait in a busy loop. Beside another busy program that takes the processors from the very threads
    that are waited for: an iteration then took five times as long. On an idle machine it takes the same either way.
    OpenMP reads this when torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _dispatch(arguments: Sequence[str]) -> int:
    command, *rest = arguments or ["--help"]
    if command in {"-h", "--help"}:
        return _print(_overview())
    if command == "--version":
        command = "version"
    if command not in COMMANDS:
        _complain(f"unknown command {command!r}{nearest(command, COMMANDS)}\nTry 'deepmovie --help'.")
        return 2
    return COMMANDS[command].main(rest)


def _version(arguments: Sequence[str]) -> int:
    Parser("version", "Print the version.", "  deepmovie version").read(arguments)
    return _print(f"deepmovie {version('deepmovie')}")


def _overview() -> str:
    commands = "\n".join(f"  {name:<18}{command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: deepmovie COMMAND ...\n\n"
        "Paints live video in the style of any painting, frame after frame.\n\n"
        f"commands:\n{commands}\n\n"
        "'deepmovie COMMAND --help' explains one."
    )


def _print(text: str) -> int:
    print(text)  # noqa: T201 - what the command was asked for
    return 0


def _complain(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - for people, before there is a log


COMMANDS = {
    "run": Command("paint a stream", run),
    "send": Command("publish any source over ZeroMQ, as a camera to test with", send),
    "watch": Command("look at any stream in numbers, and keep what came", watch),
    "keygen": Command("make a key, to let chosen peers in over the network", keygen),
    "render": Command("paint a film, without a deadline", render),
    "demo": Command("show what it does, in a minute", demo),
    "compare": Command("paint clips in every way of the paper, in figures and numbers", compare),
    "bench": Command("measure what this machine does", bench),
    "doctor": Command("look for what would keep deepmovie from working", doctor),
    "check": Command("check the settings and show where each comes from", check),
    "schema": Command("print the settings as a JSON schema, or as a page", schema),
    "install-service": Command("install it as a service of systemd", install_service),
    "uninstall-service": Command("remove such a service", uninstall_service),
    "version": Command("print the version", _version),
}
