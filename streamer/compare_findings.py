"""What a comparison found, in numbers: plain data, for tables, figures and machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from streamer.engine import Way
from streamer.steadiness import mean_error


@dataclass(frozen=True, slots=True)
class Row:
    """How one method went."""

    method: str
    label: str
    told: str
    iterations: int
    """Per frame, all passes together."""
    passes: int
    energy: float
    """Without a flow loss; mean over the judged frames."""
    gap: float
    """See `streamer.quality.Mark.gap`; the mean over the first and the last judged frame."""
    temporal_rmse: float | None
    """Mean over the pairs of judged frames; None of a single frame."""
    seconds_per_frame: float
    shares: Mapping[str, float]
    """Of each term in the energy that was descended, from 0 to 1."""

    @property
    def effort(self) -> str:
        """The iterations per frame, in words."""
        return f"{self.iterations}" if self.passes == 1 else f"{self.passes} \u00d7 {self.iterations // self.passes}"


@dataclass(frozen=True, slots=True)
class Point:
    """One way to begin with so many iterations per frame."""

    iterations: int
    gap: float
    temporal_rmse: float | None


@dataclass(frozen=True, slots=True)
class Light:
    """The mean luminance of each frame of a clip with a flash, 0 to 1."""

    frames: Sequence[int]
    """As counted in the clip."""
    lit: Sequence[int]
    """Those that were lit by us, as the clip has no flash of its own; empty if it has one."""
    clip: Sequence[float]
    painted: Sequence[float]
    """Without histogram matching."""
    matched: Sequence[float]
    """With it."""
    correlation_painted: float | None
    """Pearson's, of the clip's with that; None of a constant."""
    correlation_matched: float | None
    swing_painted: float | None
    """How much it varies, as a share of how much the clip's does (standard deviations): 1 is as much."""
    swing_matched: float | None


@dataclass(frozen=True, slots=True)
class Motion:
    """How well the flow explains the step from one frame to the next (the paper's measure, as a root of a mean)."""

    frame: int
    """The later one, as counted in the clip."""
    rmse_still: float
    """Of the last frame as it is, all pixels."""
    rmse_moved: float
    """Of the last frame moved along the flow, all pixels."""
    hidden_share: float
    """Of the pixels, that were not seen in the last frame."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One clip in one painting."""

    clip: str
    style: str
    size: tuple[int, int]
    judged: Sequence[int]
    """The frames on which the methods are judged, as counted in the clip."""
    floor: float | None
    """The clip's own temporal error: noise, light, and the errors of the flow, which no painter could remove."""
    energy_start: float
    """Of the frames themselves."""
    energy_reference: float
    """Of paintings that count as done."""
    rows: Sequence[Row]
    motion: Sequence[Motion]
    curves: Mapping[Way, Sequence[Point]]
    light: Light | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was found, and how."""

    version: str
    command: str
    machine: Mapping[str, object]
    effort: Mapping[str, object]
    settings: Mapping[str, object]
    """Those of ``[paint]`` that differ from their defaults."""
    seconds: float
    pairs: Sequence[Pair]

    @property
    def mean(self) -> Sequence[Row]:
        """Each method's mean over all pairs."""
        return [mean_of([pair.rows[place] for pair in self.pairs]) for place in range(len(self.pairs[0].rows))]


def mean_of(rows: Sequence[Row]) -> Row:
    """Return the mean of one method's rows."""
    first = rows[0]
    return Row(
        method=first.method,
        label=first.label,
        told=first.told,
        iterations=first.iterations,
        passes=first.passes,
        energy=mean(row.energy for row in rows),
        gap=mean(row.gap for row in rows),
        temporal_rmse=mean_error([row.temporal_rmse for row in rows]),
        seconds_per_frame=mean(row.seconds_per_frame for row in rows),
        shares={name: mean(row.shares[name] for row in rows) for name in first.shares},
    )
