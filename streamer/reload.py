"""The settings, read again while the stream goes on: the last complete version of the file wins."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Event, Thread

import structlog

from streamer.config import Config, ConfigError
from streamer.exchange import Change
from streamer.settings import Inputs
from streamer.telemetry import Telemetry

SETTLE_S = 0.05
"""A file that was not touched for so long is complete."""
PATIENCE_S = 5.0

log = structlog.get_logger()


class Reloader:
    """Reads the settings whenever it is asked to, in a thread of its own.

    Who asks while they are read is answered by the next reading: of many who ask in a row, the last one decides. A file
    that changes meanwhile is read again without asking.

    Args:
        inputs: where the settings are.
        take_up: brings them into effect, whole, or raises ``ConfigError``.
        telemetry: counts.
        settle_s: how long nobody may have written to the file.
    """

    def __init__(
        self,
        inputs: Inputs,
        take_up: Callable[[Config], Change],
        telemetry: Telemetry,
        *,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._inputs = inputs
        self._take_up = take_up
        self._telemetry = telemetry
        self._settle_s = settle_s
        self._closed = Event()
        self._changed = Condition()
        self._asked = self._answered = self._version = 0
        self._answer: Change | ConfigError = ConfigError("the settings were not read again yet")
        self._thread = Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        """Begin; who asked before is answered now."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Read no more; wait for a reading that goes on, for so long at most."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def ask(self) -> int:
        """Want the settings to be read again; return at once, with the number of the question."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            return self._asked

    def reload(self) -> Change:
        """Read the settings again; return what became of them.

        Raises:
            ConfigError: they cannot be used; all is as it was.
        """
        question = self.ask()
        with self._changed:
            self._changed.wait_for(lambda: self._answered >= question or self._closed.is_set())
            answer = self._answer if self._answered >= question else ConfigError("the daemon ends")
        if isinstance(answer, ConfigError):
            raise ConfigError(*answer.details)
        return answer

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked > self._answered or self._closed.is_set())
                question = self._asked
            if self._closed.is_set():
                return
            version, read = self._settled()
            answer = read if isinstance(read, ConfigError) else self._taken_up(read)
            is_old = version != _version(self._inputs.path)  # whoever hears of it may write the next version at once
            self._tell(answer)
            with self._changed:
                self._answer, self._answered = answer, question
                self._asked += is_old
                self._changed.notify_all()

    def _taken_up(self, read: Config) -> Change | ConfigError:
        try:
            return self._take_up(read)
        except ConfigError as error:
            return error
        except Exception as error:
            log.exception("reload_failed", error=str(error))
            return ConfigError(f"a bug: {type(error).__name__}")

    def _tell(self, answer: Change | ConfigError) -> None:
        if isinstance(answer, ConfigError):
            self._telemetry.reload("rejected")
            keys = sorted({detail.key for detail in answer.details if detail.key})
            log.warning("reload_rejected", file=str(self._inputs.path), keys=keys, reason="; ".join(answer.problems))
            return
        self._telemetry.reload("applied")
        self._version += 1
        log.info("reloaded", version=self._version, changed=list(answer.changed))
        if answer.restart:
            log.warning("restart_needed", keys=list(answer.restart))

    def _settled(self) -> tuple[object, Config | ConfigError]:
        """Return a version of the file to which nobody writes, and the settings in it, or what is wrong with them."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            version, read = _version(self._inputs.path), self._load()
            self._closed.wait(self._settle_s)
            if version == _version(self._inputs.path):
                return version, read
        return version, ConfigError(f"{self._inputs.path} did not stop changing for {PATIENCE_S:g} s")

    def _load(self) -> Config | ConfigError:
        try:
            return self._inputs.load().config
        except ConfigError as error:
            return error


def _version(path: Path | None) -> object:
    """Return what differs between two versions of a file, be it written to, replaced, or pointed to by another link."""
    if path is None:
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 - the same for a path, without a class around it
    except OSError as error:
        return error.errno
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
