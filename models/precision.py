"""Which precision the network runs in: measured, as neither the name of a processor nor its flags tell the speed."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

MAPS, SIDE, ROUNDS = 64, 48, 12


def fastest_precision(device: torch.device) -> torch.dtype:
    """Return bfloat16 where it makes the network's convolutions faster than float32, else float32.

    Emulated bfloat16 is slower. Takes some 50 ms.
    """
    works = {dtype: convolution(device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    best = dict.fromkeys(works, math.inf)
    with _one_thread():  # less of the machine's other work gets between
        for _ in range(ROUNDS):
            for dtype, work in works.items():
                if work is not None:
                    best[dtype] = min(best[dtype], _seconds(work, device))
    return min(best, key=lambda dtype: best[dtype])


def convolution(device: torch.device, dtype: torch.dtype) -> Callable[[], object] | None:
    """Return a 3 x 3 convolution to run, like the network's; None where the device has none or a wrong one."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, MAPS, SIDE, SIDE, generator=generator)
    weight = torch.randn(MAPS, MAPS, 3, 3, generator=generator) / (3 * MAPS**0.5)
    own_maps, own_weight = (each.to(device, dtype, memory_format=torch.channels_last) for each in (maps, weight))

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return F.conv2d(own_maps, own_weight, padding=1)

    expected = F.conv2d(maps[..., :8, :8], weight)
    try:
        found = run()[..., 1:7, 1:7].float().cpu()
    except RuntimeError:  # no such kernel
        return None
    return run if torch.allclose(found, expected, rtol=0.05, atol=0.05) else None


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    _finish(device)
    began = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - began


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
