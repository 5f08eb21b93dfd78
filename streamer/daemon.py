"""Startup, main loop, shutdown; signals; exit codes.

The heavy imports wait until the signals are in our hands, so that the daemon can be stopped at any moment.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from streamer.config import Config
from streamer.edges import try_addresses
from streamer.exits import Exit, exit_code
from streamer.hangup import Terminal
from streamer.log import close as close_log
from streamer.log import configure as configure_log
from streamer.news import Assembled, Ended, News, ReloadWanted, Signaled, Tried
from streamer.notify import Notifier, notifier, watchdog_interval_s
from streamer.redaction import text
from streamer.section import OFF
from streamer.settings import Inputs
from streamer.stats import Reporter, facts
from streamer.telemetry import State

if TYPE_CHECKING:
    from streamer.assemble import Parts
    from streamer.exchange import Exchange
    from streamer.pipeline import Pipeline
    from streamer.reload import Reloader
    from streamer.web.server import HttpServer

SIGNALS = (signal.SIGTERM, signal.SIGINT)
DAEMON = "daemon"
TICK_S = 1.0
SINKS_PATIENCE_S = 5.0
RELOAD_PATIENCE_S = 1.0
GPU_LOST_DRAIN_S = 0.2

log = structlog.get_logger()


def run(config: Config, inputs: Inputs | None = None, *, assemble: "Callable[[Config], Parts] | None" = None) -> int:
    """Paint until told to stop, or until the source ends; return the exit code.

    Args:
        config: the settings.
        inputs: where they can be read again; None: they cannot.
        assemble: makes the parts; None: as the settings say.
    """
    configure_log(config.log.format, config.log.level)
    try:
        daemon = Daemon(config, inputs=inputs, assemble=assemble)
        code = daemon.run()
        if daemon.is_stuck:
            # Python must not tear down the modules under a thread that is inside torch or FFmpeg: that crashes.
            close_log()
            os._exit(code)
        return code
    finally:
        close_log()


class Daemon:
    """One run of one stream.

    Args:
        config: the settings.
        inputs: where they can be read again; None: they cannot.
        assemble: makes the parts; another one in tests.
        service: the service manager to report to.
    """

    def __init__(
        self,
        config: Config,
        *,
        inputs: Inputs | None = None,
        assemble: "Callable[[Config], Parts] | None" = None,
        service: Notifier | None = None,
    ) -> None:
        self._config = config
        self._inputs = inputs
        self._assemble = assemble or _assemble
        self._service = service or notifier()
        self._news: SimpleQueue[News] = SimpleQueue()
        self._pipeline: Pipeline | None = None
        self._exchange: Exchange | None = None
        self._reloader: Reloader | None = None
        self._is_reload_wanted = False
        self._terminal = Terminal()
        self._http: HttpServer | None = None
        self._ended: set[str] = set()
        self._is_over = False
        self._code = Exit.STOPPED
        self.is_stuck = False
        """Some thread did not end in time."""

    def run(self) -> int:
        """Start, paint, shut down; return the exit code."""
        with self._signals():
            try:
                self._start()
                self._main_loop()
            except Exception as error:  # noqa: BLE001 - whatever it was, it is logged and decides the exit code
                self._fail(DAEMON, error)
            self._shut_down()
        return int(self._code)

    def stop(self) -> None:
        """Drain and end, from any thread, as SIGTERM does."""
        self._news.put(Signaled("stop"))

    def _start(self) -> None:
        config = self._config
        log.info("starting", name=config.name, source=text(config.source), sinks=[text(url) for url in config.sinks])
        parts = self._assembled()
        if parts is None:
            return
        from streamer.pipeline import Pipeline  # noqa: PLC0415 - imports torch

        self._pipeline = Pipeline(parts, config, tell=self._news.put)
        self._make_reloadable(parts, self._pipeline)
        self._show_page(parts, self._pipeline)
        self._await(self._pipeline.start_sinks())
        if self._is_over:
            return
        self._pipeline.start()
        if self._reloader is not None:
            self._reloader.start()
        log.info("started", device=str(parts.device), size=parts.size)

    def _make_reloadable(self, parts: "Parts", pipeline: "Pipeline") -> None:
        """Make ready to read the settings again, if we know where they are."""
        from streamer.exchange import Exchange  # noqa: PLC0415 - imports torch
        from streamer.reload import Reloader  # noqa: PLC0415 - as above

        if self._inputs is not None:
            self._exchange = Exchange(self._config, parts, pipeline)
            self._reloader = Reloader(self._inputs, self._exchange.take_up, pipeline.telemetry)
            if self._is_reload_wanted:
                self._reloader.ask()

    @property
    def config(self) -> Config:
        """The settings in effect."""
        return self._exchange.config if self._exchange else self._config

    def _show_page(self, parts: "Parts", pipeline: "Pipeline") -> None:
        """Let browsers in, if the settings say so.

        Raises:
            FatalError: the address cannot be had.
        """
        if self._config.http.listen == OFF:
            return
        from streamer.web.server import HttpServer  # noqa: PLC0415 - imports torch
        from streamer.web.stream import stream_of  # noqa: PLC0415 - as above

        reload = self._reloader.reload if self._reloader else None
        self._http = HttpServer(stream_of(parts, pipeline, self._config, reload=reload, now=lambda: self.config))
        self._http.start()

    def _assembled(self) -> "Parts | None":
        """Return the parts; None if we are told to stop before they are made.

        They are made in a thread of its own: a signal must not wait for torch to be loaded, nor break that off, which
        aborts the process.
        """
        made: list[Parts] = []

        def make() -> None:
            try:
                made.append(self._assemble(self._config))
            except BaseException as error:  # noqa: BLE001 - the main thread logs it and ends the run
                self._news.put(Ended(DAEMON, error))
            else:
                self._news.put(Assembled())

        thread = threading.Thread(target=make, name="start", daemon=True)
        thread.start()
        while not self._is_over:
            if isinstance(self._hear(TICK_S), Assembled):
                return made[0]
        self.is_stuck = thread.is_alive()
        return None

    def _await(self, sinks: set[str]) -> None:
        """Wait until each sink was tried once, for a while: an address in use stops the start."""
        deadline = time.monotonic() + SINKS_PATIENCE_S
        while sinks and not self._is_over and time.monotonic() < deadline:
            news = self._hear(deadline - time.monotonic())
            if isinstance(news, Tried):
                sinks.discard(news.part)

    def _main_loop(self) -> None:
        """Report once a second until something ends the run."""
        pipeline = self._pipeline
        if pipeline is None or self._is_over:
            return
        reporter = Reporter(pipeline.telemetry, pipeline.pulses, self._service)
        pipeline.telemetry.enter(State.RUNNING)
        reporter.ready()
        patience_s = min(TICK_S, watchdog_interval_s() or TICK_S)
        report_at = time.monotonic() + TICK_S
        while not self._is_over:
            self._hear(min(patience_s, report_at - time.monotonic()))
            reporter.feed_watchdog()
            if time.monotonic() >= report_at:
                reporter.report()
                report_at = max(report_at + TICK_S, time.monotonic())

    def _hear(self, timeout_s: float) -> News | None:
        """Return what came in time, if anything, after acting on it."""
        try:
            news = self._news.get(timeout=max(0.0, timeout_s))
        except Empty:
            return None
        if isinstance(news, ReloadWanted):
            self._is_reload_wanted = True
            if self._reloader is not None:
                self._reloader.ask()
        elif isinstance(news, Signaled):
            self._is_over = True
            log.info("draining", signal=news.signal)
        elif isinstance(news, Ended):
            if news.error is not None:
                self._fail(news.part, news.error)
            self._ended.add(news.part)
            self._is_over = self._is_over or self._pipeline is None or self._ended >= self._pipeline.parts
        return news

    def _fail(self, part: str, error: BaseException) -> None:
        """Let the first error decide how the run ends."""
        code = exit_code(error)
        self._is_over = True
        self._code = self._code or code
        event = {Exit.GPU_LOST: "engine_fatal_gpu", Exit.RESOURCES: "resource_exhausted"}.get(code, "failed")
        is_expected = code in (Exit.UNAVAILABLE, Exit.CONFIGURATION)
        log.error(event, part=part, error=str(error), exit_code=int(code), exc_info=None if is_expected else error)

    def _shut_down(self) -> None:
        self._service.stopping()
        if self._reloader is not None:
            self._reloader.close(RELOAD_PATIENCE_S)
        if self._pipeline is not None:
            self._drain(self._pipeline)
        if self._http is not None:
            self._http.stop()
        log.info("stopped", exit_code=int(self._code))
        self._service.close()

    def _drain(self, pipeline: "Pipeline") -> None:
        """End the pipeline; see that no frame was lost on the way."""
        telemetry = pipeline.telemetry
        telemetry.enter(State.DRAINING)
        stuck = pipeline.drain(GPU_LOST_DRAIN_S if self._code == Exit.GPU_LOST else self.config.output.drain_timeout_s)
        self.is_stuck = bool(stuck)
        snapshot = telemetry.snapshot()
        in_flight = sum(account.in_flight for account in (snapshot.frames, *snapshot.sinks.values()))
        if stuck:
            log.error("drain_timed_out", parts=stuck)
        elif in_flight:
            log.error("frames_unaccounted", count=in_flight)
            self._code = self._code or Exit.BUG
        telemetry.enter(State.FAILED if self._code else State.STOPPED)
        log.info("stats", **facts(telemetry.snapshot()))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT over; give them back at the end. Only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            for number, action in before.items():
                signal.signal(number, action if action is not None else signal.SIG_DFL)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Drain; a second signal ends the process at once, as if we had never taken it over."""
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self._news.put(Signaled(signal.Signals(number).name))

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        """Read the settings again, unless our terminal was closed."""
        if self._terminal.is_gone:
            self._on_signal(number, frame)
        else:
            self._news.put(ReloadWanted())


def _assemble(config: Config) -> "Parts":
    try_addresses(config)
    from streamer.assemble import assemble  # noqa: PLC0415 - imports torch, which takes seconds

    return assemble(config)
