"""What this machine is, and what a process takes of it."""

import os
import platform
import re
import time
from pathlib import Path

from streamer import cgroup

_MIB = 2**20


def processor() -> str:
    """Return the processor's name, as it calls itself."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), flags=re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def multipliers() -> list[str]:
    """Return what the processor has for bfloat16, in its own words; empty if nothing is known."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), flags=re.MULTILINE)
    return [flag for flag in ("amx_bf16", "avx512_bf16", "bf16") if found and flag in found[1].split()]


def load() -> float:
    """Return how many processes wanted a processor in the last minute."""
    return os.getloadavg()[0]


class Company:
    """Who else uses the processors from now on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy_s = _busy_s()
        self._own_s = _own_s()

    def share(self) -> float | None:
        """Return which share of all processors others took since then; None if unknown.

        Children count as ours once they have ended.
        """
        available_s = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        if self._busy_s is None or (busy_s := _busy_s()) is None or available_s <= 0:
            return None
        return max(0.0, busy_s - self._busy_s - (_own_s() - self._own_s)) / available_s


def _busy_s() -> float | None:
    """Return how long all processors together have worked: all but idle and waiting, since the machine started."""
    found = re.search(r"^cpu +(\d+) (\d+) (\d+) \d+ \d+ (\d+) (\d+) (\d+)", _read(Path("/proc/stat")))
    return sum(map(int, found.groups())) / os.sysconf("SC_CLK_TCK") if found else None


def _own_s() -> float:
    return sum(os.times()[:4])


def total_memory_mib() -> float | None:
    """Return the machine's memory; None if unknown."""
    found = re.search(r"^MemTotal:\s*(\d+) kB$", _read(Path("/proc/meminfo")), flags=re.MULTILINE)
    return int(found[1]) * 1024 / _MIB if found else None


def memory_left_mib() -> float | None:
    """Return how much more memory this process may take, of the machine and within its group; None if unknown."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", _read(Path("/proc/meminfo")), flags=re.MULTILINE)
    of_machine = [int(found[1]) * 1024] if found else []
    of_group = cgroup.memory_left_bytes()
    left = min([*of_machine, *([] if of_group is None else [of_group])], default=None)
    return None if left is None else left / _MIB


def memory_mib(pid: int) -> dict[str, float]:
    """Return the resident memory of a process, now and at most: ``{"now": ..., "most": ...}``; empty if unknown."""
    status = _read(Path(f"/proc/{pid}/status"))
    found = {name: re.search(rf"^{key}:\s*(\d+) kB$", status, flags=re.MULTILINE) for name, key in _MEMORY.items()}
    return {name: int(match[1]) * 1024 / _MIB for name, match in found.items() if match}


_MEMORY = {"now": "VmRSS", "most": "VmHWM"}


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # not Linux, or the process is gone
        return ""
