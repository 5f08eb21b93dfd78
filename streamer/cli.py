"""The ``deepmovie`` command. Each command imports what is heavy itself, so that help and ``check`` answer at once."""

import os
import shlex
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from streamer.allocator import keep_memory
from streamer.arguments import Parser, add_settings, count, natural, picture_size, positive, settings_in
from streamer.config import ConfigError, Security
from streamer.paint import Paint
from streamer.redaction import text
from streamer.render.command import render
from streamer.service_commands import install_service, uninstall_service
from streamer.settings import Inputs, load, nearest

AMOUNTS = ("frames", "judged", "iterations", "passes", "live", "reference")
"""Those options of ``compare`` that say how much is painted."""


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the command line."""

    summary: str
    main: Callable[[Sequence[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 done, 1 bug, 2 usage, 69 no source, 78 configuration."""
    _share_processors()
    keep_memory()
    try:
        return _dispatch(sys.argv[1:] if arguments is None else arguments)
    except ConfigError as error:
        _complain(str(error))
        return os.EX_CONFIG
    except Exception:  # noqa: BLE001 - Python would print the traceback with the passwords in it
        _complain(text(traceback.format_exc()))
        return 1


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


def _run(arguments: Sequence[str]) -> int:
    parser = Parser(
        "run",
        "Paint a stream until it is told to stop. Frames come from SOURCE and go, painted, to every SINK.",
        """\
  deepmovie run test: tcp://127.0.0.1:5556          the built-in scene, painted, for any imageZMQ receiver
  deepmovie run rtsp://camera/live --style storm    a camera
  deepmovie run clip.mp4 painted.mp4 --once         every frame of a file
  deepmovie run -c /etc/deepmovie/hall.toml --set input.stall_timeout_s=2

Every user of the machine can read the command line: a URL with a password belongs into DEEPMOVIE_SOURCE.""",
    )
    add_settings(parser)
    inputs = _inputs(parser, parser.read(arguments))
    config = inputs.load().config
    from streamer import log  # noqa: PLC0415 - only here
    from streamer.daemon import run  # noqa: PLC0415 - imports torch

    code = run(config, inputs)
    log.close()
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process when everything of ours is closed.

    What Python and torch's libraries tidy up at the end of a process takes seconds, and longer while others read the
    disk; a service manager waits for that long.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads any more
            stream.flush()
    os._exit(code)


def _send(arguments: Sequence[str]) -> int:
    parser = Parser(
        "send",
        "Publish any source over ZeroMQ, as a camera to test with. Ends with the source, or on Ctrl-C.",
        """\
  deepmovie send test: pub+bind:tcp://127.0.0.1:5555
  deepmovie send clip.mp4 push+connect:tcp://127.0.0.1:5555 --fps 10
  deepmovie send camera:0 push+connect:tcp://hall:5555#peer=hall.pub --key door.key""",
    )
    parser.add_argument("source", metavar="SOURCE", help="where frames come from, as for run")
    parser.add_argument("url", metavar="URL", help="where they go: pub or push, bind or connect")
    parser.add_argument("--fps", type=positive, help="frames per second [as the source gives them]")
    parser.add_argument("--name", default="camera", help="the stream's name in every message [camera]")
    parser.add_argument("--frames", type=count, metavar="N", help="stop after N frames")
    parser.add_argument("--allow-insecure", action="store_true", help="let other machines see the frames")
    parser.add_argument("--key", metavar="FILE", help="our own .key file, as security.key for run")
    parser.add_argument("--viewers", metavar="FOLDER", help="the .pub files of those who may receive the frames")
    found = parser.read(arguments)
    from streamer.send import send  # noqa: PLC0415 - imports av, cv2 and zmq

    return send(
        found.source,
        found.url,
        fps=found.fps,
        name=found.name,
        frames=found.frames,
        allow_insecure=found.allow_insecure,
        security=Security(key=found.key, viewers=found.viewers),
    )


def _watch(arguments: Sequence[str]) -> int:
    parser = Parser(
        "watch",
        "Watch any stream: say once a second how fast and how old its frames are and what is missing, and keep them\n"
        "if wanted. Ends with the stream, or on Ctrl-C.",
        """\
  deepmovie watch tcp://127.0.0.1:5556
  deepmovie watch rtsp://server/painted --seconds 10 --out painted.mp4
  deepmovie watch tcp://127.0.0.1:5556 --out now.png
  deepmovie watch tcp://127.0.0.1:5556 --page 127.0.0.1:8017    in the browser: http://127.0.0.1:8017/view""",
    )
    parser.add_argument("url", metavar="URL", help="the stream, as a source of run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a film, or the last frame as a .png")
    parser.add_argument("--frames", type=count, metavar="N", help="stop after N frames [1 for a .png]")
    parser.add_argument("--seconds", type=positive, metavar="S", help="stop after S seconds")
    parser.add_argument("--allow-insecure", action="store_true", help="take frames of other machines without a key")
    parser.add_argument("--key", metavar="FILE", help="our own .key file, as security.key for run")
    parser.add_argument("--page", metavar="ADDRESS", help="show it on http://ADDRESS/view, until Ctrl-C, and no more")
    found = parser.read(arguments)
    if found.page is not None:
        if found.out or found.frames or found.seconds:
            parser.error("--page shows the stream and takes none of --out, --frames and --seconds")
        return _show(found)
    from streamer.watch import watch  # noqa: PLC0415 - imports av, cv2 and zmq

    return watch(
        found.url,
        out=found.out,
        frames=found.frames,
        seconds=found.seconds,
        allow_insecure=found.allow_insecure,
        security=Security(key=found.key),
    )


def _show(found: Namespace) -> int:
    """Check the arguments as those of run are, and show the stream in the browser."""
    overrides = {
        "source": found.url,
        "allow_insecure": found.allow_insecure,
        "http.listen": found.page,
        **({"security.key": found.key} if found.key else {}),
    }
    config = load(None, {}, overrides).config
    from streamer.window import show  # noqa: PLC0415 - imports torch

    return show(config)


def _keygen(arguments: Sequence[str]) -> int:
    parser = Parser(
        "keygen",
        "Make a key for ZeroMQ: NAME.key, which stays with one program, and NAME.pub, which goes to the programs at\n"
        "the other end. Nothing is overwritten.",
        "  deepmovie keygen /etc/deepmovie/hall\n  deepmovie keygen door",
    )
    parser.add_argument("path", metavar="FOLDER/NAME", type=Path, help="where the two files go")
    found = parser.read(arguments)
    from streamer.keygen import keygen  # noqa: PLC0415 - imports zmq

    return _print(keygen(found.path))


def _demo(arguments: Sequence[str]) -> int:
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


def _compare(arguments: Sequence[str]) -> int:
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
    found = parser.read(arguments)
    paint = load(None, {}, settings_in(parser, found)).config.paint
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


def _bench(arguments: Sequence[str]) -> int:
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
    found = parser.read(arguments)
    trial_options = {key: getattr(found, key) for key in ("styles", "start", "frames", "every") if getattr(found, key)}
    if found.quality is None and trial_options:
        parser.error(f"--{next(iter(trial_options))} needs --quality")
    paint = _paint(found)
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


def _doctor(arguments: Sequence[str]) -> int:
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


def _check(arguments: Sequence[str]) -> int:
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
    from streamer import reference, report  # noqa: PLC0415 - only here

    if found.template:
        return _print(reference.reference().rstrip("\n"))
    loaded = _inputs(parser, found).load()
    return _print(report.as_json(loaded) if found.json else report.as_table(loaded))


def _schema(arguments: Sequence[str]) -> int:
    parser = Parser(
        "schema",
        "Print the settings as a JSON schema: every key with what it means, what it takes, its default, and when a\n"
        "change takes effect. Editors complete and check a settings file with it.",
        "  deepmovie schema > deepmovie.schema.json\n  deepmovie schema --markdown > settings.md",
    )
    parser.add_argument("--markdown", action="store_true", help="print a page to read instead")
    found = parser.read(arguments)
    from streamer import reference, schema  # noqa: PLC0415 - only here

    return _print(reference.page().rstrip("\n") if found.markdown else schema.as_json())


def _version(arguments: Sequence[str]) -> int:
    Parser("version", "Print the version.", "  deepmovie version").read(arguments)
    return _print(f"deepmovie {version('deepmovie')}")


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


def _paint(found: Namespace) -> Paint:
    return load(None, {}, _given(found)).config.paint


def _inputs(parser: Parser, found: Namespace) -> Inputs:
    """Return where the settings are read from; later again, whatever becomes of our environment and folder."""
    path = found.config and found.config.absolute()
    return Inputs(path, dict(os.environ), settings_in(parser, found))


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
    "run": Command("paint a stream", _run),
    "send": Command("publish any source over ZeroMQ, as a camera to test with", _send),
    "watch": Command("look at any stream in numbers, and keep what came", _watch),
    "keygen": Command("make a key, to let chosen peers in over the network", _keygen),
    "render": Command("paint a film, without a deadline", render),
    "demo": Command("show what it does, in a minute", _demo),
    "compare": Command("paint clips in every way of the paper, in figures and numbers", _compare),
    "bench": Command("measure what this machine does", _bench),
    "doctor": Command("look for what would keep deepmovie from working", _doctor),
    "check": Command("check the settings and show where each comes from", _check),
    "schema": Command("print the settings as a JSON schema, or as a page", _schema),
    "install-service": Command("install it as a service of systemd", install_service),
    "uninstall-service": Command("remove such a service", uninstall_service),
    "version": Command("print the version", _version),
}
