"""What the chunks of a scene leave for each other in the workshop: what was remembered, and pictures between passes."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.render.atomic import put
from streamer.render.chunks import Chunk, Scene
from streamer.render.passes import Fine
from streamer.render.survey import Pixels
from streamer.render.tasks import CONTENTS, ROWS, Made, pass_stage
from streamer.render.workshop import Workshop

_MEMORY = ".safetensors"


class Shelf:
    """Keeps what one scene needs.

    Args:
        workshop: where.
        scene: which.
        shape: of a painted frame, H x W x 3.
    """

    def __init__(self, workshop: Workshop, scene: Scene, shape: tuple[int, int, int]) -> None:
        self._workshop = workshop
        self._scene = scene
        self._chunks = scene.chunks()
        self._shape = shape

    def keep(self, chunk: Chunk, made: Made) -> None:
        """Keep a stage of a chunk.

        Raises:
            OSError: it cannot be written; it is as if it had never been made.
        """
        for ending, content in made.files.items():
            self._workshop.write(made.stage, chunk, ending, content)
        digest = None
        if made.memory is not None:
            put(self._workshop.file(made.stage, chunk, _MEMORY), made.memory)
            digest = hashlib.sha256(made.memory).hexdigest()
        self._workshop.finish(made.stage, chunk, made.files, hashes=made.hashes, memory=digest)
        if made.memory is not None:
            self._keep_newest_memory(made.stage, chunk)

    def is_done(self, stage: str, chunk: Chunk) -> bool:
        """Return whether a stage of a chunk is done."""
        return self._workshop.is_done(stage, chunk)

    def is_through(self, stage: str) -> bool:
        """Return whether a stage of all chunks is done."""
        return all(self.is_done(stage, chunk) for chunk in self._chunks)

    def forget(self, stage: str) -> None:
        """Remove a stage of all chunks."""
        for chunk in self._chunks:
            self._workshop.forget(stage, chunk)

    def memory(self, stage: str, chunk: Chunk) -> bytes | None:
        """Return what was remembered after a chunk; None if that is gone, as it may be where a disk was damaged."""
        try:
            memory = self._workshop.file(stage, chunk, _MEMORY).read_bytes()
        except FileNotFoundError:
            return None
        is_whole = hashlib.sha256(memory).hexdigest() == self._workshop.memory_digest(stage, chunk)
        return memory if is_whole else None

    def contents(self, frames: Iterable[int]) -> list[Pixels]:
        """Return frames of the scene."""
        return [self._picture(CONTENTS, frame, np.uint8) for frame in frames]

    def painting(self, frame: int, number: int) -> Fine:
        """Return the painting of a frame after pass `number`."""
        return self._picture(pass_stage(number), frame, np.uint16)

    def _keep_newest_memory(self, stage: str, chunk: Chunk) -> None:
        """Remove what was remembered before, and, at the end of the scene, all of it."""
        place = self._chunks.index(chunk)
        is_last = place + 1 == len(self._chunks)
        for each in self._chunks[max(0, place - 1) : place + is_last]:
            self._workshop.file(stage, each, _MEMORY).unlink(missing_ok=True)

    def _picture(self, stage: str, frame: int, dtype: type[np.generic]) -> NDArray[Any]:
        chunk = self._chunks[(frame - self._scene.first) // self._scene.step]
        size = int(np.prod(self._shape))
        offset = (frame - chunk.first) * size * np.dtype(dtype).itemsize
        return np.fromfile(self._workshop.file(stage, chunk, ROWS), dtype, size, offset=offset).reshape(self._shape)


def places_of(chunk: Chunk, around: Sequence[int]) -> range:
    """Return where a chunk's own frames are among neighboring frames."""
    return range(around.index(chunk.first), around.index(chunk.end - 1) + 1)
