"""The README tells the truth."""

import itertools
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pytest

from protocols.frame import Frame
from protocols.url import parse
from protocols.zeromq import ZmqSink
from streamer.cli import COMMANDS
from streamer.exits import Exit

README = (Path(__file__).parents[1] / "README.md").read_text()
PATIENCE_S = 20.0


def section(heading: str) -> str:
    """Return what stands between this heading and the next."""
    return README.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def first_column(heading: str) -> list[str]:
    """Return the first cells of a section's tables."""
    return re.findall(r"^\| (`.*?|\d+) \|", section(heading), flags=re.MULTILINE)


@pytest.mark.parametrize("encoding", ["raw", "jpeg"])
def test_its_subscriber_receives_a_painted_frame(encoding: Literal["raw", "jpeg"], tmp_path: Path) -> None:
    [program] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    sink = ZmqSink("tcp://127.0.0.1:0", name="door", format=encoding)
    sink.open()
    program = program.replace("tcp://127.0.0.1:5556", sink.endpoint)
    command = [sys.executable, "-u", "-c", program]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as subscriber:
        assert subscriber.stdout is not None
        try:
            publish_until_answered(sink, subscriber.stdout)
            line = subscriber.stdout.readline()
        finally:
            subscriber.kill()
            sink.close()
    assert re.match(r"door \d+ \(24, 32, 3\) \d+ ms old\n", line)
    assert (tmp_path / "painted.png").exists()


def publish_until_answered(sink: ZmqSink, answers: IO[str]) -> None:
    """Publish frames until the other side prints; a subscriber misses those before it has connected."""
    began = time.monotonic()
    for number in itertools.count():
        now = time.monotonic()
        assert now - began < PATIENCE_S
        image = np.full((24, 32, 3), number % 256, np.uint8)
        sink.write(Frame(image, number, pts=now - began, captured_at=time.time(), received_at=now))
        if select.select([answers], [], [], 0.1)[0]:
            return


def test_it_names_every_command() -> None:
    named = [cell.split()[1].strip("`") for cell in first_column("Quick start")]
    assert named == list(COMMANDS)


def test_it_names_every_exit_code() -> None:
    assert [int(cell) for cell in first_column("Settings")] == sorted(Exit)


def test_its_urls_are_understood() -> None:
    text = section("Sources and sinks")
    urls = re.findall(r"`([^` ]*(?:.#|:)[^` ]*)`", text)
    assert len(urls) > 15
    for url in urls:
        parse(url)
