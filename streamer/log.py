"""The log: events with fields, without secrets, written by a thread of its own so that nobody waits for it.

Modules say ``log = structlog.get_logger()`` and ``log.warning("source_failed", error=str(error))``; ``configure``
decides at the start what becomes of it. What libraries log, warnings and crashes come out the same way.
"""

import atexit
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from streamer.log_writer import LogWriter
from streamer.redaction import presentable, register_secret, register_url, text

__all__ = ["close", "configure", "dropped_total", "recent", "register_secret", "register_url"]

RECENT_LINES = 200
_UNREMEMBERED = {"stats"}
"""What is said once a second would soon be all that is remembered."""

_recent: deque[Mapping[str, object]] = deque(maxlen=RECENT_LINES)
_writer: LogWriter | None = None


def configure(
    format: Literal["auto", "console", "json"] = "auto",  # noqa: A002 - it is the option's name
    level: Literal["debug", "info", "warning", "error"] = "info",
    *,
    fd: int = 2,
) -> None:
    """Send every event of ``level`` and above to ``fd``; may be called again.

    Args:
        format: ``console`` is for people, ``json`` one object a line, ``auto`` the first on a terminal only.
    """
    global _writer  # noqa: PLW0603 - a process has one log
    close()
    writer = _writer = LogWriter(fd)
    on_terminal = os.isatty(fd)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            _remember,
            _renderer(for_people=format == "console" or (format == "auto" and on_terminal), colors=on_terminal),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )
    _capture_libraries(max(threshold, logging.WARNING))
    _capture_crashes()
    atexit.register(close)


def close(timeout_s: float = 1.0) -> None:
    """Write what waits, for at most ``timeout_s``; what comes later is written only if that needs no waiting."""
    if _writer is not None:
        _writer.close(timeout_s)


def dropped_total() -> int:
    """Return how many events were lost because nobody took them (``log_dropped_total``)."""
    return 0 if _writer is None else _writer.dropped_total


def recent() -> list[Mapping[str, object]]:
    """Return the last lines, oldest first, as JSON knows them and without secrets; the numbers of each second are not
    among them."""
    return list(_recent)


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {text(key): presentable(value) for key, value in event.items()}


def _remember(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if event["event"] not in _UNREMEMBERED:
        _recent.append(dict(event))  # a renderer takes fields out
    return event


def _renderer(*, for_people: bool, colors: bool) -> Processor:
    if for_people:
        return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer()


class _LibraryHandler(logging.Handler):
    """Passes on what libraries say through ``logging`` and ``warnings``."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((known for known in (logging.ERROR, logging.WARNING) if record.levelno >= known), logging.INFO)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # the arguments do not fit the format
            message = text(record.msg)
        log = structlog.get_logger()
        log.log(level, "library_logged", logger=record.name, message=message, exc_info=record.exc_info)


_library_handler = _LibraryHandler()


def _capture_libraries(level: int) -> None:
    root = logging.getLogger()
    if _library_handler not in root.handlers:
        root.addHandler(_library_handler)
    root.setLevel(level)
    logging.captureWarnings(capture=True)


def _capture_crashes() -> None:
    """Let tracebacks that Python would print as they are, secrets and all, go through the log."""
    sys.excepthook = _report_crash
    sys.unraisablehook = lambda failed: _report_crash(failed.exc_type, failed.exc_value, failed.exc_traceback)
    threading.excepthook = lambda failed: _report_crash(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _report_crash(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, SystemExit):
        log = structlog.get_logger()
        log.critical("crashed", thread=threading.current_thread().name, exc_info=(kind, error, trace))
