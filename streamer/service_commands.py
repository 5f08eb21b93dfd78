"""The commands ``install-service`` and ``uninstall-service``: their words, and how they end."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from streamer.arguments import Parser
from streamer.exits import INTERRUPTED, FatalError
from streamer.places import Place, at, system_place, user_place


def install_service(arguments: Sequence[str]) -> int:
    """Run ``deepmovie install-service`` and return the exit code."""
    parser = Parser(
        "install-service",
        "Install this program as a service of systemd, and start it: its virtual environment, settings and unit.\n"
        "What is there already is kept or brought up to date. What fails is taken back.",
        "  sudo .venv/bin/deepmovie install-service door\n  deepmovie install-service --user --dry-run door",
    )
    _add_service(parser)
    parser.add_argument(
        "--python",
        type=Path,
        default=Path("/usr/bin/python3"),
        metavar="FILE",
        help="makes the virtual environment [/usr/bin/python3]",
    )
    parser.add_argument(
        "--venv",
        type=Path,
        metavar="DIR",
        help="the virtual environment [/opt/deepmovie; ~/.local/share/deepmovie/venv]",
    )
    parser.add_argument(
        "--gpu",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="let the machine's services use its NVIDIA GPUs [if there are any]",
    )
    found = parser.read(arguments)
    from streamer.install import install  # noqa: PLC0415 - only here

    where = at(_place(found), found.venv)
    return _run(lambda: install(found.name, where, python=found.python, gpu=found.gpu, dry_run=found.dry_run))


def uninstall_service(arguments: Sequence[str]) -> int:
    """Run ``deepmovie uninstall-service`` and return the exit code."""
    parser = Parser(
        "uninstall-service",
        "Stop a service and remove it; with the last one, the unit of all. Its settings stay.",
        "  sudo deepmovie uninstall-service door\n  sudo deepmovie uninstall-service --purge door",
    )
    _add_service(parser)
    parser.add_argument("--purge", action="store_true", help="remove its settings and, with the last one, the program")
    found = parser.read(arguments)
    from streamer.uninstall import uninstall  # noqa: PLC0415 - only here

    return _run(lambda: uninstall(found.name, _place(found), purge=found.purge, dry_run=found.dry_run))


def _add_service(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the service is deepmovie@NAME, its settings are NAME.toml")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--system", action="store_true", help="a service of the machine, as root (the default)")
    scope.add_argument("--user", action="store_true", help="your own service, with less protection")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")


def _place(found: argparse.Namespace) -> Place:
    return user_place(os.environ) if found.user else system_place()


def _run(work: Callable[[], int]) -> int:
    try:
        return work()
    except FatalError as error:
        _complain(str(error))
        return error.code
    except KeyboardInterrupt:
        _complain("stopped; what was begun was taken back")
        return INTERRUPTED


def _complain(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - for whom runs the command
