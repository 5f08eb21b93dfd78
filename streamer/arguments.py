"""The command line's words: one parser per command, help taken from the settings, hints for what is misspelled."""

import argparse
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from protocols.options import size
from streamer.section import word_for_none
from streamer.settings import KEYS, Inputs, nearest

FLAGS = {
    "--name": "name",
    "--style": "paint.style",
    "--size": "paint.size",
    "--fps": "paint.fps",
    "--iterations": "paint.iterations",
    "--init": "paint.init",
    "--lag": "paint.lag",
    "--style-strength": "paint.style_strength",
    "--flow": "paint.flow",
    "--weights": "paint.weights",
    "--device": "paint.device",
    "--listen": "http.listen",
    "--log-format": "log.format",
}
"""The flags of ``run`` and ``check`` that stand for a setting; every other setting is reached with ``--set``."""


class Parser(argparse.ArgumentParser):
    """A parser that takes options and positionals in any order, no abbreviations, and names the nearest flag."""

    def __init__(self, command: str, description: str, examples: str) -> None:
        super().__init__(
            prog=f"deepmovie {command}",
            description=description,
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the arguments; exits with 2 and a hint when one is unknown."""
        found, unknown = self.parse_known_intermixed_args(arguments)
        if unknown:
            flag = unknown[0].partition("=")[0]
            self.error(f"unknown argument {flag!r}{nearest(flag, self._option_string_actions)}")
        return found

    def error(self, message: str) -> NoReturn:
        """Print ``message`` and exit with 2."""
        self.exit(2, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def add_settings(parser: Parser) -> None:
    """Let ``parser`` take every setting."""
    parser.add_argument("source", metavar="SOURCE", nargs="?", help=setting_help("source"))
    parser.add_argument("sinks", metavar="SINK", nargs="*", help=setting_help("sinks"))
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, help="a TOML file of settings")
    for flag, key in FLAGS.items():
        parser.add_argument(flag, metavar=flag[2:].rpartition("-")[2].upper(), dest=key, help=setting_help(key))
    parser.add_argument("--once", action=argparse.BooleanOptionalAction, default=None, help=setting_help("once"))
    parser.add_argument(
        "--set", metavar="KEY=VALUE", dest="assignments", action="append", default=[], help="any setting by its key"
    )


def settings_in(parser: Parser, found: argparse.Namespace) -> dict[str, object]:
    """Return the settings given on the command line by their dotted keys; exits with 2 when one is given twice."""
    pairs = [(key, value) for key, value in vars(found).items() if key in KEYS and value not in (None, [])]
    pairs += _assignments(parser, found.assignments)
    settings = dict(pairs)
    for key in settings:
        if sum(other == key for other, _ in pairs) > 1:
            parser.error(f"{key} is given twice")
    return settings


def inputs_in(parser: Parser, found: argparse.Namespace) -> Inputs:
    """Return where the settings are read from; later again, whatever becomes of our environment and folder."""
    path = found.config and found.config.absolute()
    return Inputs(path, dict(os.environ), settings_in(parser, found))


def setting_help(key: str) -> str:
    """Return what a setting is, for a flag that stands for it."""
    field = KEYS[key]
    shown = word_for_none(field) if field.default is None else field.default
    default = " ".join(shown) if isinstance(shown, tuple) else str(shown).lower()
    return f"{field.description} [{default}]".replace("%", "%%")


def positive(text: str) -> float:
    """Return a number above 0 for argparse."""
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def count(text: str) -> int:
    """Return a whole number above 0 for argparse."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def natural(text: str) -> int:
    """Return a whole number from 0 for argparse."""
    return 0 if text == "0" else count(text)


def picture_size(text: str) -> tuple[int, int]:
    """Return width and height of ``640x360`` for argparse."""
    try:
        return size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected {error}, got {text!r}") from None


def _assignments(parser: Parser, assignments: Iterable[str]) -> list[tuple[str, object]]:
    for assignment in assignments:
        if "=" not in assignment:
            parser.error(f"--set takes KEY=VALUE, got {assignment!r}")
    return [(key.strip(), value) for key, _, value in (assignment.partition("=") for assignment in assignments)]
