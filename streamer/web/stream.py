"""The stream as the page sees it: every number and word it shows comes from here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from streamer.assemble import Parts
from streamer.config import Config
from streamer.control import Control
from streamer.exchange import Change
from streamer.pipeline import Pipeline
from streamer.pulse import Pulse
from streamer.redaction import text as redacted
from streamer.stats import facts
from streamer.telemetry import State, Telemetry
from streamer.web.replies import EnergyNow, Info, PaintedFrame, Stats, Status, TroubleNow
from streamer.web.viewing import Energy, Moment, Viewing

SERVING = (State.RUNNING, State.DEGRADED, State.PAUSED)
"""The states in which there is a picture to see."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What the API speaks of and acts upon."""

    config: Config
    telemetry: Telemetry
    control: Control
    viewing: Viewing
    pulses: Mapping[str, Pulse]
    """The proof that each loop moves, by name."""
    device: str
    size: int
    reload: Callable[[], Change] | None = None
    """Reads the settings file again; raises ``ConfigError`` if it cannot be used."""
    now: Callable[[], Config] | None = None
    """Returns the settings in effect, if they may be others than at the start."""
    began: float = field(default_factory=time.monotonic)

    def info(self) -> Info:
        """Return what does not change while the daemon runs, unless it reads its settings again."""
        config = self.now() if self.now else self.config
        return Info(
            name=config.name,
            version=version("deepmovie"),
            source=redacted(config.source),
            sinks=[redacted(url) for url in config.sinks],
            device=self.device,
            size=self.size,
            uptime_s=time.monotonic() - self.began,
            max_viewers=self.config.http.max_viewers,
        )

    def status(self, *, viewers: int) -> Status:
        """Return how it goes, in words."""
        snapshot = self.telemetry.snapshot()
        recording = self.control.recording
        troubles = [
            TroubleNow(
                part=redacted(trouble.part),
                reason=redacted(trouble.reason),
                text=redacted(trouble),
                lasts_s=trouble.lasts_s,
                retry_in_s=trouble.retry_in_s,
            )
            for trouble in snapshot.troubles.values()
        ]
        return Status(
            state=snapshot.state,
            text="; ".join(trouble.text for trouble in troubles) or snapshot.state.value,
            troubles=troubles,
            paused=self.control.paused,
            recording=recording.name if recording else None,
            viewers=viewers,
        )

    def stats(self) -> Stats:
        """Return the numbers; waits for the device when there are new energies."""
        frames = [_painted(moment) for moment in self.viewing.moments]
        return Stats.model_validate({**facts(self.telemetry.snapshot()), "frames": frames})

    @property
    def stuck(self) -> list[str]:
        """The loops that do not move though they said that they would."""
        return [name for name, pulse in self.pulses.items() if pulse.is_overdue]

    @property
    def unready(self) -> list[str]:
        """Why there is no fresh picture to see; empty if there is one."""
        snapshot = self.telemetry.snapshot()
        if snapshot.state in SERVING:
            return []
        troubles = snapshot.troubles.values()
        return [snapshot.state.value, *(redacted(f"{each.part}: {each.reason}") for each in troubles)]


def stream_of(
    parts: Parts,
    pipeline: Pipeline,
    config: Config,
    *,
    reload: Callable[[], Change] | None = None,
    now: Callable[[], Config] | None = None,
) -> Stream:
    """Return the stream that a pipeline paints; to be called before it starts."""
    viewing = Viewing()
    pipeline.watch(viewing)
    return Stream(
        config=config,
        telemetry=pipeline.telemetry,
        control=pipeline.control,
        viewing=viewing,
        pulses=pipeline.pulses,
        device=str(parts.device),
        size=parts.size,
        reload=reload,
        now=now,
    )


def _painted(moment: Moment) -> PaintedFrame:
    energy = moment.energy
    return PaintedFrame(
        sequence=moment.sequence,
        iterations=moment.iterations,
        cut=moment.cut,
        temporal_error=moment.temporal_error,
        energy=_shares(energy) if energy else None,
    )


def _shares(energy: Energy) -> EnergyNow:
    whole = energy.total or 1.0
    return EnergyNow(
        total=energy.total,
        content=energy.content / whole,
        style=energy.style / whole,
        variation=energy.variation / whole,
        temporal=energy.temporal / whole,
    )
