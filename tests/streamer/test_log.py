"""The log: its form, its silence about secrets, and that nobody waits for it."""

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from streamer import log
from streamer.log_writer import CAPACITY_LINES
from tests.streamer.conftest import Pipe

SECRET = 'p/a"s s\\wörd#1'  # noqa: S105 - that of nobody


def test_an_event_is_one_json_object_a_line_with_level_and_utc_time(pipe: Pipe) -> None:
    log.configure("auto", "info", fd=pipe.writer)
    logger = structlog.get_logger()
    logger.info("source_opened", size=(256, 144), fps=25.0, share=float("nan"), path=Path("/var/x"))
    logger.debug("not_this")
    (event,) = pipe.events()
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "source_opened", "level": "info", "size": [256, 144], "fps": 25.0, "share": "nan", "path": "/var/x",
    }  # fmt: skip


def test_people_get_a_readable_line(pipe: Pipe) -> None:
    log.configure("console", "info", fd=pipe.writer)
    structlog.get_logger().warning("source_failed", retry_in_s=0.5)
    text = pipe.text()
    assert "source_failed" in text
    assert "retry_in_s=0.5" in text
    assert not text.startswith("{")


def _raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301 - to have a traceback
    except Exception as caught:  # noqa: BLE001 - that is the point
        return caught


LEAKS: list[Callable[[Any, str], object]] = [
    lambda logger, url: logger.info("opened", url=url),
    lambda logger, url: logger.info(url),
    lambda logger, url: logger.info("opened", **{url: 1}),
    lambda logger, url: logger.info("opened", options={"in": [url, (url,), {url}]}),
    lambda logger, url: logger.info("opened", error=OSError(5, "failed", url)),
    lambda logger, url: logger.info("opened", raw=url.encode()),
    lambda logger, url: logger.error("failed", exc_info=_raised(ValueError(url))),
    lambda logger, url: logger.info("opened", command=f"ffmpeg -i {url} -f null -"),
    lambda logger, url: logger.info("opened", text=json.dumps({"url": url})),
    lambda logger, url: logger.info("opened", text=repr([url])),
    lambda logger, url: logger.info("opened", text=repr([url.encode()])),
    lambda logger, url: logging.getLogger("some_package").error("cannot open %s", url),
    lambda logger, url: warnings.warn(url, stacklevel=1),
    lambda logger, url: threading.excepthook(
        threading.ExceptHookArgs((ValueError, ValueError(url), None, threading.current_thread()))
    ),
    lambda logger, url: sys.excepthook(ValueError, ValueError(url), None),
]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("leak", LEAKS)
def test_a_password_in_a_url_never_reaches_the_output(
    pipe: Pipe, leak: Callable[[Any, str], object], form: Any
) -> None:
    log.configure(form, "debug", fd=pipe.writer)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        leak(structlog.get_logger(), "rtsp://user:hunter2@camera:554/live")
    text = pipe.text()
    assert text
    assert "hunter2" not in text


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("leak", LEAKS)
def test_a_registered_secret_never_reaches_the_output(
    pipe: Pipe, leak: Callable[[Any, str], object], form: Any
) -> None:
    log.register_secret(SECRET)
    log.configure(form, "debug", fd=pipe.writer)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        leak(structlog.get_logger(), f"login with {SECRET} failed")
    text = pipe.text()
    assert "login with" in text
    assert "wörd" not in text
    assert "s s" not in text


def test_the_password_of_a_url_is_masked_wherever_it_turns_up(pipe: Pipe) -> None:
    log.register_url("rtsp://admin:pa%2Fss%20word@camera/live")
    log.configure("json", fd=pipe.writer)
    shapes = ("pa/ss word", "pa%2fss%20word", "pa%2Fss+word", "YWRtaW46cGEvc3Mgd29yZA==")
    for shape in shapes:
        structlog.get_logger().info("login_failed", detail=f"<{shape}>")
    assert [event["detail"] for event in pipe.events()] == ["<***>"] * len(shapes)


def test_a_value_that_cannot_be_shown_does_not_stop_the_caller(pipe: Pipe) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    loop: list[object] = []
    loop.append(loop)
    log.configure("json", fd=pipe.writer)
    structlog.get_logger().info("seen", broken=Broken(), huge=10**5000, loop=loop, long="x" * 10**6, lone="\ud800")
    (event,) = pipe.events()
    assert event["broken"] == "<Broken that cannot be shown: RuntimeError>"
    assert len(event["long"]) < 10_000


def test_a_pipe_nobody_reads_loses_events_counted_and_nobody_waits(pipe: Pipe) -> None:
    """FAULTS row 50."""
    log.configure("json", fd=pipe.writer)
    logger = structlog.get_logger()
    total = CAPACITY_LINES + 3000
    for number in range(total):
        logger.info("tick", number=number, filler="x" * 100)
    lost_while_running = log.dropped_total()
    assert lost_while_running > 0
    (writer,) = (thread for thread in threading.enumerate() if thread.name == "log")
    log.close(0.1)
    writer.join(20)
    os.close(pipe.writer)
    with open(pipe.reader, "rb") as file:  # noqa: PTH123 - a descriptor
        written = file.read().count(b"\n")
    assert written + log.dropped_total() == total
    assert log.dropped_total() > lost_while_running


def test_a_full_disk_is_counted(pipe: Pipe) -> None:
    """FAULTS row 49."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        log.configure("json", fd=full.fileno())
        structlog.get_logger().info("seen")
        log.close()
    assert log.dropped_total() == 1
    os.close(pipe.writer)
    os.close(pipe.reader)


def test_what_is_said_after_the_close_is_written_still(pipe: Pipe) -> None:
    log.configure("json", fd=pipe.writer)
    log.close()
    structlog.get_logger().critical("crashed_late")
    assert [event["event"] for event in pipe.events()] == ["crashed_late"]


@pytest.mark.parametrize(
    ("code", "name", "field"),
    [
        ("raise ValueError(url)", "crashed", "exception"),
        ("threading.Thread(target=lambda: int(url), name='paint').start()", "crashed", "exception"),
        ("logging.getLogger('some_package').error('%d ' + url, url)", "library_logged", "message"),
    ],
)
def test_what_python_would_print_itself_is_an_event_of_the_log(code: str, name: str, field: str) -> None:
    begin = "import logging, threading; from streamer import log; log.configure('json'); url = 'rtsp://u:hunter2@c/l'; "
    ended = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=False)
    (event,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert event["event"] == name
    assert "rtsp://" in event[field]
    assert "hunter2" not in ended.stderr


def test_the_last_lines_are_remembered_without_secrets_and_without_the_numbers_of_each_second(pipe: Pipe) -> None:
    log.configure("json", "info", fd=pipe.writer)
    log.register_secret(SECRET)
    logger = structlog.get_logger()
    for number in range(log.RECENT_LINES):
        logger.info("source_lost", number=number, error=f"no {SECRET}")
        logger.info("stats", fps=1.0)
        logger.debug("unheard")
    logger.warning("source_failed", url="rtsp://joe:hunter2@camera/live")
    lines = log.recent()
    assert len(lines) == log.RECENT_LINES
    assert [line["number"] for line in lines[:-1]] == list(range(1, log.RECENT_LINES))
    assert (lines[-1]["event"], lines[-1]["level"], lines[-1]["url"]) == (
        "source_failed",
        "warning",
        "rtsp://***@camera/live",
    )
    assert SECRET not in repr(lines)
    assert "timestamp" in lines[-1]
