"""The threads of a stream and the mailboxes between: source -> inbox (-> scout) -> painter -> outboxes -> sinks.

Either end can be exchanged while the painter goes on.
"""

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from threading import Event, RLock

import structlog

from protocols.endpoints import Sink, Source
from protocols.frame import Frame
from streamer.assemble import Parts
from streamer.canvas import Canvas
from streamer.config import Config
from streamer.control import Control, hot_settings
from streamer.crew import Crew
from streamer.gallery import Gallery, state_folder
from streamer.generations import Generations
from streamer.governor import Governor, Punctual, Unhurried
from streamer.idle import Hold, Idle, Refine, Slate
from streamer.keeper import Keeper
from streamer.lagging import Lagging, Prompt, Window
from streamer.ledger import Place
from streamer.mailbox import Mailbox
from streamer.news import News, Tried
from streamer.origins import Origins
from streamer.painter import Painter, Watcher
from streamer.pulse import Pulse, Pulses
from streamer.recordings import Recordings
from streamer.scout import Scout
from streamer.telemetry import Telemetry
from streamer.timeline import Timeline
from streamer.workers import SinkWorker, SourceWorker

SOURCE, SCOUT, PAINTER = "source", "scout", "painter"
SINK_GRACE_S = 0.5

log = structlog.get_logger()


class Pipeline:
    """Starts the threads, and ends them.

    Each stage closes the mailbox behind it when it ends, so that the end of the source, or of patience, runs through
    all of them.

    Args:
        parts: what to run.
        config: the settings.
        tell: called by the threads with what the main thread should know.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        parts: Parts,
        config: Config,
        *,
        tell: Callable[[News], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        live = self.live = parts.source.live
        self._tell = tell
        self._clock = clock
        self._once = config.once
        self._stop = Event()
        self._crew = Crew(tell, clock=clock)
        self._exchanging = RLock()
        self._accounts: dict[str, SinkWorker] = {}
        self._inbox: Mailbox[Frame] = Mailbox(1 if live else 2, waits=not live)
        self.telemetry = Telemetry(parts.sinks, notices=parts.notices)
        for part, trouble in parts.troubles.items():
            self.telemetry.trouble(part, trouble)
        self._sinks = [
            SinkWorker(sink, name=name, live=live, telemetry=self.telemetry, stop=Event(), on_tried=self._tried(name))
            for name, sink in parts.sinks.items()
        ]
        self._recordings = recordings = Recordings(
            Path(config.output.recordings).expanduser(), fps=config.paint.fps, live=live
        )
        self.gallery = parts.gallery
        self.control = Control(hot_settings(config.paint, parts.gallery), parts.gallery, recordings=recordings)
        self._follower = parts.follower
        canvas = Canvas(
            parts.stylizer,
            follower=parts.follower,
            networks=parts.networks,
            mask=parts.mask,
            size=parts.size,
            device=parts.device,
            telemetry=self.telemetry,
        )
        self._scout = Scout(self._inbox, canvas.look) if parts.looks_ahead else None
        self._keeper = _keeper(parts, config, self.telemetry) if live else None
        self._painter = Painter(
            inbox=self._inbox,
            scout=self._scout,
            outlets=[*self._sinks, recordings],
            canvas=canvas,
            window=_window(parts, canvas, self.telemetry),
            control=self.control,
            governor=_governor(config, live=live),
            telemetry=self.telemetry,
            live=live,
            idle=_idle(config, canvas, parts.gallery),
            keeper=self._keeper,
            resume_window_s=config.input.resume_window_s,
            silence_s=config.input.stall_timeout_s,
            stop=self._stop,
        )
        self._timeline = Timeline(epoch=time.time_ns() // 1_000_000)
        self._source = self._source_worker(parts.source, patience_s=parts.source_patience_s)
        self.pulses = Pulses(self._pulses)
        """The proof that each loop moves, by name."""

    @property
    def parts(self) -> set[str]:
        """The names of all threads."""
        return set(self.pulses)

    def watch(self, watcher: Watcher) -> None:
        """Show every picture that goes out to ``watcher``; to be said before ``start``."""
        self._painter.watch(watcher)

    def start_sinks(self) -> set[str]:
        """Open the sinks; return their names: each will tell that it tried, or that it ended."""
        for sink in self._sinks:
            self._launch_sink(sink)
        return {sink.name for sink in self._sinks}

    def start(self) -> None:
        """Let the frames in; the picture goes on where the last process left it."""
        if self._keeper:
            self._keeper.restore(self.control.current)
            self._keeper.start()
        self._crew.launch(PAINTER, self._painter.run)
        if self._scout:
            self._crew.launch(SCOUT, self._scout.run)
        self._crew.launch(SOURCE, self._source.run)

    def exchange_source(self, source: Source, *, patience_s: float) -> None:
        """Read another live source from now on; what came from the last one is painted still."""
        with self._exchanging:
            if self._stop.is_set():
                return
            last, self._source = self._source, self._source_worker(source, patience_s=patience_s, after=self._source)
            last.retire()
            self._crew.launch(SOURCE, self._source.run)
            self.telemetry.reconnect()

    def exchange_sinks(self, sinks: Mapping[str, Sink], *, kept: Collection[str], after: Mapping[str, str]) -> None:
        """Write to other sinks from the next frame on.

        Args:
            sinks: new ones by name.
            kept: the names of those that stay, and miss no frame; all others write what waits, and end.
            after: which of those that end must have let go before a new one is opened, by the name of the new one.
        """
        with self._exchanging:
            if self._stop.is_set():
                return
            last = {sink.name: sink for sink in self._sinks}
            new = [self._late_sink(name, sink, after=last.get(after.get(name, ""))) for name, sink in sinks.items()]
            self._sinks = [*(last[name] for name in kept), *new]
            self._painter.redirect([*self._sinks, self._recordings])
            for name in last.keys() - set(kept):
                last[name].retire()
                self._crew.relieve(name)
            for sink in new:
                self._launch_sink(sink)

    def drain(self, timeout_s: float) -> list[str]:
        """Take nothing more in, finish what is in flight, end all threads; return the names of those that are stuck."""
        with self._exchanging:
            self._stop.set()
        self._source.end()
        for sink in self._sinks:
            sink.hurry()
        self._inbox.close()
        self.control.resume()
        deadline = self._clock() + timeout_s
        self._crew.join([SOURCE, SCOUT, PAINTER], deadline)
        for sink in self._sinks:
            sink.close()
        self._crew.join([sink.name for sink in self._sinks], deadline + SINK_GRACE_S)
        self._crew.join_relieved(deadline + SINK_GRACE_S)
        for _ in [*self._inbox.clear(), *(self._scout.clear() if self._scout else [])]:
            self.telemetry.frames.drop("draining", Place.WAITING)
        stuck = self._crew.stuck
        if self._follower is not None and not self._follower.close(max(0.0, deadline - self._clock())):
            stuck.append("look")
        if self._keeper is not None and not self._keeper.close(max(0.0, deadline + SINK_GRACE_S - self._clock())):
            stuck.append("checkpoint")
        return stuck

    def _source_worker(self, source: Source, *, patience_s: float, after: SourceWorker | None = None) -> SourceWorker:
        return SourceWorker(
            source,
            inbox=self._inbox,
            timeline=self._timeline,
            telemetry=self.telemetry,
            stop=Event(),
            once=self._once,
            patience_s=patience_s,
            after=after,
        )

    def _pulses(self) -> Mapping[str, Pulse]:
        sinks = {sink.name: sink.pulse for sink in self._sinks}
        scout = {SCOUT: self._scout.pulse} if self._scout else {}
        return {SOURCE: self._source.pulse, **scout, PAINTER: self._painter.pulse, **sinks}

    def _late_sink(self, name: str, sink: Sink, *, after: SinkWorker | None) -> SinkWorker:
        self.telemetry.add_sink(name)
        return SinkWorker(
            sink, name=name, live=self.live, telemetry=self.telemetry, stop=Event(), late=True, after=after
        )

    def _launch_sink(self, sink: SinkWorker) -> None:
        def work() -> None:
            try:
                sink.run()
            finally:
                self._forget(sink)

        self._accounts[sink.name] = sink
        self._crew.launch(sink.name, work)

    def _forget(self, sink: SinkWorker) -> None:
        """Close the account of a sink that is not there any more, nor followed by another one of its name."""
        with self._exchanging:
            if sink in self._sinks or self._accounts[sink.name] is not sink:
                return
            account = self.telemetry.remove_sink(sink.name)
        dropped = dict(account.dropped)
        log.info("sink_removed", sink=sink.name, handed=account.came, written=account.done, dropped=dropped)

    def _tried(self, name: str) -> Callable[[], None]:
        return lambda: self._tell(Tried(name))


def _governor(config: Config, *, live: bool) -> Governor:
    if live:
        return Punctual(fps=config.paint.fps, iterations=config.paint.iterations)
    return Unhurried(iterations=config.paint.iterations)


def _window(parts: Parts, canvas: Canvas, telemetry: Telemetry) -> Window:
    if parts.hindsight is None:
        return Prompt()
    return Lagging(parts.hindsight, canvas=canvas, telemetry=telemetry)


def _keeper(parts: Parts, config: Config, telemetry: Telemetry) -> Keeper | None:
    if parts.lasting is None or not config.restart.resume:
        return None
    return Keeper(
        parts.lasting,
        device=parts.device,
        generations=Generations(state_folder() / "checkpoints", config.name),
        origin_of=Origins(config, parts.gallery, size=parts.size).of,
        size=parts.size,
        settings=config.restart,
        telemetry=telemetry,
    )


def _idle(config: Config, canvas: Canvas, gallery: Gallery) -> Idle:
    match config.output.when_idle:
        case "hold":
            return Hold()
        case "refine":
            return Refine(canvas)
        case "slate":
            return Slate(gallery, patience_s=config.input.stall_timeout_s)
