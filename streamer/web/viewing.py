"""What people may look at: the newest frame from all sides, and how the last ones were painted.

The painter only leaves its work here. A JPEG is made when somebody asks for it, in the thread that asks.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.stylizer import Stylized
from protocols.frame import Frame, Painting
from protocols.jpeg import encode_jpeg
from streamer.contact_sheet import flow_color, longest_motion

JPEG_QUALITY = 85
MOMENTS = 32
SCALE_MEMORY = 0.95
"""Of the longest motion, from frame to frame: the colors of the flow change their meaning slowly."""

Pixels = NDArray[np.uint8]


class Side(StrEnum):
    """Where one looks from."""

    IN = "in"
    """The source, at the size of the painted picture."""
    OUT = "out"
    """What was painted."""
    PAIR = "pair"
    """Both, the source on the left."""
    FLOW = "flow"
    """The motion since the frame before, as colors; white where nothing moves, and after a cut."""


class Shot:
    """One frame from all sides. Each side is encoded at most once."""

    def __init__(self, number: int, source: Frame, painted: Frame, stylized: Stylized, scale: "Scale") -> None:
        self.number = number
        self.painted = painted
        self._source = source
        self._flow = stylized.flow
        self._scale = scale
        self._jpegs: dict[Side, bytes] = {}
        self._lock = Lock()

    def jpeg(self, side: Side) -> bytes:
        """Return the frame from one side; takes some milliseconds the first time."""
        with self._lock:
            if side not in self._jpegs:
                self._jpegs[side] = encode_jpeg(self._pixels(side), quality=JPEG_QUALITY)
            return self._jpegs[side]

    def _pixels(self, side: Side) -> Pixels:
        painted = self.painted.image
        height, width = painted.shape[:2]
        if side is Side.OUT:
            return painted
        if side is Side.FLOW:
            return self._colored_flow(height, width)
        source = self._source.image
        if source.shape != painted.shape:
            source = np.asarray(cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        return source if side is Side.IN else np.hstack([source, painted])

    def _colored_flow(self, height: int, width: int) -> Pixels:
        if self._flow is None:
            return np.full((height, width, 3), 255, np.uint8)
        motion = -self._flow[0].permute(1, 2, 0).float().cpu().numpy()  # the flow leads back to the frame before
        return flow_color(motion, longest=self._scale.follow(longest_motion([motion])))


class Scale:
    """The motion that has full color: it grows at once and shrinks slowly, so that the picture does not flicker."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._lock = Lock()

    def follow(self, longest: float) -> float:
        """Return the scale for a picture whose longest motion this is."""
        with self._lock:
            self._longest = max(longest, SCALE_MEMORY * self._longest)
            return self._longest


@dataclass(frozen=True, slots=True)
class Energy:
    """What the painting still lacks, eq. 3: the weighed terms of one frame."""

    total: float
    content: float
    style: float
    variation: float
    temporal: float

    @classmethod
    def of(cls, terms: "Terms") -> "Energy":
        """Return the terms as numbers; waits for the device."""
        content, style, variation, temporal = (float(term) for term in terms)
        return cls(content + style + variation + temporal, content, style, variation, temporal)


Terms = tuple[Tensor, Tensor, Tensor, Tensor]
"""Content, style, variation and temporal, each a scalar on the device."""


@dataclass(slots=True)
class Moment:
    """How one frame was painted."""

    sequence: int
    iterations: int
    cut: bool
    temporal_error: float | None
    terms: Terms | None = field(repr=False)
    _energy: Energy | None = None

    @classmethod
    def of(cls, painted: Frame, stylized: Stylized) -> "Moment":
        """Return what is told of a frame; its pictures are not kept."""
        painting, found = painted.painting or Painting(0), stylized.terms
        terms = (found.content, found.style, found.variation, found.temporal) if found else None
        return cls(painted.sequence, painting.iterations, painting.cut, painting.temporal_error, terms)

    @property
    def energy(self) -> Energy | None:
        """What the painting still lacks; waits for the device the first time. None if that was never finite."""
        terms = self.terms  # another thread may do the same meanwhile
        if terms is not None:
            self._energy, self.terms = Energy.of(terms), None
        return self._energy


class Viewing:
    """Keeps the newest frame; the painter shows each one that it painted. All may be called from any thread."""

    def __init__(self) -> None:
        self._shot: Shot | None = None
        self._count = 0
        self._scale = Scale()
        self._moments: deque[Moment] = deque(maxlen=MOMENTS)
        self._listeners: list[Callable[[], object]] = []
        self._lock = Lock()

    def show(self, source: Frame, painted: Frame, stylized: Stylized) -> None:
        """A frame was painted, or the last one goes out again. Nothing is computed here, as the painter waits."""
        with self._lock:
            if painted.stale and self._shot is not None and self._shot.painted.image is painted.image:
                return
            self._count += 1
            self._shot = Shot(self._count, source, painted, stylized, self._scale)
            if not painted.stale:
                self._moments.append(Moment.of(painted, stylized))
            for listener in self._listeners:
                listener()

    @property
    def newest(self) -> Shot | None:
        """The newest frame; None before the first."""
        with self._lock:
            return self._shot

    @property
    def moments(self) -> list[Moment]:
        """How the last frames were painted, oldest first."""
        with self._lock:
            return list(self._moments)

    def listen(self, listener: Callable[[], object]) -> None:
        """Call ``listener`` for each new frame, in the painter's thread; it must return at once and not raise."""
        with self._lock:
            self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], object]) -> None:
        """Call it no more: once this returns it is not being called either."""
        with self._lock:
            self._listeners.remove(listener)
