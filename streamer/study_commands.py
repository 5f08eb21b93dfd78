"""The commands that look at deepmovie itself: ``demo``, ``compare``, ``bench`` and ``doctor``."""

import os
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from streamer.arguments import Parser, count, natural, picture_size, settings_in
from streamer.settings import KEYS, Inputs, load, nearest

AMOUNTS = ("frames", "judged", "iterations", "passes", "live", "reference")
"""Those options of ``compare`` that say how much is painted."""


def demo(arguments: Sequence[str]) -> int:
    """Run ``deepmovie demo`` and return the exit code."""
    parser = Parser(
        "demo",
        "Send the built-in scene over ZeroMQ, paint it, record the result and say how it went. Takes about a minute.",
        "  deepmovie demo\n  deepmovie demo --out /tmp/demo --no-browser",
    )
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where demo.mp4 goes [out]")
    parser.add_argument("--no-browser", action="store_true", help="do not open the picture at the end")
    found = parser.read(arguments)
    from streamer.demo import demo  # noqa: PLC0415 - imports torch

    return demo(found.out, browser=not found.no_browser)


def compare(arguments: Sequence[str]) -> int:
    """Run ``deepmovie compare`` and return the exit code."""
    parser = _compare_parser()
    found = parser.read(arguments)
    settings = settings_in(parser, found)
    strange = [key for key in settings if key in KEYS and not key.startswith("paint.")]
    if strange:
        parser.error(f"{strange[0]} decides nothing here; --set takes the settings of paint")
    paint = load(None, {}, settings).config.paint
    for style in found.style:
        load(None, {}, {"paint.style": style})
    from streamer import log  # noqa: PLC0415 - only here
    from streamer.compare import Outputs, Task, compare  # noqa: PLC0415 - imports torch
    from streamer.compare_methods import effort  # noqa: PLC0415 - imports torch
    from streamer.quality import Clip  # noqa: PLC0415 - imports torch

    log.configure(level="warning")
    amount = effort(found.effort, **{key: getattr(found, key) for key in AMOUNTS if getattr(found, key)})
    clips = [
        Clip(clip, start=found.start, every=found.every, frames=amount.frames, size=found.size) for clip in found.clips
    ]
    outputs = Outputs(report=found.report, pictures=found.pictures, as_json=found.json)
    command = shlex.join(["deepmovie", "compare", *arguments])
    return compare(Task(clips, found.style or [paint.style], paint, amount, outputs, command))


def bench(arguments: Sequence[str]) -> int:
    """Run ``deepmovie bench`` and return the exit code."""
    parser = _bench_parser()
    found = parser.read(arguments)
    trial_options = {key: getattr(found, key) for key in ("styles", "start", "frames", "every") if getattr(found, key)}
    if found.quality is None and trial_options:
        parser.error(f"--{next(iter(trial_options))} needs --quality")
    if found.flows and (found.peers or found.quality is not None):
        parser.error("--flows measures flows and nothing else; it takes neither --peers nor --quality")
    paint = load(None, {}, _given(found)).config.paint
    for key, values in (("paint.style", found.styles), ("paint.flow", found.flows)):
        for value in values:
            load(None, {}, {key: value})
    from streamer import log  # noqa: PLC0415 - only here

    log.configure(level="warning")
    if found.flows:
        from streamer.bench_flow import bench_flow  # noqa: PLC0415 - imports torch

        size = found.sizes[0] if found.sizes else (256, 144)
        return bench_flow(dict.fromkeys(["dis", *found.flows]), device=paint.device, size=size, json=found.json)
    from streamer.bench import Plan, bench  # noqa: PLC0415 - imports torch
    from streamer.bench_quality import Trial  # noqa: PLC0415 - imports torch

    trial = None if found.quality is None else Trial(clips=found.quality or ["test:#live=no"], **trial_options)
    return bench(paint, Plan(sizes=found.sizes, peers=found.peers, quality=trial), json=found.json)


def doctor(arguments: Sequence[str]) -> int:
    """Run ``deepmovie doctor`` and return the exit code."""
    parser = Parser(
        "doctor",
        "Look for what would keep deepmovie from working here, and say what mends it. Each line is OK, WARN or FAIL.\n"
        "Settings come from the file, the environment and the command line, as for run. Exit code: 1 if there is a\n"
        "FAIL, else 0.",
        """\
  deepmovie doctor
  deepmovie doctor -c /etc/deepmovie/hall.toml
  deepmovie doctor --device cuda --style starry_night.jpg --json""",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", metavar="PART", help="examine one part, in this process, and print JSON")
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, help="a TOML file of settings, as for run")
    _add_paint(parser)
    found = parser.read(arguments)
    inputs = Inputs(found.config, dict(os.environ), _given(found))
    from streamer import doctor  # noqa: PLC0415 - only here

    if found.only is None:
        return doctor.doctor(inputs, json=found.json)
    if found.only not in doctor.PARTS:
        parser.error(f"--only takes {', '.join(doctor.PARTS)}; got {found.only!r}{nearest(found.only, doctor.PARTS)}")
    return doctor.examine(found.only, inputs)


def _compare_parser() -> Parser:
    parser = Parser(
        "compare",
        "Paint clips in every way of the paper and in the daemon's own, and say how near to the style and how steady\n"
        "each is, and what it costs: as a table, or as a page with the paper's figures. Says first how long it takes.",
        """\
  deepmovie compare clip.mp4
  deepmovie compare clip.mp4 --start 32 --report page.html
  deepmovie compare a.mp4 b.mp4 --style starry_night.jpg storm --effort full --report page.html --json""",
    )
    parser.add_argument("clips", metavar="INPUT", nargs="+", help="a film, or test:#live=no for the built-in scene")
    parser.add_argument("--style", nargs="+", default=[], help="built-in paintings or picture files [starry]")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a page with all figures, complete in itself")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write the figures as pictures below 300 kB")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--size", type=count, default=256, metavar="N", help="long side in pixels [256]")
    parser.add_argument("--start", type=natural, default=0, metavar="N", help="the first frame of each clip [0]")
    parser.add_argument("--every", type=count, default=2, metavar="N", help="take every Nth frame [2]")
    parser.add_argument(
        "--effort", choices=("quick", "full"), default="quick", help="how much, for all that follow [quick]"
    )
    parser.add_argument("--frames", type=count, metavar="N", help="how many of each clip [10 or 14]")
    parser.add_argument("--judged", type=count, metavar="N", help="of these, the last N count [4 or 6]")
    parser.add_argument("--iterations", type=count, metavar="N", help="per frame, for the paper's methods [20 or 60]")
    parser.add_argument("--passes", type=count, metavar="N", help="of back-tracking, in the same iterations [2]")
    parser.add_argument("--live", type=count, nargs="+", metavar="N", help="per frame, for the daemon's way [2 4]")
    parser.add_argument("--reference", type=count, metavar="N", help="for the energy to reach [150 or 400]")
    parser.add_argument("--weights", dest="paint.weights", help="as for run")
    parser.add_argument("--device", dest="paint.device", help="as for run")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", dest="assignments", action="append", default=[], help="any setting of paint"
    )
    return parser


def _bench_parser() -> Parser:
    parser = Parser(
        "bench",
        "Measure what this machine does, and say which settings suit it. Takes one to three minutes on two cores.\n"
        "What is compared is timed in turns within this run, so its ratios mean more than its milliseconds.",
        """\
  deepmovie bench
  deepmovie bench --sizes 256x144 640x360 --peers --json > bench.json
  deepmovie bench --sizes 256x144 --quality clip.mp4 other.mp4 --styles starry storm painting.jpg
  deepmovie bench --flows raft-small onnx:flow.onnx""",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--sizes",
        type=picture_size,
        nargs="+",
        default=[],
        metavar="WxH",
        help="all is measured at the first, iterations at each [chosen for the device]",
    )
    parser.add_argument("--peers", action="store_true", help="time other programs too, where they are installed")
    parser.add_argument(
        "--quality",
        nargs="*",
        metavar="CLIP",
        help="tell how near to the style and how steadily films (none: the built-in scene) are painted, too; takes "
        "minutes for each film and style",
    )
    parser.add_argument(
        "--flows",
        nargs="+",
        default=[],
        metavar="FLOW",
        help="measure only how far optical flows (as paint.flow) are from the true one, beside dis; takes seconds",
    )
    parser.add_argument("--styles", nargs="+", default=[], metavar="STYLE", help="for --quality [that of --style]")
    parser.add_argument("--start", type=natural, metavar="N", help="for --quality: the first frame of each film [0]")
    parser.add_argument("--frames", type=count, metavar="N", help="for --quality: of each film, the last 4 count [14]")
    parser.add_argument("--every", type=count, metavar="N", help="for --quality: take every Nth frame of a film [2]")
    _add_paint(parser)
    return parser


def _add_paint(parser: Parser) -> None:
    """Let ``parser`` take what decides how a frame is painted, for commands that run no stream."""
    parser.add_argument("--style", help="a built-in painting or a picture file")
    parser.add_argument("--weights", help="as for run")
    parser.add_argument("--flow", help="as for run")
    parser.add_argument("--fill", help="paint.fill of run")
    parser.add_argument("--device", help="as for run")


def _given(found: Namespace) -> dict[str, str]:
    """Return those of ``_add_paint``'s settings that were given, by their dotted keys."""
    given = {key: getattr(found, key) for key in ("style", "weights", "flow", "fill", "device")}
    return {f"paint.{key}": value for key, value in given.items() if value is not None}
