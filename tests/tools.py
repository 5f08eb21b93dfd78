"""Programs that only some tests need: missing ones skip a test, but fail it in CI, where nothing may be missing."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def needed(reason: str | None) -> None:
    """Skip for this reason, if there is one; fail in CI."""
    if reason:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def tool(name: str, package: str) -> str:
    """Return where a program lies, beside Python or on the PATH; skip without it, and name what brings it."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    needed(None if found else f"needs {name} ({package})")
    return found or name
