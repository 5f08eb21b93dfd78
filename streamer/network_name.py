"""How the settings name a network that looks at frames: its kind, its file, and the numbers it was trained on."""

import re
from dataclasses import dataclass
from pathlib import Path

RANGES = ("0..1", "0..255", "-1..1")
"""``models.onnx_pictures.RANGES``, repeated because that module imports too much for ``--help`` (a test compares)."""

_NAME = re.compile(r"(?P<kind>onnx|raft-small|raft-large)(?::(?P<file>[^#]+)(?:#(?P<options>.*))?)?")


@dataclass(frozen=True, slots=True)
class NetworkName:
    """``raft-small``, ``raft-large:FILE``, ``onnx:FILE`` or ``onnx:FILE#range=0..255``."""

    kind: str
    file: str
    """Empty: the network comes with its weights."""
    range_name: str = RANGES[0]

    @classmethod
    def read(cls, text: str) -> "NetworkName | None":
        """Return what a name means; None if it is no network's.

        Raises:
            ValueError: the end of it, after a #, means nothing.
        """
        found = _NAME.fullmatch(text)
        if not found or not text.isprintable():
            return None
        kind, file = found["kind"], found["file"] or ""
        if kind == "onnx" and not file:
            return None
        if found["options"] is None:
            return cls(kind, file)
        name, _, value = found["options"].partition("=")
        if kind != "onnx" or name != "range" or value not in RANGES:
            raise ValueError(f"expected nothing after the file, or, of onnx, #range= with {', '.join(RANGES)}")
        return cls(kind, file, value)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self.file).expanduser()
