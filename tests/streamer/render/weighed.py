"""Renders in a process of its own, and says how much memory that took at most.

python -m tests.streamer.render.weighed SOURCE OUT
"""

import io
import resource
import subprocess
import sys
from pathlib import Path


def peak_mib(source: Path, out: Path) -> float:
    """Return the most memory that a process had which rendered this film."""
    command = [sys.executable, "-m", __name__, str(source), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def _main(source: str, out: str) -> None:
    from rich.console import Console

    from streamer.allocator import keep_memory
    from streamer.render.rendering import render
    from tests.streamer.render.material import wish

    keep_memory()
    code = render(wish(Path(source), Path(out), first_iterations=1), console=Console(file=io.StringIO()))
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    sys.exit(code)


if __name__ == "__main__":
    _main(*sys.argv[1:])
