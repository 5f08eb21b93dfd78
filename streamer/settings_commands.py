"""The commands about settings: ``check`` and ``schema``."""

from collections.abc import Sequence

from streamer import reference, report
from streamer import schema as schemas
from streamer.arguments import Parser, add_settings, inputs_in


def check(arguments: Sequence[str]) -> int:
    """Run ``deepmovie check`` and return the exit code."""
    parser = Parser(
        "check",
        "Check the settings and show each with its value and where it comes from; starts nothing.",
        "  deepmovie check -c /etc/deepmovie/hall.toml\n  deepmovie check rtsp://camera/live --fps 5 --json\n"
        "  deepmovie check --template > deepmovie.toml",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--template", action="store_true", help="print a file with every setting explained, and end")
    add_settings(parser)
    found = parser.read(arguments)
    if found.template:
        return _print(reference.reference().rstrip("\n"))
    loaded = inputs_in(parser, found).load()
    return _print(report.as_json(loaded) if found.json else report.as_table(loaded))


def schema(arguments: Sequence[str]) -> int:
    """Run ``deepmovie schema`` and return the exit code."""
    parser = Parser(
        "schema",
        "Print the settings as a JSON schema: every key with what it means, what it takes, its default, and when a\n"
        "change takes effect. Editors complete and check a settings file with it.",
        "  deepmovie schema > deepmovie.schema.json\n  deepmovie schema --markdown > settings.md",
    )
    parser.add_argument("--markdown", action="store_true", help="print a page to read instead")
    found = parser.read(arguments)
    return _print(reference.page().rstrip("\n") if found.markdown else schemas.as_json())


def _print(text: str) -> int:
    print(text)  # noqa: T201 - what the command was asked for
    return 0
