"""What the tests of this folder share: a log to read."""

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from streamer import log, redaction

UNTOUCHED = structlog.get_config()


class Pipe:
    """A log's other end."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def events(self) -> list[dict[str, Any]]:
        """Close the log and return what it wrote."""
        return [json.loads(line) for line in self.text().splitlines()]

    def text(self) -> str:
        log.close()
        os.close(self.writer)
        with open(self.reader, encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            return file.read()


@pytest.fixture(autouse=True)
def _no_log_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave everything global as it was before: a command that runs in this process sets up its own log."""
    for owner, hook in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(owner, hook, getattr(owner, hook))
    monkeypatch.setattr(redaction, "_known", redaction._known)
    root, showwarning = logging.getLogger(), warnings.showwarning
    level, handlers = root.level, list(root.handlers)
    structlog.configure(**UNTOUCHED)  # what a fixture of a whole module ran may have set it up already
    yield
    log.close(0)
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.captureWarnings(capture=False)
    warnings.showwarning = showwarning
    structlog.configure(**UNTOUCHED)


@pytest.fixture
def pipe() -> Pipe:
    """Return a pipe to log into."""
    return Pipe()
