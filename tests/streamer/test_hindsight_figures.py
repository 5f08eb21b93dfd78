"""Back-tracking holds neighbors to each other; each number of passes, and each lag, is another film."""

from itertools import combinations
from pathlib import Path

import cv2
import pytest
import torch

from streamer.engine import Engine, make_engine
from streamer.paint import Paint
from tests.endpoints import picture
from tests.streamer.hindsight_figures import Trial, rows, scene
from tests.tiny import tiny_weights


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Return an engine with the tiny network."""
    weights, style = tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "style.png"
    assert cv2.imwrite(str(style), cv2.resize(picture(6, 8, seed=9), (128, 96)))
    paint = Paint(weights=str(weights), style=str(style), size=64, device="cpu")
    return make_engine(paint, device=torch.device("cpu"), size=64)


def test_every_number_of_passes_and_every_lag_paints_another_film(engine: Engine) -> None:
    frames = scene("bikes", 64, count=4)
    trials = [Trial("passes", 6, way="flow", passes=passes) for passes in (1, 2, 3)]
    trials += [Trial("lag", 8, lag=lag) for lag in (0, 1, 2)]
    films = [trial.paint(engine, frames) for trial in trials]
    assert [len(film) for film in films] == [4] * 6
    for one, other in combinations(films, 2):
        assert not torch.equal(one[1], other[1])


def test_neighbors_are_nearer_to_each_other_for_it(engine: Engine) -> None:
    once, twice, now, later = (
        Trial("once", 12, way="flow"),
        Trial("twice", 12, way="flow", passes=2),
        Trial("now", 4),
        Trial("later", 4, lag=1),
    )
    found = rows(engine, [once, twice, now, later], scene("bikes", 64, count=10), reference=5)
    errors = {trial.name: row.temporal_rmse or 0.0 for trial, row in found}
    assert min(errors.values()) > 0
    assert errors["twice"] < 0.8 * errors["once"]
    assert errors["later"] < 0.9 * errors["now"]
