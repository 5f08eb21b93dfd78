"""The engine, made from the settings."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamer.config import ConfigError
from streamer.engine import make_engine, make_gallery
from streamer.paint import Paint
from tests.endpoints import picture
from tests.tiny import tiny_weights

CPU = torch.device("cpu")


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """Return the path of a tiny network."""
    return str(tiny_weights(tmp_path / "tiny.safetensors"))


@pytest.fixture
def own(tmp_path: Path) -> str:
    """Return the path of a picture."""
    path = tmp_path / "own.png"
    assert cv2.imwrite(str(path), picture(96, 128))
    return str(path)


def test_the_settings_can_mix_two_paintings(weights: str, own: str, tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "other.png"), picture(96, 128, seed=1))
    other = str(tmp_path / "other.png")
    first, second, mixed = (
        make_engine(Paint(weights=weights, **paint), device=CPU, size=64).look.style.grams["conv2_1"]
        for paint in ({"style": own}, {"style": other}, {"style": own, "blend": other, "blend_weight": 0.25})
    )
    torch.testing.assert_close(mixed, 0.75 * first + 0.25 * second)


def test_a_second_painting_that_is_not_there_is_an_error_that_names_its_setting(weights: str, own: str) -> None:
    with pytest.raises(ConfigError, match=r"paint\.blend: no picture at /nowhere/x\.png"):
        make_engine(Paint(weights=weights, style=own, blend="/nowhere/x.png"), device=CPU, size=64)


def test_any_number_of_paintings_is_mixed_and_one_given_twice_is_one(weights: str, own: str, tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "other.png"), picture(96, 128, seed=1))
    other, again = str(tmp_path / "other.png"), f"{tmp_path}/./own.png"
    mixed = make_engine(Paint(weights=weights, style=own, mix=(f"{other}=2", f"{again}=1")), device=CPU, size=64)
    assert [share for _, share in mixed.mixture.parts] == [0.5, 0.5]
    first, second = (
        make_engine(Paint(weights=weights, style=style), device=CPU, size=64).look.style.grams["conv2_1"]
        for style in (own, other)
    )
    torch.testing.assert_close(mixed.look.style.grams["conv2_1"], (first + second) / 2)


def test_a_painting_of_a_mix_that_is_not_there_is_an_error_that_names_its_setting(weights: str, own: str) -> None:
    with pytest.raises(ConfigError, match=r"paint\.mix: no picture at /nowhere/x\.png"):
        make_engine(Paint(weights=weights, style=own, mix=("/nowhere/x.png=1",)), device=CPU, size=64)


def test_a_folder_of_styles_must_be_one(own: str) -> None:
    with pytest.raises(ConfigError, match=r"paint\.styles_folder: expected a folder, got '.*own\.png'"):
        make_gallery(Paint(styles_folder=own), size=64)


def test_the_gallery_has_the_built_in_paintings_those_of_the_settings_and_the_folders(
    tmp_path: Path, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    folder = tmp_path / "folder"
    folder.mkdir()
    assert cv2.imwrite(str(folder / "sea.jpg"), picture(96, 128))
    gallery = make_gallery(Paint(style="storm", blend=own, styles_folder=str(folder)), size=64)
    kinds = {painting.name: painting.kind for painting in gallery.describe()}
    assert kinds == {
        "starry": "built-in",
        "harvest": "built-in",
        "storm": "built-in",
        "blossom": "built-in",
        "own": "settings",
        "sea": "folder",
    }
    assert gallery.picture("storm").shape == (72, 96, 3), "one and a half times as long as the frames are"
    assert np.array_equal(gallery.picture("own"), picture(96, 128)[..., ::-1])
