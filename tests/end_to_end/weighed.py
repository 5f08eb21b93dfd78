"""The real daemon, which tells after every so many frames what it takes of the machine: as ``weighed`` in its log.

    python -m tests.end_to_end.weighed run SOURCE SINK...

Resident memory alone shows no leak for a long time, as the allocator keeps what was freed and hands it out again. So
what is handed out is told, too; and both at the same moment of each frame, when no iteration is under way.
"""

import ctypes
import os
import sys
import tempfile
from pathlib import Path

import psutil
import structlog

from protocols.frame import Frame
from streamer.cli import main
from streamer.telemetry import Telemetry

EVERY = 10
_MALLINFO2 = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Mallinfo2(ctypes.Structure):
    """What glibc's allocator says of itself: see ``mallinfo(3)``."""

    _fields_ = [(name, ctypes.c_size_t) for name in _MALLINFO2]


def allocated_bytes() -> int:
    """Return how much memory the C library has handed out and not got back."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Mallinfo2
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd)


def weigh() -> None:
    """Let the daemon of this process weigh itself."""
    log, process, publish, count = structlog.get_logger(), psutil.Process(), Telemetry.publish, [0]

    def weighing(self: Telemetry, frame: Frame) -> None:
        publish(self, frame)
        count[0] += 1
        if count[0] % EVERY == 0:
            log.info(
                "weighed",
                published=count[0],
                resident_bytes=process.memory_info().rss,
                allocated_bytes=allocated_bytes(),
                descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - no object for each
                threads=process.num_threads(),
                files=sum(1 for _ in Path(tempfile.gettempdir()).rglob("*")),
            )

    Telemetry.publish = weighing  # type: ignore[method-assign]


if __name__ == "__main__":
    weigh()
    sys.exit(main())
