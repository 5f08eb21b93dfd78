"""The threads of a stream and the mailboxes between: source -> inbox (-> scout) -> painter -> outboxes -> sinks."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread

from protocols.frame import Frame
from streamer.assemble import Parts
from streamer.canvas import Canvas
from streamer.config import Config
from streamer.control import Control, hot_settings
from streamer.gallery import Gallery
from streamer.governor import Governor, Punctual, Unhurried
from streamer.idle import Hold, Idle, Refine, Slate
from streamer.ledger import Place
from streamer.mailbox import Mailbox
from streamer.news import Ended, News, Tried
from streamer.painter import Painter, Watcher
from streamer.pulse import Pulse
from streamer.recordings import Recordings
from streamer.scout import Scout
from streamer.telemetry import Telemetry
from streamer.timeline import Timeline
from streamer.workers import SinkWorker, SourceWorker

SOURCE, SCOUT, PAINTER = "source", "scout", "painter"
SINK_GRACE_S = 0.5


class Pipeline:
    """Starts the threads, and ends them.

    Each stage closes the mailbox behind it when it ends, so that the end of the source, or of patience, runs through
    all of them. The threads are daemons: one that is stuck in foreign code cannot keep the process from ending.

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
        live = parts.source.live
        self._tell = tell
        self._clock = clock
        self._stop = Event()
        self._threads: dict[str, Thread] = {}
        self._inbox: Mailbox[Frame] = Mailbox(1 if live else 2, waits=not live)
        self.telemetry = Telemetry(parts.sinks, notices=parts.notices)
        for part, trouble in parts.troubles.items():
            self.telemetry.trouble(part, trouble)
        self._sinks = [
            SinkWorker(
                sink, name=name, live=live, telemetry=self.telemetry, stop=self._stop, on_tried=self._tried(name)
            )
            for name, sink in parts.sinks.items()
        ]
        recordings = Recordings(Path(config.output.recordings).expanduser(), fps=config.paint.fps, live=live)
        self.gallery = parts.gallery
        self.control = Control(hot_settings(config.paint, parts.gallery), parts.gallery, recordings=recordings)
        self._follower = parts.follower
        canvas = Canvas(
            parts.stylizer, follower=parts.follower, size=parts.size, device=parts.device, telemetry=self.telemetry
        )
        self._scout = Scout(self._inbox, canvas.look) if parts.looks_ahead else None
        self._painter = Painter(
            inbox=self._inbox,
            scout=self._scout,
            outlets=[*self._sinks, recordings],
            canvas=canvas,
            control=self.control,
            governor=_governor(config, live=live),
            telemetry=self.telemetry,
            live=live,
            idle=_idle(config, canvas, parts.gallery),
            resume_window_s=config.input.resume_window_s,
            stop=self._stop,
        )
        self._source = SourceWorker(
            parts.source,
            inbox=self._inbox,
            timeline=Timeline(epoch=time.time_ns() // 1_000_000),
            telemetry=self.telemetry,
            stop=self._stop,
            once=config.once,
            patience_s=parts.source_patience_s,
        )

    @property
    def pulses(self) -> Mapping[str, Pulse]:
        """The proof that each loop moves, by name."""
        sinks = {sink.name: sink.pulse for sink in self._sinks}
        scout = {SCOUT: self._scout.pulse} if self._scout else {}
        return {SOURCE: self._source.pulse, **scout, PAINTER: self._painter.pulse, **sinks}

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
            self._launch(sink.name, sink.run)
        return {sink.name for sink in self._sinks}

    def start(self) -> None:
        """Let the frames in."""
        self._launch(PAINTER, self._painter.run)
        if self._scout:
            self._launch(SCOUT, self._scout.run)
        self._launch(SOURCE, self._source.run)

    def drain(self, timeout_s: float) -> list[str]:
        """Take nothing more in, finish what is in flight, end all threads; return the names of those that are stuck."""
        self._stop.set()
        self._inbox.close()
        self.control.resume()
        deadline = self._clock() + timeout_s
        self._join([SOURCE, SCOUT, PAINTER], deadline)
        for sink in self._sinks:
            sink.close()
        self._join([sink.name for sink in self._sinks], deadline + SINK_GRACE_S)
        for _ in [*self._inbox.clear(), *(self._scout.clear() if self._scout else [])]:
            self.telemetry.frames.drop("draining", Place.WAITING)
        stuck = [name for name, thread in self._threads.items() if thread.is_alive()]
        if self._follower is not None and not self._follower.close(max(0.0, deadline - self._clock())):
            stuck.append("look")
        return stuck

    def _join(self, names: list[str], deadline: float) -> None:
        for name in names:
            if name in self._threads:
                self._threads[name].join(max(0.0, deadline - self._clock()))

    def _launch(self, name: str, body: Callable[[], None]) -> None:
        def work() -> None:
            error: BaseException | None = None
            try:
                body()
            except BaseException as caught:  # noqa: BLE001 - the main thread logs it and ends the run
                error = caught
            self._tell(Ended(name, error))

        thread = self._threads[name] = Thread(target=work, name=name, daemon=True)
        thread.start()

    def _tried(self, name: str) -> Callable[[], None]:
        return lambda: self._tell(Tried(name))


def _governor(config: Config, *, live: bool) -> Governor:
    if live:
        return Punctual(fps=config.paint.fps, iterations=config.paint.iterations)
    return Unhurried(iterations=config.paint.iterations)


def _idle(config: Config, canvas: Canvas, gallery: Gallery) -> Idle:
    match config.output.when_idle:
        case "hold":
            return Hold()
        case "refine":
            return Refine(canvas)
        case "slate":
            return Slate(gallery, patience_s=config.input.stall_timeout_s)
