"""Optical flows are measured against the truth: known errors come out as they are."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from protocols import scene
from streamer.bench_flow import FlowRow, measure, steady_frames
from streamer.cli import main
from streamer.config import ConfigError
from streamer.flows import make_flow
from streamer.scene_flow import Pair
from tests.onnx_files import color_inverter, failing_on_wide_pictures, shift_finder

CPU = torch.device("cpu")
SIZE = 128, 72


def truth(pair: Pair) -> Tensor:
    return torch.from_numpy(pair.known).permute(2, 0, 1)[None]


@pytest.fixture
def pair() -> Pair:
    """Return two neighboring frames."""
    return Pair.of(5, width=SIZE[0], height=SIZE[1], device=CPU)


def test_the_error_is_the_mean_distance_to_the_truth_where_it_is_known(pair: Pair) -> None:
    assert pair.error(truth(pair)) == 0
    assert pair.error(truth(pair) + torch.tensor([3.0, -4.0]).view(1, 2, 1, 1)) == pytest.approx(5)
    assert pair.error(torch.zeros_like(truth(pair))) == pair.motion
    assert 0.5 < pair.motion < 5
    hidden = ~torch.from_numpy(pair.visible)
    assert bool(hidden.any())
    assert pair.error(truth(pair) + 100 * hidden) == 0


def test_the_frames_of_a_pair_are_those_of_the_scene(pair: Pair) -> None:
    for index, image in ((5, pair.origin), (6, pair.target)):
        pixels = image[0].permute(1, 2, 0).mul(255).round().to(torch.uint8).numpy()
        assert np.array_equal(pixels, scene.render(index, width=SIZE[0], height=SIZE[1]))


def test_flows_are_measured_apart_from_cuts_and_flashes() -> None:
    frames = steady_frames()
    assert len(frames) > 15
    assert any(index < max(scene.CUTS) for index in frames)
    assert any(index > max(scene.CUTS) for index in frames)
    for index in frames:
        assert not {index, index + 1} & scene.FLASHES
        assert scene.visible(index, index + 1, width=32, height=18).any(), "a cut has no flow"


def test_each_flow_has_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shift_finder(tmp_path / "flow.onnx")
    assert main(["bench", "--flows", f"onnx:{path}", "--sizes", "128x72", "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["size"], found["device"]) == ([128, 72], "cpu")
    none, dis, network = (FlowRow(**row) for row in found["flows"])
    assert [row.flow for row in (none, dis, network)] == ["none", "dis", f"onnx:{path}"]
    assert dis.error_px < 0.2
    assert dis.flash_error_px < 0.5
    assert dis.error_px < network.error_px < 0.6 < none.error_px, "the network finds whole pixels only"
    assert all(row.ms > 0 for row in (none, dis, network))


def test_a_table_is_shown_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--flows", "dis", "--sizes", "64x36", "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "optical flow on the built-in scene at 64x36" in shown
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("│")] == ["none", "dis"]


def test_a_network_that_fails_gets_no_row_made_by_another(tmp_path: Path) -> None:
    flow = make_flow(f"onnx:{failing_on_wide_pictures(tmp_path / 'flow.onnx')}", device=CPU)
    with pytest.raises(ConfigError, match=r"paint\.flow: onnx:x: .*out of data bounds"):
        measure({"onnx:x": flow}, size=(208, 117), device=CPU)


def test_a_flow_that_is_none_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--flows", "onnx:/nowhere/flow.onnx"]) == 78
    assert "paint.flow: there is no file '/nowhere/flow.onnx'" in capsys.readouterr().err
    assert main(["bench", "--flows", f"onnx:{color_inverter(tmp_path / 'fill.onnx')}", "--sizes", "64x36"]) == 78
    assert "expected 2 inputs (origin, target), got picture" in capsys.readouterr().err
