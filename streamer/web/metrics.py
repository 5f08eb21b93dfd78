"""All numbers as Prometheus reads them: names begin with deepmovie_, units are base units, counters end with _total."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer import log
from streamer.ledger import Account
from streamer.redaction import text as redacted
from streamer.telemetry import Snapshot, Spread, State
from streamer.web.door import Door
from streamer.web.stream import Stream

CONTENT_TYPE = CONTENT_TYPE_LATEST


def registry(stream: Stream, door: Door, viewers: Callable[[], int]) -> CollectorRegistry:
    """Return a registry of our own: what libraries register for themselves is nobody's business."""
    made = CollectorRegistry()
    made.register(_Numbers(stream, door, viewers))
    ProcessCollector(namespace="deepmovie", registry=made)
    return made


class _Numbers(Collector):
    """Reads everything at the moment it is asked for."""

    def __init__(self, stream: Stream, door: Door, viewers: Callable[[], int]) -> None:
        self._stream = stream
        self._door = door
        self._viewers = viewers

    def describe(self) -> Iterable[Metric]:
        """Say nothing, so that registering does not ask for numbers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        snapshot = self._stream.telemetry.snapshot()
        info = self._stream.info()
        yield InfoMetricFamily(
            "deepmovie", "What runs.", {"version": info.version, "name": info.name, "device": info.device}
        )
        yield from _state(snapshot)
        yield from _frames(snapshot)
        yield from _sinks(snapshot.sinks)
        peers: dict[str, float] = {event: notice.count for event, notice in snapshot.notices.items()}
        yield _counts("zeromq_events", "What ZeroMQ peers did that they should not.", "event", peers)
        yield from self._painting(snapshot)
        yield from self._http()
        yield _counts("reloads", "Times that the settings were read again.", "result", snapshot.reloads)
        yield _counts("checkpoints", "Pictures kept, or taken up at the start.", "result", snapshot.checkpoints)
        yield _count("log_dropped", "Log lines that nobody took.", log.dropped_total())

    def _painting(self, snapshot: Snapshot) -> Iterator[Metric]:
        yield _gauge("iterations_per_frame", "Mean over ten seconds.", snapshot.iterations)
        yield _count("engine_resets", "Paintings that were begun afresh, as after a cut.", snapshot.cuts)
        yield _count("engine_nonfinite", "Iterations whose energy was not finite.", snapshot.nonfinite)
        moments = self._stream.viewing.moments
        if not moments:
            return
        yield _gauge(
            "temporal_error", "RMSE of the last frame against the one before, moved.", moments[-1].temporal_error
        )
        if energy := moments[-1].energy:
            terms = {term: getattr(energy, term) for term in ("content", "style", "variation", "temporal")}
            yield _gauges("energy", "What the last frame still lacks, by term.", "term", terms)

    def _http(self) -> Iterator[Metric]:
        yield _gauge("http_viewers", "Who watches the picture move.", self._viewers())
        yield _count("http_clients_cut", "Viewers who did not read.", self._door.cut)
        yield _counts("http_rejected", "Requests turned away.", "reason", self._door.rejected)


def _state(snapshot: Snapshot) -> Iterator[Metric]:
    states = {state.value: float(state is snapshot.state) for state in State}
    yield _gauges("state", "1 for the state the daemon is in.", "state", states)
    troubles = GaugeMetricFamily("deepmovie_trouble_seconds", "How long something is wrong.", labels=["part", "reason"])
    for trouble in snapshot.troubles.values():
        troubles.add_metric([redacted(trouble.part), redacted(trouble.reason)], trouble.lasts_s)
    yield troubles


def _frames(snapshot: Snapshot) -> Iterator[Metric]:
    frames = snapshot.frames
    yield _count("frames_received", "Frames that came.", frames.came)
    yield _count("frames_published", "Frames handed to every sink.", frames.done)
    yield _counts("frames_dropped", "Frames thrown away.", "reason", frames.dropped)
    yield _gauge("frames_in_flight", "Frames waiting or being painted.", frames.in_flight)
    yield _count("frames_lost", "Gaps in the source's numbers.", snapshot.lost)
    yield _count("frames_rejected", "Messages that held no frame.", snapshot.rejected)
    yield _count("source_reconnects", "Times that the source was opened again.", snapshot.reconnects)
    yield _count("heartbeats", "Times that the last picture went out again.", snapshot.heartbeats)
    yield _gauge("frames_per_second", "Frames published, over ten seconds.", snapshot.fps)
    yield _spread("frame_age_seconds", "From a frame's arrival to its publication.", snapshot.age)
    yield _spread("frame_captured_age_seconds", "From a frame's capture to its publication.", snapshot.captured_age)


def _sinks(sinks: Mapping[str, Account]) -> Iterator[Metric]:
    handed = {name: account.came for name, account in sinks.items()}
    written = {name: account.done for name, account in sinks.items()}
    yield _counts("sink_frames_handed", "Frames for a sink.", "sink", handed)
    yield _counts("sink_frames_written", "Frames a sink wrote.", "sink", written)
    dropped = CounterMetricFamily(
        "deepmovie_sink_frames_dropped", "Frames a sink did not write.", labels=["sink", "reason"]
    )
    for name, account in sinks.items():
        for reason, count in account.dropped.items():
            dropped.add_metric([redacted(name), redacted(reason)], count)
    yield dropped


def _count(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"deepmovie_{name}", text, value)


def _counts(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"deepmovie_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([redacted(key)], value)
    return family


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """Return a gauge; without a value it is not there, which is not the same as 0."""
    return _gauges(name, text, None, {} if value is None else {"": value})


def _gauges(name: str, text: str, label: str | None, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"deepmovie_{name}", text, labels=[label] if label else [])
    for key, value in values.items():
        family.add_metric([redacted(key)] if label else [], value)
    return family


def _spread(name: str, text: str, spread: Spread) -> Metric:
    shares = {"50": spread.p50, "95": spread.p95, "99": spread.p99}
    known = {percentile: value for percentile, value in shares.items() if value is not None}
    return _gauges(name, text, "percentile", known)
