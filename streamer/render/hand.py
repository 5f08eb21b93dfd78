"""A process that paints the scenes it is told to: ``python -m streamer.render.hand WORKSHOP [PREVIEW]``.

It reads the numbers of scenes from its standard input, and writes a line for each frame that is painted and for each
scene that is over to its standard output. It ends with its input: so it never outlives who started it.
"""

import json
import os
import signal
import sys
from dataclasses import astuple
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TextIO

from streamer.allocator import keep_memory
from streamer.render.atelier import threads
from streamer.render.failure import EXPECTED, Failure
from streamer.render.film import film_in
from streamer.render.painting import Painter
from streamer.render.preview import Preview
from streamer.render.scenes import SceneWork
from streamer.render.survey import Pixels
from streamer.render.workshop import Workshop

PAINTED, OVER, FAILED = "painted", "over", "failed"
"""The words that a line begins with."""


def main(workshop: str, preview: str | None = None) -> None:
    """Paint until there is nobody left to paint for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us; what it does ends us, too
    keep_memory()
    # What a library prints must not come between the lines.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    orders: SimpleQueue[int] = SimpleQueue()
    Thread(target=_listen, args=(orders,), daemon=True).start()
    try:
        _paint(Workshop(Path(workshop)), Preview(Path(preview) if preview else None), orders, lines)
    except EXPECTED as error:
        _tell(lines, FAILED, *astuple(Failure.of(error)))


def _paint(workshop: Workshop, preview: Preview, orders: "SimpleQueue[int]", lines: TextIO) -> None:
    film = film_in(workshop)
    scenes = film.scenes()
    with threads(film.job.threads):
        painter = Painter(film)
        while True:
            number = orders.get()

            def tick(pixels: Pixels, *, number: int = number) -> None:
                preview(pixels)
                _tell(lines, PAINTED, number)

            painter.paint(SceneWork(film, workshop, scenes[number]), tick)
            _tell(lines, OVER, number)


def _listen(orders: "SimpleQueue[int]") -> None:
    """Hand on what is ordered. Nothing is lost by ending in the middle: what is not finished does not count."""
    for line in sys.stdin:
        orders.put(int(line))
    os._exit(0)


def _tell(lines: TextIO, *words: object) -> None:
    lines.write(json.dumps(words) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
