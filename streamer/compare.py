"""``deepmovie compare``: the paper's figures and numbers, from any clip and painting."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console

from models.look import Mixture
from streamer import machine
from streamer.compare_findings import Findings
from streamer.compare_methods import Effort
from streamer.compare_pace import Pace, in_words, seconds_per_iteration
from streamer.compare_scene import Scene, read_scene
from streamer.compare_study import Study, cost, study
from streamer.compare_tables import as_json, as_tables
from streamer.config import ConfigError
from streamer.engine import Engine, choose_device, make_engine, make_gallery
from streamer.paint import Paint
from streamer.picture import PictureError
from streamer.quality import Clip
from streamer.recipe import recipe

_AFTERWARDS = "is done to a painted picture afterwards, and changes no figure here"
NOT_HERE = {
    "size": "--size says it",
    "iterations": "--iterations and --live say it",
    "init": "all ways to begin are compared",
    "lag": "is not compared; --passes looks at what comes later, too",
    "fps": "no frame has a deadline here",
    "fade_s": "the painting stays the same here",
    "styles_folder": "--style takes the path of any painting",
    **dict.fromkeys(("color", "light", "mask"), _AFTERWARDS),
}
"""Settings of ``[paint]`` that would have no effect, and why."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the findings go."""

    report: Path | None = None
    """An HTML page."""
    pictures: Path | None = None
    """A folder for the figures, each as a picture."""
    as_json: bool = False
    """JSON on stdout instead of tables."""

    @property
    def whole(self) -> bool:
        """Whether curves and histograms are wanted, which a table does not show."""
        return self.report is not None or self.pictures is not None or self.as_json

    def check(self) -> None:
        """Raise ConfigError if they could not be written after minutes of work."""
        if self.report is not None or self.pictures is not None:
            from streamer.compare_curves import require_matplotlib  # noqa: PLC0415 - an extra, only for figures

            require_matplotlib()
        if self.report is not None:
            _check_writable("report", self.report)
        if self.pictures is not None:
            try:
                self.pictures.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"pictures: {self.pictures} cannot be made: {error.strerror}") from None
            _check_writable("pictures", self.pictures / "frames.jpg")


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked for."""

    clips: Sequence[Clip]
    styles: Sequence[str]
    """Paintings, given as ``paint.style`` is; each clip is painted in each."""
    paint: Paint
    """Everything else of how it is painted."""
    effort: Effort
    outputs: Outputs
    command: str
    """As it was typed: whoever reads the findings can repeat them."""

    def check(self) -> None:
        """Raise ConfigError for what would have no effect, and for outputs that cannot be written."""
        idle = NOT_HERE.keys() & self.paint.model_dump(exclude_defaults=True).keys()
        if idle:
            raise ConfigError(*(f"paint.{key}: {NOT_HERE[key]}" for key in sorted(idle)))
        self.outputs.check()

    @property
    def pairs(self) -> int:
        """How many pairs of clip and painting there are."""
        return len(self.clips) * len(self.styles)

    def paint_in(self, style: str) -> Paint:
        """Return the settings with this painting."""
        return self.paint.model_copy(update={"style": style})


def compare(task: Task) -> int:
    """Paint every clip in every style and every way, write what was found, and return the exit code.

    Raises:
        ConfigError: before the work begins, if a clip, a style, the weights or an output cannot be used.
    """
    task.check()
    device, _ = choose_device(task.paint.device)
    scenes = [read_scene(clip, device=device) for clip in task.clips]
    _check_styles(task)
    began = time.monotonic()
    studies = _studies(task, scenes, device)
    found = _findings(task, studies, device=device, seconds=time.monotonic() - began)
    _write(task.outputs, found, studies)
    if task.outputs.as_json:
        print(as_json(found))  # noqa: T201 - what the command was asked for
    else:
        Console().print(as_tables(found))
    return 0


def _check_styles(task: Task) -> None:
    """Open every painting, as the last one's turn comes after a long time."""
    for style in task.styles:
        gallery = make_gallery(task.paint_in(style), size=task.clips[0].size)
        try:
            gallery.picture(gallery.name_of(style))
        except PictureError as error:
            raise ConfigError(f"style: {error}") from None


def _studies(task: Task, scenes: Sequence[Scene], device: torch.device) -> list[Study]:
    """Return what is found about every pair; says before it begins how long it will take."""
    engines = _engines(task, device)
    first = next(engines)
    whole = task.outputs.whole
    total = task.pairs * cost(task.effort, whole=whole)
    about = in_words(total * seconds_per_iteration(first, scenes[0]))
    pairs = f"{task.pairs} pair{'s' if task.pairs > 1 else ''} of clip and painting"
    Console(stderr=True).print(f"{pairs}, {total} iterations: about {about}", highlight=False)
    with Pace(total) as pace:
        return [
            study(engine, scene, task.effort, whole=whole, tick=pace.tick)
            for engine in itertools.chain([first], engines)
            for scene in scenes
        ]


def _engines(task: Task, device: torch.device) -> Iterator[Engine]:
    """Yield an engine for each painting; they share the network."""
    size = task.clips[0].size
    first = make_engine(task.paint_in(task.styles[0]), device=device, size=size)
    yield first
    for style in task.styles[1:]:
        paint = task.paint_in(style)
        gallery = make_gallery(paint, size=size)
        originals = [
            (first.look_at(gallery.picture(gallery.name_of(name))), share) for name, share in recipe(paint).items()
        ]
        mixture = Mixture.of(originals)
        yield replace(first, paint=paint).restyled(mixture.look, paint, mixture=mixture)


def _findings(task: Task, studies: Sequence[Study], *, device: torch.device, seconds: float) -> Findings:
    return Findings(
        version=version("deepmovie"),
        command=task.command,
        machine={
            "processor": machine.processor(),
            "cores": machine.cores(),
            "device": str(device),
            "torch": torch.__version__,
            "load": round(machine.load(), 1),
        },
        effort=asdict(task.effort),
        settings=task.paint.model_dump(exclude_defaults=True, exclude={"style"}),
        seconds=seconds,
        pairs=[each.found for each in studies],
    )


def _write(outputs: Outputs, found: Findings, studies: Sequence[Study]) -> None:
    if outputs.report is not None:
        from streamer.compare_page import page  # noqa: PLC0415 - needs an extra

        try:
            outputs.report.write_text(page(found, studies), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"report: {outputs.report} cannot be written: {error.strerror}") from None
    if outputs.pictures is not None:
        from streamer.compare_sheet import write_pictures  # noqa: PLC0415 - needs an extra

        write_pictures(outputs.pictures, studies)


def _check_writable(key: str, path: Path) -> None:
    existed = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(f"{key}: {path} cannot be written: {error.strerror}") from None
    if not existed:
        path.unlink()
