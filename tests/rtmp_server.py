"""Start, kill and freeze a real RTMP server: nginx with its RTMP module."""

import os
import shutil
import socket
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest

from tests.server_process import ServerProcess

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
PATIENCE_S = 20.0
CONFIGURATION = f"""
load_module {MODULE};
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
rtmp {{
  access_log off;
  server {{
    listen 127.0.0.1:PORT;
    application live {{ live on; }}
    application closed {{ live on; deny publish all; }}
  }}
}}
"""


@cache
def missing() -> str | None:
    """Return what keeps the server from running here, or None."""
    if shutil.which("nginx") is None:
        return "no nginx"
    return None if MODULE.exists() else f"no {MODULE}"


def require_server() -> None:
    """Skip the test where nginx and its RTMP module are not installed; in continuous integration, fail."""
    if reason := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"nginx and its RTMP module must be installed here: {reason}")
        pytest.skip(f"no RTMP server: {reason}")


class RtmpServer(ServerProcess):
    """A server in a process of its own; listens from construction on.

    Args:
        folder: for its files.
        port: 0 takes a free one.
    """

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        require_server()
        self.port = port or _free_port()
        (folder / "logs").mkdir(exist_ok=True)
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.replace("PORT", str(self.port)))
        command = ["nginx", "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, text=True)
        self._await()

    def url(self, path: str) -> str:
        """Return the URL of a path, such as ``live/name``."""
        return f"rtmp://127.0.0.1:{self.port}/{path}"

    def _await(self) -> None:
        """Return once it listens."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except ConnectionRefusedError:
                assert self.process.poll() is None, f"the server ended with {self.process.returncode}"
                assert time.monotonic() < deadline, "the server does not listen"
                time.sleep(0.01)
            else:
                return


def _free_port() -> int:
    """Return a port that was free a moment ago: nginx cannot choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
