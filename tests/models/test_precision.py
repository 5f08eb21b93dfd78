"""The faster precision is taken, and only if its results are right."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

import models.precision
from models.precision import convolution, fastest_precision

CPU = torch.device("cpu")


def slept(seconds: float) -> Callable[[], None]:
    return lambda: time.sleep(seconds)


@pytest.mark.parametrize("faster", [torch.float32, torch.bfloat16])
def test_the_faster_precision_is_taken(monkeypatch: pytest.MonkeyPatch, faster: torch.dtype) -> None:
    monkeypatch.setattr(
        models.precision, "convolution", lambda _device, dtype: slept(0.0005 if dtype is faster else 0.003)
    )
    assert fastest_precision(CPU) is faster


def test_this_processor_runs_both_right_and_keeps_its_threads() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert all(convolution(CPU, dtype) for dtype in (torch.float32, torch.bfloat16))
        assert fastest_precision(CPU) in {torch.float32, torch.bfloat16}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_a_precision_whose_results_are_wrong_is_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = torch.nn.functional.conv2d

    def wrong(maps: torch.Tensor, weight: torch.Tensor, **options: int) -> Any:
        result = real(maps, weight, **options)
        return result * 1.5 if maps.dtype is torch.bfloat16 else result

    monkeypatch.setattr("torch.nn.functional.conv2d", wrong)
    assert convolution(CPU, torch.bfloat16) is None
    assert fastest_precision(CPU) is torch.float32


def test_a_precision_without_a_kernel_is_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = torch.nn.functional.conv2d

    def missing(maps: torch.Tensor, weight: torch.Tensor, **options: int) -> Any:
        if maps.dtype is torch.bfloat16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return real(maps, weight, **options)

    monkeypatch.setattr("torch.nn.functional.conv2d", missing)
    assert fastest_precision(CPU) is torch.float32
