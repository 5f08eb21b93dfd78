"""Built-in paintings, painted by code: no picture is shipped.

Each is a sketch (colors and a swirling field of directions) that `brush.paint` turns into oil. As the style of a
Gram-matrix transfer they need what real paintings have: strokes of many sizes, strong local contrast, many hues.
"""

import difflib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import brush, sketches
from models.brush import Floats, Sketch

_SKETCHES: dict[str, Callable[[Floats, Floats, np.random.Generator], Sketch]] = {
    "starry": sketches.starry,
    "harvest": sketches.harvest,
    "storm": sketches.storm,
    "blossom": sketches.blossom,
}
NAMES = tuple(_SKETCHES)
_EDITION = 1  # raised when the pictures change, so that cached ones are painted anew
_PNG_END = b"IEND\xaeB`\x82"  # the last bytes of every whole PNG; OpenCV reads torn ones as half black


def paint(name: str, *, width: int = 384, height: int | None = None, seed: int = 0) -> NDArray[np.uint8]:
    """Return the built-in painting, height x width x 3 RGB; bit-equal for equal arguments.

    The height is three quarters of the width unless given. Strokes grow with the width.

    Raises:
        ValueError: there is no such painting (the message names the nearest), or a side is shorter than 16 pixels.
    """
    if name not in _SKETCHES:
        nearest = difflib.get_close_matches(name.lower(), NAMES, n=1, cutoff=0.0)[0]
        raise ValueError(f"painting must be one of {', '.join(NAMES)}, got {name!r}; the nearest is {nearest!r}")
    height = _height(width) if height is None else height
    if min(width, height) < 16:
        raise ValueError(f"a painting must be at least 16 x 16 pixels, got {width} x {height}")
    rng = np.random.default_rng([seed, *name.encode()])
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / np.float32(height)
    return brush.paint(_SKETCHES[name](x, y, rng), rng)


def load(name: str, width: int = 384, cache: Path | None = None) -> NDArray[np.uint8]:
    """Return `paint(name, width=width)`, from the folder `cache` if it holds the picture, else painted and kept there.

    A cached file that is torn or has the wrong size is painted anew. Writing is atomic: readers see all or nothing.

    Raises:
        ValueError: as `paint`.
        OSError: the cache folder cannot be made or written.
    """
    if cache is None or name not in _SKETCHES:
        return paint(name, width=width)
    path = cache / f"{name}-{width}-{_EDITION}.png"
    kept = _read(path, (_height(width), width, 3))
    if kept is not None:
        return kept
    painting = paint(name, width=width)
    _write(path, painting)
    return painting


def _height(width: int) -> int:
    return round(width * 3 / 4)


def _read(path: Path, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    """Return the picture, or None if there is none, it is torn, or it is another size."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if not content.endswith(_PNG_END):
        return None
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if picture is None or picture.shape != shape else np.asarray(picture, dtype=np.uint8)


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as part:
        try:
            part.write(encoded.tobytes())
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
