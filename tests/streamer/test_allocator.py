"""Memory that an iteration frees is there for the next one, without the kernel."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, threading
from streamer.allocator import keep_memory
if sys.argv[1] == "kept":
    assert keep_memory()
import torch

def work():
    before = 0
    for index in range(44):
        if index == 4:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        maps = [torch.ones(size << 20, dtype=torch.uint8) for size in (48, 24, 6)]
        del maps
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def page_faults(mode: str) -> int:
    found = subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True)
    return int(found.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's way")
def test_maps_of_a_thread_are_allocated_again_without_page_faults() -> None:
    # What is kept may have to grow once more in the turns that count; what is given back is asked for in each of them.
    assert page_faults("kept") < page_faults("not kept") / 3
