"""Memory before the start: what is free is read as the kernel tells it, and what does not fit is painted smaller."""

import os
from pathlib import Path

import pytest
import torch
from structlog.testing import capture_logs

from streamer import machine
from streamer.cgroup import memory_left_bytes
from streamer.memory import affordable_size, estimate_mib, fit_at, free_mib
from streamer.sizing import steps_down
from tests.end_to_end.daemon import Kit, deepmovie

CPU = torch.device("cpu")
MIB = 2**20


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_the_tightest_group_decides_and_files_that_lie_idle_are_free(tmp_path: Path) -> None:
    """The kernel's present way: one tree, and a limit at any of its levels."""
    write(tmp_path / "proc/self", cgroup="0::/system.slice/deepmovie.service")
    top = tmp_path / "sys/fs/cgroup"
    write(top / "system.slice", memory__max=1000, memory__current=700, memory__stat="anon 5\ninactive_file 100")
    write(top / "system.slice/deepmovie.service", memory__max="max", memory__current=300)
    assert memory_left_bytes(tmp_path) == 1000 - 700 + 100
    write(top / "system.slice/deepmovie.service", memory__max=500)
    assert memory_left_bytes(tmp_path) == 500 - 300


def test_a_container_in_the_kernels_older_way_sees_its_limit_at_the_top(tmp_path: Path) -> None:
    write(tmp_path / "proc/self", cgroup="5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n0::/")
    stat = "inactive_file 1\ntotal_inactive_file 20"
    write(tmp_path / "sys/fs/cgroup/memory", memory__limit_in_bytes=900, memory__usage_in_bytes=400, memory__stat=stat)
    assert memory_left_bytes(tmp_path) == 900 - 400 + 20


def test_without_a_limit_nothing_is_known(tmp_path: Path) -> None:
    assert memory_left_bytes(tmp_path) is None
    write(tmp_path / "proc/self", cgroup="0::/")
    write(tmp_path / "sys/fs/cgroup", memory__max="max", memory__current=1)
    assert memory_left_bytes(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="there is no /proc/meminfo")
def test_what_this_process_has_is_free_for_it() -> None:
    left, own, total = machine.memory_left_mib(), machine.memory_mib(os.getpid())["now"], machine.total_memory_mib()
    free = free_mib(CPU)
    assert left is not None
    assert total is not None
    assert free is not None
    assert 0 < left < total
    assert free == pytest.approx(left + own, abs=200)


def test_what_fits_is_painted_as_it_was_wanted_and_nobody_is_told() -> None:
    with capture_logs() as logs:
        assert affordable_size(640, CPU, free=lambda _: 1e6) == 640
        assert affordable_size(640, CPU, free=lambda _: None) == 640
    assert logs == []


def test_what_does_not_fit_is_painted_at_the_largest_size_that_does() -> None:
    room = fit_at(540, CPU).needed_mib + 1
    with capture_logs() as logs:
        assert affordable_size(1280, CPU, free=lambda _: room) == 540
    assert logs == [
        {
            "event": "memory_tight",
            "log_level": "warning",
            "size": 1280,
            "needed_mib": round(fit_at(1280, CPU).needed_mib),
            "free_mib": round(room),
            "painted_size": 540,
        }
    ]


def test_where_no_size_fits_a_smaller_picture_would_not_help() -> None:
    with capture_logs() as logs:
        assert affordable_size(640, CPU, free=lambda _: 10.0) == 640
    assert [(each["event"], each["painted_size"]) for each in logs] == [("memory_tight", 640)]


def test_the_sizes_to_try_end_at_the_smallest() -> None:
    assert list(steps_down(200)) == [200, 150, 112, 84]
    assert list(steps_down(40)) == [40]


def test_a_tall_frame_is_assumed_as_the_camera_is_not_known_yet() -> None:
    assert fit_at(640, CPU).needed_mib == estimate_mib((480, 640), CPU) > estimate_mib((360, 640), CPU)


def test_the_daemon_says_that_memory_is_tight_and_paints_smaller(tmp_path: Path) -> None:
    if not fit_at(4096, CPU).is_tight:
        pytest.skip("this machine has memory for the largest size")
    kit = Kit.made_in(tmp_path)
    with deepmovie(kit.command("test:#size=64x48", "null:", size=4096), kit.environment) as daemon:
        told = daemon.await_entry("memory_tight").facts
        started = daemon.await_entry("started").facts
        stats = daemon.await_stats(lambda stats: stats["published"] > 0)
    assert told["size"] == 4096
    assert told["needed_mib"] > told["free_mib"]
    assert started["size"] == told["painted_size"] < 4096
    assert stats["state"] == "degraded"
