"""Every setting of painting, on a real clip: it runs from end to end, and the picture is another one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamer.paint import Paint
from tests.onnx_files import color_inverter, shift_finder
from tests.streamer.render.material import bikes, hashes, write

OPTIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "style": [{"style": "starry"}],
    "blend": [{"blend": "harvest"}],
    "blend_weight": [{"blend": "harvest", "blend_weight": 0.9}],
    "mix": [{"mix": ["starry=0.5", "harvest=0.2"]}],
    "style_strength": [{"style_strength": 0.8}],
    "steadiness": [{"steadiness": 0.8}],
    "color": [{"color": "content"}, {"color": "matched"}],
    "light": [{"light": 1.0}],
    "init": [{"init": "flow"}, {"init": "previous"}, {"init": "independent"}],
    "optimizer": [{"optimizer": "lbfgs"}],
    "flow": [{"flow": "onnx:{flow}"}],
    "fill": [{"fill": "frame"}, {"fill": "onnx:{fill}"}],
    "style_scale": [{"style_scale": 2.0}],
    "mask": [{"mask": "{mask}"}],
    "content_layers": [{"content_layers": ["conv3_2"]}, {"content_layers": ["conv4_2", "conv2_2=0.3"]}],
    "style_layers": [{"style_layers": ["conv1_1", "conv2_1=3"]}],
    "content_weight": [{"content_weight": 10.0}],
    "style_weight": [{"style_weight": 3.0}],
    "variation_weight": [{"variation_weight": 50.0}],
    "temporal_weight": [{"temporal_weight": 4000.0}],
    "temporal_loss": [{"temporal_weight": 4000.0, "temporal_loss": "robust"}],
    "balance": [{"balance": "shares", "style_weight": 1000.0}],
    "pooling": [{"pooling": "average"}],
}
"""By setting: what to set."""
ELSEWHERE = {"fade_s", "fps", "iterations", "size", "lag", "styles_folder", "weights", "device"}
"""Settings that are of the stream and not of the picture, or that every test sets; shown in other files."""
CASES = [case for cases in OPTIONS.values() for case in cases]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return six frames of street traffic, with a cut in their middle."""
    return write(tmp_path_factory.mktemp("clip") / "clip.mp4", bikes()[27:33])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the files that settings name."""
    folder = tmp_path_factory.mktemp("files")
    mask = np.zeros((64, 128), np.uint8)
    mask[:, 64:] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    return {
        "flow": str(shift_finder(folder / "flow.onnx")),
        "fill": str(color_inverter(folder / "fill.onnx")),
        "mask": str(folder / "mask.png"),
    }


@pytest.fixture(scope="module")
def made(clip: Path, files: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """Return the hashes of the painted frames, by what was set."""
    folder = tmp_path_factory.mktemp("films")
    cases = [{}, *CASES]
    return {
        str(case): hashes(clip, folder / f"{at}.mp4", iterations=3, settings=_named(case, files))
        for at, case in enumerate(cases)
    }


def _named(case: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    return {key: value.format(**files) if isinstance(value, str) else value for key, value in case.items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_picture_is_another_one(made: Mapping[str, list[str]], case: Mapping[str, Any]) -> None:
    assert len(made[str(case)]) == 6
    others = [lines for set_to, lines in made.items() if set_to != str(case)]
    assert made[str(case)] not in others


def test_no_setting_is_forgotten() -> None:
    assert set(OPTIONS) | ELSEWHERE == set(Paint.model_fields)
