"""The command line, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

import pytest

from streamer import redaction
from streamer.cli import COMMANDS, main
from streamer.config import Config
from streamer.reference import reference
from streamer.settings import KEYS, Inputs, load

HEAVY = {"torch", "torchvision", "onnxruntime", "cv2", "av", "zmq"}


class Ended(NamedTuple):
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str


class Deepmovie(Protocol):
    def __call__(self, *arguments: str) -> Ended: ...


@pytest.fixture
def deepmovie(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Deepmovie:
    """Run the command line within this process; afterwards the secrets it registered are forgotten."""
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: str) -> Ended:
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Ended(code, *capsys.readouterr())

    return run


def test_quick_commands_import_nothing_heavy() -> None:
    code = (
        "import sys; from streamer.cli import main\n"
        f"for arguments in {[*([command, '--help'] for command in COMMANDS), ['--help'], ['check'], ['version']]}:\n"
        "    try: main(arguments)\n"
        "    except SystemExit as exit: assert exit.code == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage: deepmovie run" in ended.stdout
    assert "paint.fps" in ended.stdout
    assert not HEAVY & set(ended.stderr.split())


def test_the_package_runs_as_a_program_and_passes_its_exit_code_on() -> None:
    ended = subprocess.run([sys.executable, "-m", "streamer", "rum"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "unknown command 'rum'; did you mean run?\nTry 'deepmovie --help'.\n"


def test_it_ends_quietly_when_nobody_reads_what_it_prints() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "streamer", "check"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as check:
        assert check.stdout is not None
        check.stdout.close()
        assert check.stderr is not None
        assert check.stderr.read() == ""
    assert check.returncode == 141


@pytest.mark.parametrize("command", ["version", "schema"])  # less and more than is buffered
def test_a_full_disk_below_what_it_prints_is_told_of(command: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "streamer", command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 75
    assert ended.stderr == "what it prints cannot be written: No space left on device\n"


def test_it_may_have_nowhere_to_print() -> None:
    closed = ["sh", "-c", 'exec "$0" -m streamer check >&-', sys.executable]
    ended = subprocess.run(closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    os.mkfifo(feed := tmp_path / "settings.toml")
    with (
        subprocess.Popen(
            ["env", "--default-signal=INT", sys.executable, "-m", "streamer", "check", "-c", str(feed)],
            stderr=subprocess.PIPE,
            text=True,
        ) as check,
        feed.open("w"),
    ):  # it has begun to read its settings
        check.send_signal(signal.SIGINT)
        _, said = check.communicate(timeout=30)
    assert (check.returncode, said) == (130, "stopped\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_with_examples(deepmovie: Deepmovie, command: str) -> None:
    ended = deepmovie(command, "--help")
    assert ended.code == 0
    assert f"deepmovie {command}" in ended.stdout.partition("examples:")[2]


def test_without_a_command_the_commands_are_listed(deepmovie: Deepmovie) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        ended = deepmovie(*arguments)
        assert ended.code == 0
        assert all(f"  {command} " in ended.stdout for command in COMMANDS)


def test_run_help_names_the_built_in_styles(deepmovie: Deepmovie) -> None:
    shown = deepmovie("run", "--help").stdout
    assert all(style in shown for style in ("starry", "harvest", "storm", "blossom"))


def test_version_is_that_of_the_package(deepmovie: Deepmovie) -> None:
    assert deepmovie("version").stdout.startswith("deepmovie 0.")
    assert deepmovie("--version").stdout == deepmovie("version").stdout


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["rum"], "did you mean run?"),
        (["run", "--fsp", "3"], "did you mean --fps?"),
        (["check", "--sytle=storm"], "did you mean --style?"),
        (["run", "--st", "storm"], "unknown argument '--st'"),
        (["run", "--fps"], "expected one argument"),
        (["run", "--set", "fps"], "--set takes KEY=VALUE, got 'fps'"),
        (["run", "--fps", "3", "--set", "paint.fps=3"], "paint.fps is given twice"),
        (["send", "test:"], "required: URL"),
        (["send", "test:", "null:", "--fps", "0"], "expected a number above 0"),
        (["send", "test:", "null:", "--frames", "1.5"], "expected a whole number above 0"),
        (["demo", "now"], "unknown argument 'now'"),
        (["version", "now"], "unknown argument 'now'"),
        (["bench", "--flows", "dis", "--peers"], "--flows measures flows and nothing else"),
        (["bench", "--frames", "8"], "--frames needs --quality"),
        (["compare", "test:", "--set", "http.listen=off"], "http.listen decides nothing here"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_hint(deepmovie: Deepmovie, arguments: list[str], hint: str) -> None:
    ended = deepmovie(*arguments)
    assert (ended.code, ended.stdout) == (2, "")
    assert hint in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["run", "--fps", "fast"], "command line: paint.fps: expected a number from 0.1 to 240, got 'fast'"),
        (["run", "--set", "fps=3"], "did you mean paint.fps?"),
        (["check", "--style", "strom"], "did you mean storm?"),
        (["check", "-c", "/nowhere.toml"], "/nowhere.toml: cannot be read: No such file or directory"),
        (["check", "test:", "tcp://0.0.0.0:5556"], "allow_insecure = true"),
        (["send", "gopher://x", "null:"], "expected"),
        (["send", "test:", "tcp://0.0.0.0:5556"], "--allow-insecure"),
    ],
)
def test_wrong_settings_end_with_78_without_a_traceback(deepmovie: Deepmovie, arguments: list[str], hint: str) -> None:
    ended = deepmovie(*arguments)
    assert (ended.code, ended.stdout) == (78, "")
    assert hint in ended.stderr
    assert ended.stderr.startswith("1 problem in the configuration:\n")
    assert "Traceback" not in ended.stderr


def test_check_shows_every_value_and_its_origin(
    deepmovie: Deepmovie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hall.toml"
    path.write_text('name = "hall"\n[paint]\nfps = 5\n')
    arguments = ["check", "rtsp://u:hunter2@camera/live", "--iterations", "3", "null:", "-c", str(path), "--no-once"]
    monkeypatch.setenv("DEEPMOVIE_PAINT__FPS", "7")
    rows = [line.split(maxsplit=2) for line in deepmovie(*arguments).stdout.splitlines()]
    table = {key: (value, origin) for key, value, origin in rows}
    assert list(table) == list(KEYS)
    assert table["name"] == ('"hall"', f"file {path}")
    assert table["paint.fps"] == ("7.0", "environment DEEPMOVIE_PAINT__FPS")
    assert table["paint.iterations"] == ("3", "command line")
    assert table["sinks"] == ('["null:"]', "command line")
    assert table["once"] == ("false", "command line")
    assert table["paint.size"] == ('"auto"', "default")
    assert "hunter2" not in str(table)
    again = json.loads(deepmovie(*arguments, "--json").stdout)
    assert again["paint.fps"] == {"value": 7.0, "origin": "environment DEEPMOVIE_PAINT__FPS"}
    assert "hunter2" not in str(again)


def test_what_check_shows_is_a_settings_file(deepmovie: Deepmovie, tmp_path: Path) -> None:
    arguments = ["check", "test:", "null:", "--style", "storm", "--size=64", "--style-strength=0.25", "--name=a"]
    path = tmp_path / "again.toml"
    rows = [line.split("  ")[0] + " = " + line.split("  ", 1)[1].strip().split("  ")[0] for line in
            deepmovie(*arguments).stdout.splitlines()]  # fmt: skip
    path.write_text("\n".join(rows))
    assert load(path, {}, {}).config.paint.style == "storm"
    assert load(path, {}, {}).config.paint.style_strength == 0.25


def test_the_template_is_the_reference_file(deepmovie: Deepmovie) -> None:
    assert deepmovie("check", "--template").stdout == reference()


def test_a_bug_ends_with_1_and_shows_no_password(deepmovie: Deepmovie, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(config: Config, _inputs: Inputs) -> int:
        raise RuntimeError(f"cannot open {config.source}, hunter2 is wrong")

    broken = ModuleType("streamer.daemon")
    vars(broken)["run"] = run
    monkeypatch.setitem(sys.modules, "streamer.daemon", broken)
    ended = deepmovie("run", "rtsp://u:hunter2@camera/live")
    assert ended.code == 1
    assert "RuntimeError: cannot open rtsp://" in ended.stderr
    assert "hunter2" not in ended.stderr
