"""The command line of ``deepmovie render``."""

import os
import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from streamer.arguments import Parser, count, natural, setting_help, settings_in
from streamer.settings import KEYS, Inputs, Loaded

ITERATIONS = 30
"""Per frame, unless somebody says: a live stream's few are for want of time."""

MOST_PASSES = 20
_SIZE = "long side of the painted film in pixels, or source: as large as INPUT; auto is 256 on a CPU, 640 on CUDA"

_FLAGS = {
    "--style": "paint.style",
    "--style-strength": "paint.style_strength",
    "--steadiness": "paint.steadiness",
    "--color": "paint.color",
    "--light": "paint.light",
    "--init": "paint.init",
    "--weights": "paint.weights",
    "--device": "paint.device",
}
"""What stands for a setting; the other ones of painting are reached with ``--set``."""


def render(arguments: Sequence[str]) -> int:
    """Read the arguments, render, and return the exit code."""
    parser = _parser()
    found = parser.read(arguments)
    loaded = _settings(parser, found)
    from rich.console import Console  # noqa: PLC0415 - only here

    from streamer import log  # noqa: PLC0415 - only here
    from streamer.render.rendering import render as rendered  # noqa: PLC0415 - imports torch
    from streamer.render.wish import Wish  # noqa: PLC0415 - imports torch

    log.configure(level="warning")
    paint = loaded.config.paint
    wish = Wish(
        source=found.input,
        out=found.output,
        paint=paint,
        iterations=ITERATIONS if loaded.origins["paint.iterations"] == "default" else paint.iterations,
        first_iterations=found.first_iterations,
        passes=found.passes,
        size="source" if found.size == "source" else paint.size,
        rate=found.fps,
        chunk=found.chunk,
        crf=found.crf,
        threads=found.threads,
        jobs=found.jobs,
        ray=found.ray,
        preview=found.preview,
        hashes=found.hashes,
        overwrite=found.overwrite,
    )
    return rendered(wish, console=Console(stderr=True))


def _parser() -> Parser:
    parser = Parser(
        "render",
        "Paint a film, a folder of pictures or a picture, without a deadline: every frame, with as many iterations as\n"
        "you like. Sound, subtitles, times, colors and shape are kept. Whatever ends it, the same command goes on\n"
        "from there, and the film comes out the same to the bit. What is painted grows in OUTPUT.work.\n\n"
        "Exit code: 75 if it was stopped or the disk is full, 69 if INPUT cannot be read.",
        """\
  deepmovie render clip.mp4 painted.mp4
  deepmovie render clip.mp4 painted.mkv --style starry_night.jpg --size source --iterations 100 --passes 2
  deepmovie render clip.mp4 painted.mp4 --jobs 4 --preview now.jpg
  deepmovie render pictures/ painted/ --init independent --set paint.pooling=average
  deepmovie render photo.jpg painted.png --iterations 300
  deepmovie render clip.mp4 painted.mp4 --threads 4 --ray head:6379""",
    )
    parser.add_argument("input", metavar="INPUT", type=Path, help="a film, a folder of pictures, or a picture")
    parser.add_argument(
        "output",
        metavar="OUTPUT",
        type=Path,
        help="an .mp4, .mov or .mkv; a folder for a PNG of each frame; of a picture, a .png or .jpg",
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", type=Path, help="a TOML file of settings, of which [paint] counts here"
    )
    _add_painting(parser)
    _add_work(parser)
    return parser


def _add_painting(parser: Parser) -> None:
    """Let ``parser`` take what decides how the film looks."""
    parser.add_argument(
        "--iterations", metavar="N", dest="paint.iterations", help=f"gradient iterations per frame [{ITERATIONS}]"
    )
    parser.add_argument(
        "--first-iterations", metavar="N", type=count, help="of the first frame of a scene [5 times as many]"
    )
    parser.add_argument(
        "--passes",
        metavar="N",
        type=_passes,
        default=1,
        help="how often each frame is painted: from the second time on, held to its neighbors on both sides [1]",
    )
    parser.add_argument("--size", metavar="N", help=f"{_SIZE} [auto]")
    for flag, key in _FLAGS.items():
        parser.add_argument(flag, metavar=flag[2:].rpartition("-")[2].upper(), dest=key, help=setting_help(key))
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="assignments",
        action="append",
        default=[],
        help="any setting of painting by its key; fps, fade_s, lag and styles_folder mean nothing here",
    )
    parser.add_argument(
        "--fps", metavar="N", type=_rate, default=Fraction(25), help="of a film made of a folder of pictures [25]"
    )
    parser.add_argument("--crf", metavar="N", type=_crf, default=18, help="quality of the film, 0 (best) to 51 [18]")


def _add_work(parser: Parser) -> None:
    """Let ``parser`` take how the work is done."""
    parser.add_argument("--jobs", metavar="N", type=count, default=1, help="processes, each with a scene [1]")
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        nargs="?",
        const="",
        type=_cluster,
        help="let a Ray cluster paint: auto, HOST:PORT or ray://HOST:PORT; with none, one on this machine",
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=count,
        help="of each process; another number may change the last bit [the processors, shared by the jobs]",
    )
    parser.add_argument(
        "--chunk", metavar="N", type=count, default=24, help="frames painted between two checkpoints [24]"
    )
    parser.add_argument("--preview", metavar="FILE", type=Path, help="keep the newest painted frame in a .png or .jpg")
    parser.add_argument(
        "--hashes", metavar="FILE", type=Path, help="write number, ticks and SHA-256 of each painted frame, a line each"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="begin anew, whatever was begun, and replace OUTPUT at the end"
    )


def _settings(parser: Parser, found: Namespace) -> Loaded:
    """Return the settings; exits with 2 if one is given that says nothing about painting."""
    given = settings_in(parser, found)
    for key in given:
        if not key.startswith("paint.") and key in KEYS:
            parser.error(f"{key} says nothing about painting a film")
    if found.size not in (None, "source"):
        given["paint.size"] = found.size
    return Inputs(found.config, dict(os.environ), given).load()


def _passes(text: str) -> int:
    number = count(text)
    if number > MOST_PASSES:
        raise ArgumentTypeError(f"expected at most {MOST_PASSES}, got {text}")
    return number


def _cluster(text: str) -> str:
    if text and not re.fullmatch(r"auto|(ray://)?[^/\s]+:\d{1,5}", text):
        raise ArgumentTypeError(f"expected auto, HOST:PORT or ray://HOST:PORT, got {text!r}")
    return text


def _crf(text: str) -> int:
    number = natural(text)
    if number > 51:
        raise ArgumentTypeError(f"expected a whole number from 0 to 51, got {text!r}")
    return number


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise ArgumentTypeError(f"expected frames per second like 25, 23.976 or 24000/1001, got {text!r}")
    return rate.limit_denominator(1001)
