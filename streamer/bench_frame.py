"""What one frame costs, stage by stage, from the source to the sink; and what the whole daemon does with it."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

from torch import Tensor

from models.cuts import CutDetector
from models.descent import Budget, Differentiable
from models.objective import Terms
from models.stylizer import Objective, Stylizer
from protocols import scene
from protocols.decoding import Input, Picture, pictures
from protocols.frame import Frame
from protocols.url import sink_from
from protocols.wire import Limits, encode
from protocols.zeromq import ZmqSink, ZmqSource
from streamer.bench_energy import Size
from streamer.children import Child
from streamer.engine import Engine
from streamer.machine import memory_mib
from streamer.paint import Paint
from streamer.pixels import to_pixels, to_tensor
from streamer.recorder import Recorder
from streamer.stopwatch import Settle, Split, Work, typical

FIRST = 2
"""Of the scene's frames; from here to the next flash it is one shot."""
START_PATIENCE_S = 120.0
_LOOK_S = 0.2


def stages(engine: Engine, size: Size, *, frames: int, settle: Settle, tick: Callable[[], None]) -> dict[str, float]:
    """Return the milliseconds of each stage of a frame that is given one iteration, each a median over ``frames``.

    ``warp`` is what is left of the stylizer: warp, masks, Adam's step, the temporal error. Whoever waits for the stage
    ``publish`` waits for ``encode_raw`` too; ``encode_jpeg`` takes its place where JPEGs are asked for.
    """
    split = Split(settle=settle)
    stylizer = _timed_stylizer(engine, split)
    device = engine.objective.objective.network.device
    with tempfile.TemporaryDirectory(prefix="deepmovie-") as folder, closing(ZmqSink("tcp://127.0.0.1:0")) as sink:
        film = _film(Path(folder) / "scene.mp4", size, frames)
        sink.open()
        with Recorder(ZmqSource(sink.endpoint, stall_timeout_s=START_PATIENCE_S)) as receiver:
            _await_receiver(sink, receiver, _frame(0, size))
            decoded = _decoded(film)
            for number in range(frames + 2):
                with split.stage("frame"):
                    with split.stage("decode"):
                        picture = next(decoded)
                    with split.stage("to_tensor"):
                        content = to_tensor(picture.image, size=max(size), device=device)
                    stylized = stylizer.step(content, Budget(1))
                    with split.stage("to_pixels"):
                        painted = Frame(to_pixels(stylized.image), number, 0.0, 0.0, picture.received_at)
                    with split.stage("encode_jpeg"):
                        encode(painted, name="bench", format="jpeg")
                    with split.stage("encode_raw"):
                        encode(painted, name="bench")
                    with split.stage("write"):
                        sink.write(painted)
                split.lap(whole="frame", rest="warp")
                if number == 1:
                    split.forget()  # a first frame has no flow, and a first flow warms up
                tick()
    found = {name: typical(times) for name, times in split.times.items()}
    found["publish"] = max(0.0, found.pop("write") - found["encode_raw"])
    return {name: found[name] for name in STAGES}


STAGES = (
    *("decode", "to_tensor", "fill", "cut", "flow", "warp", "content_target", "iteration"),
    *("to_pixels", "encode_raw", "encode_jpeg", "publish"),
)
"""In the order in which a frame meets them."""


def overhead_ms(stages_ms: dict[str, float]) -> float:
    """Return what a frame costs besides its iterations."""
    return sum(value for name, value in stages_ms.items() if name not in {"iteration", "encode_jpeg"})


def painting(engine: Engine, size: Size, iterations: int) -> Work:
    """Return the painting thread's part of one frame, the next one of the scene each time, as a work."""
    stylizer = engine.stylizer()
    device = engine.objective.objective.network.device
    numbers = count(FIRST)

    def paint() -> None:
        frame = _frame(next(numbers), size)
        content = to_tensor(frame.image, size=max(size), device=device)
        to_pixels(stylizer.step(content, Budget(iterations)).image)

    return paint


def live(paint: Paint, size: Size, *, seconds: float) -> dict[str, object]:
    """Return what the daemon says of itself after painting the built-in scene for so long, with its memory in MiB.

    Raises:
        ChildError: it failed.
    """
    width, height = size
    daemon = Child(
        "the daemon",
        *("run", f"test:#size={width}x{height}", "null:", "--name", "bench", "--log-format", "json"),
        *("--listen", "off", "--set", "restart.resume=false"),
        *("--size", str(max(size)), "--fps", str(paint.fps), "--iterations", str(paint.iterations)),
        *("--style", paint.style, "--weights", paint.weights, "--device", paint.device),
        *("--flow", paint.flow, "--set", f"paint.fill={paint.fill}"),
    )
    with daemon:
        _watch(daemon, until=lambda stats: bool(stats.get("published")), timeout_s=START_PATIENCE_S)
        found = _watch(daemon, until=lambda _: False, timeout_s=seconds)
        memory = memory_mib(daemon.pid)
    keys = ("fps", "iterations", "age_p50_ms", "age_p95_ms", "published", "dropped")
    return {
        **{key: found.get(key) for key in keys},
        "asked_fps": paint.fps,
        "asked_iterations": paint.iterations,
        "memory_mib": memory.get("now"),
        "memory_most_mib": memory.get("most"),
    }


def _watch(daemon: Child, *, until: Callable[[dict[str, Any]], bool], timeout_s: float) -> dict[str, Any]:
    """Return the daemon's latest numbers, when they are as wanted or the time is over; notice its death at once."""
    never, deadline = Event(), time.monotonic() + timeout_s
    while (left := deadline - time.monotonic()) > 0 and not until(daemon.event("stats") or {}):
        never.wait(min(left, _LOOK_S))
        daemon.check()
    return daemon.event("stats") or {}


def _timed_stylizer(engine: Engine, split: Split) -> Stylizer:
    """Return a stylizer whose parts are timed."""

    def timed_flow(origin: Tensor, target: Tensor) -> Tensor:
        with split.stage("flow"):
            return engine.flow(origin, target)

    def timed_fill(content: Tensor) -> Tensor:
        with split.stage("fill"):
            return engine.fill(content)

    return Stylizer(_TimedObjective(engine.objective, split), flow=timed_flow, cuts=_TimedCuts(split), fill=timed_fill)


class _TimedObjective:
    def __init__(self, objective: Objective, split: Split) -> None:
        self._objective = objective
        self._split = split

    def at(self, content: Tensor, *, warped: Tensor | None = None, visible: Tensor | None = None) -> Differentiable:
        with self._split.stage("content_target"):
            energy = self._objective.at(content, warped=warped, visible=visible)
        return _TimedEnergy(energy, self._split)

    def seen(self, frame: Tensor) -> Tensor:
        return self._objective.seen(frame)


class _TimedEnergy:
    def __init__(self, energy: Differentiable, split: Split) -> None:
        self._energy = energy
        self._split = split

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        with self._split.stage("iteration"):
            return self._energy.value_and_grad(image)


class _TimedCuts:
    def __init__(self, split: Split) -> None:
        self._cuts = CutDetector()
        self._split = split

    def __call__(self, image: Tensor) -> bool:
        with self._split.stage("cut"):
            return self._cuts(image)

    def reset(self) -> None:
        self._cuts.reset()


def _frame(number: int, size: Size) -> Frame:
    width, height = size
    return Frame(scene.render(number, width=width, height=height), number, number / 25, 0.0, time.monotonic())


def _film(path: Path, size: Size, frames: int) -> Path:
    with closing(sink_from(str(path), name="bench", fps=25, limits=Limits())) as film:
        film.open()
        for number in range(FIRST, FIRST + frames + 2):
            film.write(_frame(number, size))
    return path


def _decoded(film: Path) -> Iterator[Picture]:
    """Yield the frames of a film, each decoded when it is asked for: here no thread reads ahead, as a source's does."""
    with Input(str(film), "file", live=True).open() as container:
        yield from (item for item in pictures(container, Limits()) if isinstance(item, Picture))


def _await_receiver(sink: ZmqSink, receiver: Recorder, frame: Frame) -> None:
    """Publish until a frame arrives: a subscriber misses what is published before it has connected."""
    until = time.monotonic() + START_PATIENCE_S
    while receiver.take(timeout_s=0.05) is None:
        if time.monotonic() > until:
            raise TimeoutError(f"no frame arrived over {sink.endpoint} within {START_PATIENCE_S:g} s")
        sink.write(frame)
