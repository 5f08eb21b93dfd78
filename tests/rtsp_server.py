"""Start, kill and freeze a real RTSP server (`tests/gst_rtsp.py`), and read the time its frames carry."""

import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.server_process import ServerProcess

PYTHON = "/usr/bin/python3"
PROBE = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
missing = [name for name in ("x264enc", "rtph264pay", "decodebin", "openh264dec") if not Gst.ElementFactory.find(name)]
assert not missing, f"GStreamer lacks {missing}"
"""


@cache
def missing() -> str | None:
    """Return what keeps the server from running here, or None."""
    try:
        probe = subprocess.run([PYTHON, "-c", PROBE], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return None if probe.returncode == 0 else probe.stderr.strip().rpartition("\n")[2] or "GStreamer lacks an element"


def require_server() -> None:
    """Skip the test where GStreamer's RTSP server is not installed; in continuous integration, fail."""
    if reason := missing():
        if os.environ.get("CI") == "true":
            pytest.fail(f"GStreamer's RTSP server must be installed here: {reason}")
        pytest.skip(f"no GStreamer RTSP server: {reason}")


class RtspServer(ServerProcess):
    """A server in a process of its own; listens from construction on.

    Args:
        clip: a film to be served, looped, as ``/clip``.
        login: user and password, if it shall ask for them.
        digest: ask in the digest way, not the basic one.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        *,
        clip: Path | None = None,
        login: tuple[str, str] | None = None,
        digest: bool = False,
        size: tuple[int, int] = (320, 180),
        fps: int = 25,
        port: int = 0,
    ) -> None:
        require_server()
        self._login = login
        command = [PYTHON, str(Path(__file__).with_name("gst_rtsp.py")), "--port", str(port), "--fps", str(fps)]
        command += ["--width", str(size[0]), "--height", str(size[1])]
        command += ["--clip", str(clip)] if clip else []
        command += ["--user", login[0], "--password", login[1]] if login else []
        command += ["--digest"] if digest else []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        ready, _, bound = self.process.stdout.readline().partition(" ")
        assert ready == "READY", f"the server did not start: {self.process.wait(10)}"
        self.port = int(bound)

    def url(self, path: str, *, login: tuple[str, str] | None = None) -> str:
        """Return the URL of a path, with the server's own login unless told otherwise."""
        user = login or self._login
        return f"rtsp://{':'.join(user) + '@' if user else ''}127.0.0.1:{self.port}/{path}"


def read_stamp(image: NDArray[np.uint8]) -> float:
    """Return the `time.monotonic()` at which a frame of ``/stamp`` was made, in s (within the last 2^32 ms)."""
    height, width = image.shape[:2]
    cell = width // 16
    columns = np.arange(16) * cell + cell // 2
    rows = (height // 8, height // 4 + height // 8)
    bits = np.concatenate([image[row, columns, 1] > 127 for row in rows])
    return float((bits * (1 << np.arange(32, dtype=np.int64))).sum()) / 1000
