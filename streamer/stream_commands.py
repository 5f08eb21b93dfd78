"""The commands that follow a stream: ``run``, ``send``, ``watch``; and ``keygen``, which lets them in."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from streamer.arguments import Parser, add_settings, count, inputs_in, positive
from streamer.config import Security
from streamer.settings import load


def run(arguments: Sequence[str]) -> int:
    """Run ``deepmovie run``; the process ends here."""
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
    inputs = inputs_in(parser, parser.read(arguments))
    config = inputs.load().config
    from streamer import log  # noqa: PLC0415 - only here
    from streamer.daemon import run as paint  # noqa: PLC0415 - imports torch

    code = paint(config, inputs)
    log.close()
    _leave(code)


def send(arguments: Sequence[str]) -> int:
    """Run ``deepmovie send`` and return the exit code."""
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
    from streamer.send import send as publish  # noqa: PLC0415 - imports av, cv2 and zmq

    return publish(
        found.source,
        found.url,
        fps=found.fps,
        name=found.name,
        frames=found.frames,
        allow_insecure=found.allow_insecure,
        security=Security(key=found.key, viewers=found.viewers),
    )


def watch(arguments: Sequence[str]) -> int:
    """Run ``deepmovie watch`` and return the exit code."""
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
    from streamer.watch import watch as look  # noqa: PLC0415 - imports av, cv2 and zmq

    return look(
        found.url,
        out=found.out,
        frames=found.frames,
        seconds=found.seconds,
        allow_insecure=found.allow_insecure,
        security=Security(key=found.key),
    )


def keygen(arguments: Sequence[str]) -> int:
    """Run ``deepmovie keygen`` and return the exit code."""
    parser = Parser(
        "keygen",
        "Make a key for ZeroMQ: NAME.key, which stays with one program, and NAME.pub, which goes to the programs at\n"
        "the other end. Nothing is overwritten.",
        "  deepmovie keygen /etc/deepmovie/hall\n  deepmovie keygen door",
    )
    parser.add_argument("path", metavar="FOLDER/NAME", type=Path, help="where the two files go")
    found = parser.read(arguments)
    from streamer.keygen import keygen as make  # noqa: PLC0415 - imports zmq

    print(make(found.path))  # noqa: T201 - what the command was asked for
    return 0


def _leave(code: int) -> NoReturn:
    """End the process when everything of ours is closed.

    What Python and torch's libraries tidy up at the end of a process takes seconds, and longer while others read the
    disk; a service manager waits for that long.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads any more
            stream.flush()
    os._exit(code)


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
