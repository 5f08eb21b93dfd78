"""The folder beside the output in which a film grows: what is done is there, whole and sealed, and stays done.

OUTPUT.work/job.json            how it is painted
OUTPUT.work/survey.json         what is known of the film, and timetable.bin
OUTPUT.work/STAGE-FRAME.json    a stage of the chunk that begins with this frame is done: its files' SHA-256
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from streamer.render.atomic import UNFINISHED, put
from streamer.render.chunks import Chunk

PAINTED = "painted"
"""The stage in which a chunk is done."""
_RECORD = ".json"


class Workshop:
    """Keeps what was done.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[tuple[str, Chunk], str | None] = {}

    @classmethod
    def beside(cls, out: Path) -> Self:
        """Return that of an output."""
        return cls(out.with_name(f"{out.name}.work"))

    def file(self, stage: str, chunk: Chunk, ending: str) -> Path:
        """Return where a file of a stage lies."""
        return self.path / f"{stage}-{chunk.name}{ending}"

    def write(self, stage: str, chunk: Chunk, ending: str, content: bytes) -> None:
        """Write a file of a stage; it counts only once the stage is done.

        Raises:
            OSError: it could not be written.
        """
        put(self.file(stage, chunk, ending), content)

    def finish(
        self, stage: str, chunk: Chunk, endings: Iterable[str], *, hashes: Sequence[str], memory: str | None
    ) -> None:
        """Say that a stage of a chunk is done.

        Args:
            stage: which.
            chunk: of which.
            endings: of its files; they are there.
            hashes: of its frames.
            memory: SHA-256 of what is remembered after it, if anything is.
        """
        files = {ending: sha256(self.file(stage, chunk, ending)) for ending in endings}
        record = {"files": files, "memory": memory, "hashes": hashes}
        put(self.file(stage, chunk, _RECORD), json.dumps(record).encode())
        self._known[stage, chunk] = memory

    def is_done(self, stage: str, chunk: Chunk) -> bool:
        """Return whether a stage of a chunk is done, and whole. Files are looked at once."""
        key = stage, chunk
        if key not in self._known:
            record = self.record(stage, chunk)
            if record is None:
                return False
            self._known[key] = record["memory"]
        return True

    def memory_digest(self, stage: str, chunk: Chunk) -> str | None:
        """Return the SHA-256 of what was remembered after a chunk; None: nothing was, or it is not done."""
        return self._known[stage, chunk] if self.is_done(stage, chunk) else None

    def record(self, stage: str, chunk: Chunk) -> dict[str, Any] | None:
        """Return what `finish` was told of a stage of a chunk; None if it is not done, or damaged."""
        try:
            record = json.loads(self.file(stage, chunk, _RECORD).read_bytes())
            is_whole = all(sha256(self.file(stage, chunk, end)) == digest for end, digest in record["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return record if is_whole and {"memory", "hashes"} <= record.keys() else None

    def forget(self, stage: str, chunk: Chunk) -> None:
        """Remove a stage of a chunk that nothing needs any more, if it is there."""
        self._known.pop((stage, chunk), None)
        self.file(stage, chunk, _RECORD).unlink(missing_ok=True)  # first, so that it never speaks of what is gone
        for path in self.path.glob(f"{stage}-{chunk.name}.*"):
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what was being written when a process was killed."""
        for path in self.path.glob(f"*{UNFINISHED}"):
            path.unlink(missing_ok=True)

    def clear(self, *, but: str) -> None:
        """Remove every file but this one."""
        for path in self.path.iterdir():
            if path.name != but:
                path.unlink()

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.path, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return a file's SHA-256.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
