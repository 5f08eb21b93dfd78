"""What the work is: the scenes of a film, cut at fixed places into the pieces that are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighboring frames of one scene."""

    first: int
    """By number in the film."""
    end: int
    """The first one that is no longer in it."""

    def __len__(self) -> int:
        return self.end - self.first

    def __str__(self) -> str:
        return f"frames {self.first} to {self.end - 1}"

    @property
    def name(self) -> str:
        """What its files begin with."""
        return f"{self.first:08d}"


@dataclass(frozen=True, slots=True)
class Scene:
    """The frames between two cuts."""

    number: int
    first: int
    end: int
    step: int
    """Frames in a chunk."""

    def chunks(self) -> list[Chunk]:
        """Return its pieces in order. Where they begin depends on nothing but the cuts and their length."""
        return [Chunk(first, min(first + self.step, self.end)) for first in range(self.first, self.end, self.step)]


def scenes_of(begins: Sequence[int], *, frames: int, step: int) -> list[Scene]:
    """Return the scenes of a film.

    Args:
        begins: the frames that begin a scene, the first frame of all included.
        frames: how many there are.
        step: frames in a chunk.
    """
    return [Scene(number, first, end, step) for number, (first, end) in enumerate(pairwise([*begins, frames]))]
