"""The pieces of work: each is a function of what it is given, so that any process of any machine may do it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from protocols.film import Facts
from streamer.render.atelier import Atelier, Brush
from streamer.render.chunks import Chunk
from streamer.render.passes import Fine, developed, repainted, to_fine
from streamer.render.prints import Print
from streamer.render.survey import Pixels
from streamer.render.workshop import PAINTED

CONTENTS = "contents"
"""The stage in which a chunk's frames are kept for later passes."""
ROWS = ".rows"
"""The ending of pictures that are kept as they are, one after the other."""

Tick = Callable[[Pixels], None]
"""Told after each frame, with what people would see of it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A stage of a chunk, ready to be kept."""

    stage: str
    files: dict[str, bytes]
    """By the ending of their names."""
    hashes: list[str] = field(default_factory=list)
    """Of the frames as people get them: see `prints`."""
    memory: bytes | None = None
    """What the next chunk goes on from."""


class Task(Protocol):
    """A piece of work."""

    @property
    def chunk(self) -> Chunk:
        """What it is about."""
        ...

    @property
    def wants_frames(self) -> bool:
        """Whether it is to be given the chunk's frames."""
        ...

    def run(self, atelier: Atelier, frames: Iterable[Pixels], tick: Tick) -> list[Made]:
        """Do it."""
        ...


def pass_stage(number: int) -> str:
    """Return the stage in which a chunk's paintings after pass `number`, from 1, are kept."""
    return f"pass{number}"


@dataclass(frozen=True, slots=True)
class PaintOnce:
    """Paint frames one after the other, for people."""

    chunk: Chunk
    facts: Facts
    ticks: Sequence[int]
    """When each frame is shown."""
    memory: bytes | None
    """After the chunk before; None: the scene begins."""
    wants_frames: bool = True

    def run(self, atelier: Atelier, frames: Iterable[Pixels], tick: Tick) -> list[Made]:
        """Paint and encode."""
        brush, prints = Brush(atelier, self.memory), Print(atelier.job, self.facts, self.ticks)
        for content in frames:
            _, pixels = brush.paint(content)
            prints.add(pixels)
            tick(pixels)
        printed = prints.finish()
        return [Made(PAINTED, printed.files, printed.hashes, brush.memory())]


@dataclass(frozen=True, slots=True)
class PaintFirst:
    """Paint frames one after the other, for passes to come."""

    chunk: Chunk
    memory: bytes | None
    """As in `PaintOnce`."""
    wants_frames: bool = True

    def run(self, atelier: Atelier, frames: Iterable[Pixels], tick: Tick) -> list[Made]:
        """Paint, and give the frames back with their paintings."""
        brush = Brush(atelier, self.memory)
        contents, paintings = [], []
        for content in frames:
            image, pixels = brush.paint(content)
            contents.append(content)
            paintings.append(to_fine(image))
            tick(pixels)
        return [
            Made(CONTENTS, {ROWS: joined(contents)}),
            Made(pass_stage(1), {ROWS: joined(paintings)}, memory=brush.memory()),
        ]


@dataclass(frozen=True, slots=True)
class PaintAgain:
    """Paint frames once more, held to what their neighbors show."""

    chunk: Chunk
    number: int
    """Of the pass, from 2."""
    contents: Sequence[Pixels]
    """The frames, and the one on either side where the scene has one."""
    paintings: Sequence[Fine]
    """Their newest paintings."""
    inner: range
    """The places of the chunk's own frames in both."""
    wants_frames: bool = False

    def run(self, atelier: Atelier, frames: Iterable[Pixels], tick: Tick) -> list[Made]:  # noqa: ARG002 - as all tasks
        """Paint."""

        def painted(place: int, painting: Fine) -> None:
            tick(developed(atelier, self.contents[place], painting))

        again = repainted(atelier, self.contents, self.paintings, number=self.number, inner=self.inner, painted=painted)
        return [Made(pass_stage(self.number), {ROWS: joined(again)})]


@dataclass(frozen=True, slots=True)
class Develop:
    """Make of the last pass what people get."""

    chunk: Chunk
    facts: Facts
    ticks: Sequence[int]
    contents: Sequence[Pixels]
    paintings: Sequence[Fine]
    wants_frames: bool = False

    def run(self, atelier: Atelier, frames: Iterable[Pixels], tick: Tick) -> list[Made]:  # noqa: ARG002 - as all tasks
        """Encode."""
        prints = Print(atelier.job, self.facts, self.ticks)
        for content, painting in zip(self.contents, self.paintings, strict=True):
            prints.add(developed(atelier, content, painting))
        printed = prints.finish()
        return [Made(PAINTED, printed.files, printed.hashes)]


def joined(pictures: Sequence[Pixels] | Sequence[Fine]) -> bytes:
    """Return pictures as they are, one after the other."""
    return b"".join(picture.tobytes() for picture in pictures)
