"""``deepmovie doctor``: says what is wrong here and what mends it, even of what crashes or hangs when it is touched."""

import json as json_text
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import chain

from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from streamer import log, redaction
from streamer.checkups import PARTS, examine_settings
from streamer.diagnosis import Finding, Status
from streamer.settings import Inputs

__all__ = ["PARTS", "doctor", "examine"]

PATIENCE_S = 60.0
"""For one part; importing torch from a slow disk takes the longest."""
LAST_PATIENCE_S = 2.0
AT_ONCE = 2
_BEGINNING = '{"findings": '
COLORS = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


def doctor(inputs: Inputs, *, json: bool, parts: Iterable[str] = tuple(PARTS)) -> int:
    """Examine everything, print lines or JSON, and return the exit code: 1 if anything failed, else 0.

    Args:
        inputs: the settings; of the command line, those of ``paint``.
        json: print JSON.
        parts: what to examine beside the settings, names of ``PARTS``.

    Raises:
        ConfigError: the command line is wrong.
    """
    parts = list(parts)
    settings, _ = examine_settings(inputs)
    flags = [f"--{key.rpartition('.')[2]}={value}" for key, value in inputs.overrides.items()]
    flags += [f"--config={inputs.path}"] if inputs.path else []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("examining", total=len(parts))

        def look(part: str) -> list[Finding]:
            found = examined(part, flags)
            progress.advance(task)
            return found

        with ThreadPoolExecutor(AT_ONCE) as pool:
            findings = [settings, *chain.from_iterable(pool.map(look, parts))]
    (_print_json if json else _print_lines)(findings)
    return 1 if any(finding.status is Status.FAIL for finding in findings) else 0


def examine(part: str, inputs: Inputs) -> int:
    """Examine one part in this process and print what is found as JSON, on a line of its own; return 0."""
    _, paint = examine_settings(inputs)
    log.configure(level="error")
    findings = [asdict(finding) for finding in PARTS[part](paint)]
    print(json_text.dumps({"findings": findings}))  # noqa: T201 - what the command was asked for
    return 0


def examined(part: str, flags: Sequence[str], *, patience_s: float = PATIENCE_S) -> list[Finding]:
    """Return what a process of its own finds out about one part; that it crashed or hangs is a finding, too."""
    command = [sys.executable, "-P", "-m", "streamer", "doctor", f"--only={part}", *flags]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)  # noqa: S603 - ours
        try:
            code = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return [_end(process, part, patience_s)]
        finally:
            process.kill()
        out.seek(0)
        errors.seek(0)
        lines, complaints = out.read().splitlines(), errors.read().strip().splitlines()
    found = [line for line in lines if line.startswith(_BEGINNING)]  # what is examined may print more
    if code == 0 and found:
        findings = json_text.loads(found[-1])["findings"]
        return [Finding(**{**each, "status": Status(each["status"])}) for each in findings]
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    told = redaction.text(complaints[-1]) if complaints else "without a word"
    return [Finding(part, Status.FAIL, f"its examination {how}: {told}", _alone(part))]


def _end(process: subprocess.Popen[bytes], part: str, patience_s: float) -> Finding:
    """Kill a process that hangs; one that the kernel does not let go is left behind."""
    process.kill()
    try:
        process.wait(LAST_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return Finding(part, Status.FAIL, "its examination hangs and cannot be killed", _alone(part))
    return Finding(part, Status.FAIL, f"its examination took longer than {patience_s:g} s", _alone(part))


def _alone(part: str) -> str:
    return f"see where by 'deepmovie doctor --only {part}'; most often a package or a driver must be installed anew"


def _print_json(findings: Sequence[Finding]) -> None:
    worst = max((finding.status for finding in findings), key=list(Status).index, default=Status.OK)
    found = {"status": worst, "findings": [asdict(finding) for finding in findings]}
    print(json_text.dumps(found, indent=2))  # noqa: T201 - what the command was asked for


def _print_lines(findings: Sequence[Finding]) -> None:
    console = Console()
    width = max((len(finding.name) for finding in findings), default=0)
    for finding in findings:
        line = Text.assemble(
            (f"{finding.status:<5}", COLORS[finding.status]), f"{finding.name:<{width}}  {finding.found}"
        )
        console.print(line, soft_wrap=True)
        if finding.mend:
            console.print(Text(f"{'':<{5 + width}}  mend: {finding.mend}"), soft_wrap=True)
    counts = [f"{sum(finding.status is status for finding in findings)} {status}" for status in Status]
    console.print(Text(", ".join(counts)))
