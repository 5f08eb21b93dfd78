"""``deepmovie demo``: one process sends the built-in scene, the daemon paints it, this one receives and judges it."""

import os
import signal
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

import cv2
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from models.descent import Budget
from models.flow import DIS
from protocols import scene
from protocols.errors import TransportError
from protocols.frame import Frame
from protocols.recording import VideoSink
from protocols.zeromq import ZmqSource
from streamer import log
from streamer.children import Child, ChildError
from streamer.config import ConfigError
from streamer.contact_sheet import Pixels
from streamer.demo_report import Outcome, picture, side_by_side, table
from streamer.engine import Engine, choose_device, make_engine
from streamer.paint import Paint
from streamer.pixels import to_pixels, to_tensor
from streamer.recorder import Recorder, Recording, begins_afresh
from streamer.steadiness import Shown, compare, last_of_longest_scene, steps

START_PATIENCE_S = 120.0
FRAME_PATIENCE_S = 30.0
SLOWEST_FPS, FASTEST_FPS = 2.5, 12.5
USABLE_SHARE = 0.85
"""Of the time, for painting: the other processes need the rest."""
PLAY_FPS = 10.0
"""Of the film: the paper's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large and how long. As it stands it is for two slow cores, and takes them less than a minute."""

    size: tuple[int, int] = (192, 108)
    fps: float | None = None
    """Painted, at most; the camera sends twice as many, so that things move far enough to tell them apart. None: as
    many as leave time for two iterations each."""
    frames: int = scene.LENGTH
    """Of the scene, to send."""
    paint: Paint = field(default_factory=Paint)
    alone_iterations: int = 15
    """Per frame that is painted by itself, to compare."""
    alone_frames: int = 5
    time_limit_s: float = 42.0
    """From the beginning; then no further frame is painted by itself."""


ON_CUDA = Plan(size=(640, 360), alone_iterations=60)


class DemoError(Exception):
    """It did not work; the message says why."""


def demo(out: Path, *, browser: bool, plan: Plan | None = None) -> int:
    """Leave ``demo.mp4`` and ``demo.png`` in ``out``, print figures, and return the exit code: 0, or 1 if it failed.

    Args:
        out: a folder; made if it is missing.
        browser: open the picture at the end, where there is a display.
        plan: size and speed; chosen for the device unless given.
    """
    console = Console()
    log.configure(level="error")
    try:
        with _terminable():
            _run(out, plan, console)
    except (DemoError, ChildError, TransportError, ConfigError) as error:
        console.print(f"deepmovie demo: {error}", style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("deepmovie demo: stopped before its end", style="red")
        return 1
    finally:
        log.close()
    if browser and _has_display():
        webbrowser.open((out / "demo.png").absolute().as_uri())
    return 0


def _run(out: Path, plan: Plan | None, console: Console) -> None:
    began = time.monotonic()
    _check_folder(out)
    device, _ = choose_device(plan.paint.device if plan else "auto")
    plan = plan or (Plan() if device.type == "cpu" else ON_CUDA)
    with _progress(console) as progress:
        with _stage(progress, "measuring how fast this machine paints"):
            engine = make_engine(plan.paint, device=device, size=max(plan.size))
            fps = plan.fps or _affordable_fps(engine, plan, device)
        frames = _record(plan, fps, progress)
        with _stage(progress, "comparing with frame-by-frame painting"):
            outcome = _judge(frames, engine, plan, device, deadline=began + plan.time_limit_s)
        with _stage(progress, "writing the film and the picture"):
            _save(out, outcome, plan)
    console.print(table(outcome))
    console.print(f"{out / 'demo.png'} and {out / 'demo.mp4'}, in {time.monotonic() - began:.0f} s", highlight=False)


def _affordable_fps(engine: Engine, plan: Plan, device: torch.device) -> float:
    """Return how many frames a second can have two iterations each, within limits."""
    stylizer = engine.stylizer()
    took_s = 0.0
    for index in range(0, 8, 2):  # the first ones take longer; what counts is the last
        pixels = scene.render(index, width=plan.size[0], height=plan.size[1])
        began = time.monotonic()
        to_pixels(stylizer.step(to_tensor(pixels, size=max(plan.size), device=device), Budget(2)).image)
        took_s = time.monotonic() - began
    return min(max(USABLE_SHARE / took_s, SLOWEST_FPS), FASTEST_FPS)


def _record(plan: Plan, fps: float, progress: Progress) -> Sequence[Frame]:
    """Run the other processes and return what arrived here. They have ended on return, and also after an error."""
    camera, painted = (f"tcp://127.0.0.1:{port}" for port in _free_ports(2))
    with ExitStack() as running:
        with _stage(progress, "starting the daemon"):
            daemon = running.enter_context(_daemon(plan, fps, camera, painted))
            daemon.await_event("started", timeout_s=START_PATIENCE_S)
        recorder = running.enter_context(Recorder(ZmqSource(painted, stall_timeout_s=2 * FRAME_PATIENCE_S)))
        sender = running.enter_context(_sender(plan, 2 * fps, camera))
        with _stage(progress, "painting", total=plan.frames) as task:
            frames = _receive(recorder, sender, daemon, plan, show=lambda recording: _show(recording, progress, task))
        daemon.end()
        daemon.check()
    return frames


def _daemon(plan: Plan, fps: float, camera: str, painted: str) -> Child:
    """Start the daemon. It listens for the camera, so that not even the first frame is lost."""
    paint = plan.paint
    return Child(
        "the daemon",
        *("run", f"pull+bind:{camera}", painted, "--name", "demo", "--log-format", "json"),
        *("--listen", "off", "--set", "restart.resume=false"),
        *("--size", str(max(plan.size)), "--fps", f"{fps:.3f}", "--iterations", str(paint.iterations)),
        *("--style", paint.style, "--style-strength", str(paint.style_strength)),
        *("--weights", paint.weights, "--device", paint.device),
        *("--set", f"input.stall_timeout_s={START_PATIENCE_S}"),
    )


def _sender(plan: Plan, fps: float, camera: str) -> Child:
    width, height = plan.size
    scene_url = f"test:#size={width}x{height}#fps={fps:.3f}#frames={plan.frames}"
    return Child("the sender", "send", scene_url, f"push+connect:{camera}")


def _receive(
    recorder: Recorder, sender: Child, daemon: Child, plan: Plan, *, show: Callable[[Recording], None]
) -> Sequence[Frame]:
    """Return the painted frames up to the scene's last one.

    Raises:
        ChildError: a process failed.
        DemoError: nothing came for a long time, or a picture of another size.
    """
    frames: list[Frame] = []
    heard_at = time.monotonic()
    while True:
        daemon.check()
        frame = recorder.take(timeout_s=0.2)
        sent_all = sender.is_over
        if frame is None and time.monotonic() - heard_at > FRAME_PATIENCE_S:
            raise DemoError(f"no painted frame came for {FRAME_PATIENCE_S:g} s")
        if frame is None:
            continue
        heard_at = time.monotonic()
        if frame.image.shape[1::-1] != plan.size:
            raise DemoError(f"painted frames must be {plan.size}, got {frame.image.shape[1::-1]}")
        if not frame.stale:
            frames.append(frame)
            show(Recording(frames))
        # The last picture is repeated when no more come: then the very last one was lost on the way.
        if frame.sequence >= plan.frames - 1 or (frame.stale and sent_all):
            return frames


def _show(recording: Recording, progress: Progress, task: TaskID) -> None:
    note = f"{len(recording.frames)} frames, {recording.fps:.1f} a second, {recording.iterations:.1f} iterations each"
    progress.update(task, completed=recording.frames[-1].sequence + 1, note=note)


def _judge(frames: Sequence[Frame], engine: Engine, plan: Plan, device: torch.device, *, deadline: float) -> Outcome:
    """Return what came of it. The daemon counts from its first frame, which is the first of the scene."""
    if len(frames) < 2:
        raise DemoError(f"only {len(frames)} painted frames came")
    width, height = plan.size
    sources = [scene.render(frame.sequence, width=width, height=height) for frame in frames]
    film = [_shown(source, frame, plan, device) for source, frame in zip(sources, frames, strict=True)]
    flow, some = DIS(), last_of_longest_scene(film, plan.alone_frames)
    with _one_thread():
        found = steps(film, flow)
    comparison = compare(some, engine.objective, flow, iterations=plan.alone_iterations, deadline=deadline)
    return Outcome(Recording(frames), sources, found, comparison, flashes=scene.FLASHES)


def _shown(source: Pixels, frame: Frame, plan: Plan, device: torch.device) -> Shown:
    content, painted = (to_tensor(pixels, size=max(plan.size), device=device) for pixels in (source, frame.image))
    return Shown(content, painted, continues=not begins_afresh(frame))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let pictures be moved by one thread: they are small, and several would mostly wait for each other."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def _save(out: Path, outcome: Outcome, plan: Plan) -> None:
    """Write film and picture; each is there whole, or as it was."""
    frames = outcome.recording.frames
    width, height = plan.size
    caption = f"the built-in scene painted live, style {plan.paint.style}, {width} by {height} pixels"
    with tempfile.TemporaryDirectory(dir=out, prefix=".demo-") as folder:
        with closing(VideoSink(Path(folder) / "demo.mp4", fps=PLAY_FPS)) as film:
            film.open()
            for index, (frame, source) in enumerate(zip(frames, outcome.sources, strict=True)):
                film.write(replace(frame, image=side_by_side(source, frame.image), pts=index / PLAY_FPS))
        picture(outcome, caption=caption).save(Path(folder) / "demo.png")
        for name in ("demo.mp4", "demo.png"):
            (Path(folder) / name).replace(out / name)


def _check_folder(out: Path) -> None:
    """Make the folder and see that it can be written, before minutes are spent.

    Raises:
        DemoError: it cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out, prefix=".demo-"):
            pass
    except OSError as error:
        raise DemoError(f"{out.absolute()} must be a folder to write to: {error.strerror}") from None


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), BarColumn(bar_width=24))
    return Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[note]}", style="dim"), console=console)


@contextmanager
def _stage(progress: Progress, description: str, total: float | None = None) -> Iterator[TaskID]:
    """Show a line that is full when the stage is done."""
    task = progress.add_task(description, total=total, note="")
    yield task
    progress.update(task, total=total or 1, completed=total or 1)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end us as Ctrl-C does, so that the other processes are ended too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _has_display() -> bool:
    return sys.platform in {"darwin", "win32"} or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))
