"""What the API answers, as it stands in its OpenAPI description."""

from typing import Literal

from pydantic import BaseModel, Field

from streamer.paint import Hot
from streamer.telemetry import State


class Failure(BaseModel):
    """Something was refused or went wrong."""

    error: str = Field(description="For people.")


class Problems(Failure):
    """What was asked for does not fit."""

    problems: dict[str, str] = Field(description="What is wrong, by the name of the setting or field.")


class Info(BaseModel):
    """What does not change while the daemon runs."""

    name: str
    version: str
    source: str = Field(description="Its URL without the password.")
    sinks: list[str]
    device: str
    size: int = Field(description="Long side of the painted picture, in pixels.")
    uptime_s: float
    max_viewers: int


class TroubleNow(BaseModel):
    """One thing that is wrong."""

    part: str = Field(description="source, device, memory, http or a sink.")
    reason: str = Field(description="In one word.")
    text: str = Field(description="In words.")
    lasts_s: float
    retry_in_s: float | None


class Status(BaseModel):
    """How it goes."""

    state: State
    text: str = Field(description="What is wrong, in words; else the state.")
    troubles: list[TroubleNow]
    paused: bool
    recording: str | None = Field(description="The file that is being recorded.")
    viewers: int


class EnergyNow(BaseModel):
    """What the painting still lacks: the weighed energy of one frame, and the shares of its terms."""

    total: float | None
    content: float | None = Field(description="Share of the whole, as are the others.")
    style: float | None
    variation: float | None
    temporal: float | None


class PaintedFrame(BaseModel):
    """How one frame was painted."""

    sequence: int
    iterations: int
    cut: bool = Field(description="The picture was begun afresh.")
    temporal_error: float | None = Field(description="Against the last painting, moved; none after a cut.")
    energy: EnergyNow | None


class SinkNumbers(BaseModel):
    """The frames of one sink: handed = written + dropped + in_flight."""

    handed: int
    written: int
    dropped: dict[str, int]
    in_flight: int


class Stats(BaseModel):
    """The numbers, as in the log: received = published + dropped + waiting + painting."""

    state: State
    received: int
    published: int
    dropped: dict[str, int] = Field(description="By reason.")
    waiting: int
    painting: int
    lost: int = Field(description="Gaps in the source's numbers.")
    fps: float
    iterations: float | None = Field(description="Mean per frame, over ten seconds.")
    age_p50_ms: float | None = Field(description="From a frame's arrival to its publication.")
    age_p95_ms: float | None
    age_p99_ms: float | None
    captured_age_p50_ms: float | None
    captured_age_p95_ms: float | None
    cuts: int
    heartbeats: int
    nonfinite: int
    reconnects: int
    sinks: dict[str, SinkNumbers]
    frames: list[PaintedFrame] = Field(description="The last 32 at most, oldest first.")


class Bulletin(BaseModel):
    """What viewers hear once a second over the WebSocket."""

    type: Literal["stats"] = "stats"
    status: Status
    stats: Stats
    settings: Hot


class StyleNow(BaseModel):
    """A painting that can be chosen."""

    name: str
    kind: str = Field(description="built-in, settings, uploaded or folder.")
    thumbnail: str = Field(description="Where its small picture is.")


class Styles(BaseModel):
    """The paintings that can be chosen."""

    styles: list[StyleNow]


class LogLines(BaseModel):
    """The last lines of the log, oldest first, without secrets."""

    lines: list[dict[str, object]]


class Recording(BaseModel):
    """Whether the painted picture is recorded."""

    on: bool


class Kept(BaseModel):
    """A picture that was taken in."""

    name: str


class Readiness(BaseModel):
    """Whether there is a fresh picture to see."""

    ready: bool
    reasons: list[str]


class Reloaded(BaseModel):
    """What came of reading the settings again."""

    reloaded: bool
    changed: list[str] = Field(description="The settings that are different now.")
    restart_needed: list[str] = Field(description="Those that will be, once the daemon is started again.")
