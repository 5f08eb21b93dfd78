"""Films to render in a second, and how a test renders them: the real command on a tiny network."""

import io
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from streamer.paint import Paint
from streamer.render.atelier import Atelier, threads
from streamer.render.looking import look_through
from streamer.render.opening import reel_of
from streamer.render.premises import taken_up
from streamer.render.progress import Lines
from streamer.render.reading import Reader
from streamer.render.rendering import render
from streamer.render.scenes import SceneWork
from streamer.render.wish import Wish
from tests.clips import path
from tests.tiny import tiny_weights

Image = NDArray[np.uint8]
TICK = Fraction(1, 12800)
SIZE = 64


@cache
def bikes() -> Sequence[Image]:
    """Return the real clip, 64 x 28: cuts at 30, 76, 137, 187 and 242."""
    with av.open(str(path("bikes"))) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [np.asarray(cv2.resize(frame, (SIZE, 28), interpolation=cv2.INTER_AREA), np.uint8) for frame in frames]


def write(
    out: Path,
    images: Sequence[Image],
    *,
    ticks: Sequence[int] | None = None,
    sound: bool = False,
    pixels: str = "yuv420p",
    colors: tuple[int, int, int, int] = (1, 1, 1, 1),
    aspect: Fraction | None = None,
    bframes: int = 0,
    gop: int = 12,
) -> Path:
    """Write a film, 25 frames a second unless ``ticks`` says when each is shown, with real sound if wanted.

    Args:
        colors: matrix, primaries, transfer and range by the numbers of H.273.
    """
    exact = {"movie_timescale": str(TICK.denominator)} if out.suffix == ".mp4" else {}
    with av.open(str(out), "w", options=exact) as film:
        options = {"crf": "10", "preset": "veryfast", "x264-params": f"bframes={bframes}:scenecut=0"}
        stream = film.add_stream("libx264", rate=25, options=options)
        context: Any = stream.codec_context
        stream.pix_fmt, context.gop_size = pixels, gop
        stream.height, stream.width = images[0].shape[:2]
        context.time_base = stream.time_base = TICK
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = colors
        if aspect:
            context.sample_aspect_ratio = aspect
        sounds = _sounds(film, until=len(images) / 25) if sound else iter(())
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels, dst_color_range=colors[3])
            frame.pts, frame.time_base = (ticks[number] if ticks else 512 * number), TICK
            film.mux(stream.encode(frame))
        for packet in sounds:
            film.mux(packet)
        film.mux(stream.encode(None))
    return out


def _sounds(film: Any, *, until: float) -> Any:
    source: Any = av.open(str(path("bigbuckbunny")))
    stream = film.add_stream_from_template(source.streams.audio[0])

    def packets() -> Any:
        for packet in source.demux(audio=0):
            if packet.size and float(packet.pts * packet.time_base) < until:
                packet.stream = stream
                yield packet
        source.close()

    return packets()


def times(film: Path) -> list[Fraction]:
    """Return when each frame of a film is shown, in s."""
    with av.open(str(film)) as container:
        frames: Any = container.decode(video=0)
        return [frame.pts * frame.time_base for frame in frames]


def pictures(film: Path) -> list[Image]:
    """Return the frames of a film."""
    with av.open(str(film)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def load(picture: Path) -> Image:
    """Return a picture, RGB."""
    read = cv2.imread(str(picture))
    assert read is not None
    return np.asarray(read[:, :, ::-1], np.uint8)


def sounds(film: Path) -> list[tuple[Fraction, bytes]]:
    """Return time and content of each packet of sound."""
    with av.open(str(film)) as container:
        packets: Any = container.demux(audio=0)
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.size]


def wish(
    source: Path, out: Path, *, weights: Path | None = None, settings: dict[str, Any] | None = None, **changes: Any
) -> Wish:
    """Return what a test asks for, unless it says otherwise: one iteration a frame, one thread, chunks of five."""
    weights = weights or out.parent / "tiny.safetensors"
    if not weights.exists():
        tiny_weights(weights)
    asked = {"iterations": 1, "first_iterations": 2, "size": SIZE, "chunk": 5, "threads": 1} | changes
    paint = Paint(**{"weights": str(weights), "device": "cpu", "style": "storm"} | (settings or {}))
    return Wish(source=source, out=out, paint=paint, **asked)


def rendered(asked: Wish) -> tuple[int, str]:
    """Render here; return the exit code and what people were told."""
    told = io.StringIO()
    code = render(asked, console=Console(file=told, width=200))
    return code, told.getvalue()


def hashes(source: Path, out: Path, **changes: Any) -> list[str]:
    """Render, and return the line of each painted frame."""
    lines = out.with_name(f"{out.name}.hashes")
    code, told = rendered(wish(source, out, hashes=lines, **changes))
    assert code == 0, told
    return lines.read_text().splitlines()


def silent() -> Lines:
    """Return a report that nobody sees."""
    return Lines(Console(file=io.StringIO()))


def begun(asked: Wish, tasks: int) -> None:
    """Do the first tasks of a render's first scene, and leave it as if it had been killed."""
    with taken_up(asked) as (workshop, job), threads(job.threads):
        film = look_through(job, reel_of(job.source, rate=job.rate), workshop, silent())
        atelier, reader = Atelier(job, film.survey), Reader(film.reel, film.survey, film.timetable)
        work = SceneWork(film, workshop, film.scenes()[0])
        for _ in range(tasks):
            task = work.next()
            if task is None:
                return
            frames = reader.frames(task.chunk.first, task.chunk.end) if task.wants_frames else iter(())
            work.keep(task, task.run(atelier, frames, lambda _: None))
