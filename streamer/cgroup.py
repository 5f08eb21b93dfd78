"""The memory that the kernel grants the group of processes that we are in, as containers and services are."""

import re
from collections.abc import Iterator
from pathlib import Path


def memory_left_bytes(root: Path = Path("/")) -> int | None:
    """Return what may still be taken in the tightest of our groups; None if there is no limit.

    Pages of files that the group has not used lately count as free: the kernel takes them first.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    return min((left for group in _groups(root) if (left := _left(group)) is not None), default=None)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of our groups, from the innermost up, in either of the kernel's two ways to show them."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, inside = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        # Inside a container the path may be one of the machine outside: the innermost that is here is ours.
        yield from (top / part for part in (Path(inside.lstrip("/")), *Path(inside.lstrip("/")).parents))


def _left(group: Path) -> int | None:
    for limit, usage, idle in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, used = _read(group / limit).strip(), _read(group / usage).strip()
        if most.isdigit() and used.isdigit():
            found = re.search(rf"^{idle} (\d+)$", _read(group / "memory.stat"), flags=re.MULTILINE)
            return int(most) - int(used) + (int(found[1]) if found else 0)
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # no such group, no such way to show it, or not Linux
        return ""
