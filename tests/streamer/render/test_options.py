"""Each option of a render, and each setting of painting, changes what is painted, on the real clip."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from models.raft import Kind, fitting_of
from streamer.paint import Paint
from tests.clips import HEIGHT, WIDTH, film
from tests.onnx_files import color_inverter, shift_finder
from tests.streamer.render.material import bikes, hashes, write
from tests.tiny import tiny_weights

CUT = 30
"""Of the clip: a frame that begins a scene."""
HELD = {"temporal_weight": 50.0}
SETTINGS: list[dict[str, Any]] = [
    {"style": "starry"},
    {"blend": "starry"},
    {"blend": "starry", "blend_weight": 0.9},
    {"mix": ("starry=0.5",)},
    {"style_strength": 0.9},
    {"style_scale": 2.0},
    {"color": "content"},
    {"color": "matched"},
    {"light": 1.0},
    {"mask": "half.png"},
    {"fill": "frame"},
    {"fill": "onnx:fill.onnx"},
    {"pooling": "average"},
    {"optimizer": "lbfgs"},
    {"balance": "shares"},
    {"content_layers": ("conv3_2",)},
    {"content_layers": ("conv4_2", "conv2_2=0.3")},
    {"style_layers": ("conv1_1", "conv2_1=3")},
    {"content_weight": 9.0},
    {"style_weight": 9.0},
    {"variation_weight": 90.0},
    {"weights": "other.safetensors"},
]
"""What changes every frame, the first of a scene too."""
OTHERS = {"init", "flow", "steadiness", "temporal_weight", "temporal_loss"}
"""What begins with the second frame of a scene: see below."""
ELSEWHERE = {"iterations", "size", "fps", "fade_s", "lag", "styles_folder", "device"}
"""What is an option of the command, or is of a live stream and not of its pictures."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with eight frames, a cut among them, four large ones, a mask, other weights, and two networks."""
    folder = tmp_path_factory.mktemp("options")
    write(folder / "source.mp4", bikes()[CUT - 4 : CUT + 4])
    write(folder / "wide.mp4", list(film("bikes")[CUT - 2 : CUT + 2]))
    half = np.zeros((64, 128, 3), np.uint8)
    half[:, 64:] = 255
    cv2.imwrite(str(folder / "half.png"), half)
    tiny_weights(folder / "other.safetensors", seed=3)
    color_inverter(folder / "fill.onnx")
    shift_finder(folder / "flow.onnx")
    return folder


def frames(
    folder: Path, name: str, settings: dict[str, Any], changes: dict[str, Any], *, source: str = "source.mp4"
) -> list[str]:
    """Return the hash of each frame."""
    named = {key: str(folder / value) if key in ("mask", "weights") else value for key, value in settings.items()}
    networks = {key: f"onnx:{folder / value[5:]}" for key, value in settings.items() if str(value).startswith("onnx:")}
    lines = hashes(folder / source, folder / f"{name}.mp4", overwrite=True, settings=named | networks, **changes)
    return [line.split()[2] for line in lines]


def raft_weights(path: Path, kind: Kind) -> Path:
    """Write random weights of torchvision's network."""
    from torchvision.models import optical_flow

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(getattr(optical_flow, f"raft_{kind}")(weights=None).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def plain(folder: Path) -> list[str]:
    return frames(folder, "plain", {}, {})


@pytest.mark.parametrize("changes", [{"iterations": 2}, {"first_iterations": 3}, {"passes": 2}, {"size": 48}])
def test_an_option_of_the_command_changes_every_frame_that_it_is_about(
    folder: Path, plain: list[str], changes: dict[str, Any]
) -> None:
    changed = [before != now for before, now in zip(plain, frames(folder, "out", {}, changes), strict=True)]
    if "iterations" in changes:
        assert changed == [place not in (0, 4) for place in range(8)]  # those begin a scene
    else:
        assert all(changed)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_setting_of_painting_changes_every_frame(folder: Path, plain: list[str], settings: dict[str, Any]) -> None:
    changed = frames(folder, "out", settings, {})
    assert all(before != now for before, now in zip(plain, changed, strict=True))


def test_each_way_to_begin_a_frame_gives_another_film_and_the_same_first_frame(folder: Path) -> None:
    ways = [frames(folder, "out", {"init": way}, {}) for way in ("independent", "previous", "flow", "carried")]
    assert len({way[0] for way in ways[:3]}) == 1
    for place in (1, 2, 3, 5, 6, 7):
        assert len({way[place] for way in ways}) == 4


@pytest.mark.parametrize("settings", [HELD, {"steadiness": 1.0}], ids="-".join)
def test_what_holds_a_frame_to_the_last_one_changes_all_that_have_one(
    folder: Path, plain: list[str], settings: dict[str, Any]
) -> None:
    held = frames(folder, "out", settings, {"iterations": 2})
    free = frames(folder, "free", {}, {"iterations": 2})
    assert [a != b for a, b in zip(held, free, strict=True)] == [place not in (0, 4) for place in range(8)]


def test_another_flow_changes_what_is_moved(folder: Path, plain: list[str]) -> None:
    other = frames(folder, "out", {"flow": "onnx:flow.onnx"}, {})
    assert [a != b for a, b in zip(other, plain, strict=True)] == [place not in (0, 4) for place in range(8)]


@pytest.mark.parametrize(("kind", "size"), [("small", 256), ("small", 64), ("large", 64)])
def test_raft_changes_what_is_moved_in_frames_that_it_takes_and_in_smaller_ones(
    folder: Path, kind: Kind, size: int
) -> None:
    """A failed network would leave the film as DIS has it."""
    network = f"raft-{kind}:{raft_weights(folder / 'raft.pth', kind)}"
    dis, raft = (frames(folder, "out", {"flow": flow}, {"size": size}, source="wide.mp4") for flow in ("dis", network))
    frame = size * HEIGHT // WIDTH, size
    assert (fitting_of(frame).padded == frame) == (size == WIDTH)
    assert [a != b for a, b in zip(raft, dis, strict=True)] == [False, True, False, True]


def test_the_kind_of_the_flow_loss_changes_the_film(folder: Path) -> None:
    robust, squared = (
        frames(folder, "out", HELD | {"temporal_loss": loss}, {"iterations": 3}) for loss in ("robust", "squared")
    )
    assert robust[1] != squared[1]


def test_crf_makes_the_file_smaller_and_paints_the_same(folder: Path, plain: list[str]) -> None:
    assert frames(folder, "coarse", {}, {"crf": 40}) == plain
    assert (folder / "coarse.mp4").stat().st_size < (folder / "plain.mp4").stat().st_size


def test_live_settings_change_nothing(folder: Path, plain: list[str]) -> None:
    assert frames(folder, "out", {"fps": 3.0, "fade_s": 9.0, "lag": 4, "iterations": 77}, {}) == plain


def test_no_setting_is_forgotten() -> None:
    tried = {key for settings in SETTINGS for key in settings}
    assert tried | OTHERS | ELSEWHERE == set(Paint.model_fields)
