"""Colors, light, mixtures and masks: what they make of a real clip that runs through the whole pipeline."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.descent import Budget
from protocols.frame import Frame
from streamer.assemble import assemble
from streamer.config import Config
from streamer.engine import make_engine
from streamer.paint import Paint
from streamer.pipeline import Pipeline
from streamer.pixels import to_pixels, to_tensor
from tests.clips import brightened, film, flashed, photographs
from tests.endpoints import Item, RecordingSink, ScriptedSource, frame
from tests.tiny import tiny_weights

SIZE = 64
LUMA = np.array([0.299, 0.587, 0.114])
Clip = NDArray[np.uint8]


class Studio:
    """A tiny network, two paintings and a mask."""

    def __init__(self, folder: Path) -> None:
        self.weights = str(tiny_weights(folder / "tiny.safetensors"))
        for name in ("coffee", "rocket"):
            photograph = cv2.cvtColor(photographs()[name], cv2.COLOR_RGB2BGR)
            assert cv2.imwrite(str(folder / f"{name}.png"), cv2.resize(photograph, (192, 128)))
        mask = np.zeros((72, 128), np.uint8)
        mask[:, 64:] = 255
        assert cv2.imwrite(str(folder / "mask.png"), mask)
        self.folder = folder

    def path(self, name: str) -> str:
        return str(self.folder / f"{name}.png")

    def paint(self, **settings: Any) -> Paint:
        usual = {"style": self.path("coffee"), "weights": self.weights, "size": SIZE, "iterations": 2, "device": "cpu"}
        return Paint.model_validate({**usual, **settings})

    def painted(
        self, clip: Iterable[Clip], *, turns: dict[int, Callable[[Pipeline], object]] | None = None, **settings: Any
    ) -> Clip:
        """Return what becomes of each frame of a clip.

        Args:
            clip: the frames.
            turns: what to do, by how many frames came out before.
            settings: of painting.
        """
        sink, script = RecordingSink(), list[Item]()
        config = Config(source="test:", sinks=("null:",), once=True, paint=self.paint(**settings))
        parts = assemble(config)
        running: list[Pipeline] = []
        for number, image in enumerate(clip):
            script += [frame(number, image=image), partial(sink.await_frames, number + 1)]
            if turns and number in turns:
                script.append(partial(_each, turns[number], running))
        source = ScriptedSource(script, live=False)
        pipeline = Pipeline(replace(parts, source=source, sinks={"out": sink}), config, tell=lambda _: None)
        running.append(pipeline)
        pipeline.start_sinks()
        pipeline.start()
        written = sink.await_frames(sum(isinstance(item, Frame) for item in script), timeout_s=60)
        assert pipeline.drain(20) == []
        return np.stack([each.image for each in written])


def _each(turn: Callable[[Pipeline], object], running: Iterable[Pipeline]) -> None:
    for pipeline in running:
        turn(pipeline)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def plain(studio: Studio) -> Clip:
    """Return a clip painted with the settings as they are."""
    return studio.painted(film("bikes")[:6])


def light(clip: Clip) -> NDArray[np.float64]:
    """Return the mean luma of each frame, to 255."""
    means: NDArray[np.float64] = clip.mean((1, 2)) @ LUMA
    return means


def correlation(one: Clip, other: Clip) -> float:
    return float(np.corrcoef(light(one), light(other))[0, 1])


# -- each setting -----------------------------------------------------------------------------------------------------


def test_by_default_what_was_painted_goes_out_bit_for_bit(studio: Studio, plain: Clip) -> None:
    engine = make_engine(studio.paint(), device=torch.device("cpu"), size=SIZE)
    stylizer = engine.stylizer()
    for image, painted in zip(film("bikes")[:6], plain, strict=True):
        stylized = stylizer.step(to_tensor(image, size=SIZE, device="cpu"), Budget(2))
        assert np.array_equal(to_pixels(stylized.image), painted)


@pytest.mark.parametrize(
    "settings",
    [
        {"color": "matched"},
        {"color": "content"},
        {"light": 0.7},
        {"mix": ["rocket=1"]},
        {"style_scale": 2.0},
        {"style_scale": 0.5},
        {"mask": "mask"},
        {"color": "matched", "light": 1.0, "mix": ["rocket=0.5"], "mask": "mask", "init": "previous"},
        {"color": "matched", "init": "flow"},
        {"color": "matched", "init": "independent"},
    ],
    ids=str,
)
def test_every_setting_changes_the_picture(studio: Studio, plain: Clip, settings: dict[str, Any]) -> None:
    if "mix" in settings:
        settings = {**settings, "mix": [studio.path(part.partition("=")[0]) + "=1" for part in settings["mix"]]}
    if "mask" in settings:
        settings = {**settings, "mask": studio.path(settings["mask"])}
    painted = studio.painted(film("bikes")[:6], **settings).astype(float)
    assert np.abs(painted - plain).mean((1, 2, 3)).min() > 1


def test_where_the_mask_is_black_the_frame_goes_out_as_it_came(studio: Studio, plain: Clip) -> None:
    painted = studio.painted(film("bikes")[:6], mask=studio.path("mask"))
    for image, seen, all_painted in zip(film("bikes")[:6], painted, plain, strict=True):
        source = to_pixels(to_tensor(image, size=SIZE, device="cpu"))
        assert np.array_equal(seen[:, :30], source[:, :30])
        assert np.array_equal(seen[:, 34:], all_painted[:, 34:])


# -- light ------------------------------------------------------------------------------------------------------------


def test_a_flash_is_seen_in_the_painting_when_colors_are_matched(studio: Studio) -> None:
    clip = flashed(film("bikes")[:20], (1.8, 2.5), at=10)
    without, matched, lit = (
        studio.painted(clip, **settings) for settings in ({}, {"color": "matched"}, {"light": 1.0})
    )
    assert correlation(matched, clip) >= 0.9
    assert correlation(lit, clip) >= 0.99
    flash = light(clip)[11] - light(clip)[9]
    assert light(without)[11] - light(without)[9] < 0.3 * flash
    assert light(matched)[11] - light(matched)[9] > 0.6 * flash, "in the very frame"
    assert abs(light(matched)[13] - light(matched)[9]) < 8


def test_what_stands_still_does_not_pump(studio: Studio) -> None:
    clip = [film("bikes")[40]] * 60
    assert np.abs(np.diff(light(studio.painted(clip, color="matched"))[10:])).max() < 1


def test_a_dark_scene_after_a_bright_one_is_dark_from_its_first_frame(studio: Studio) -> None:
    clip = np.concatenate([film("bigbuckbunny")[:12], brightened(film("bikes")[:12], 0.2)])
    found = light(studio.painted(clip, color="matched"))
    assert found[12:].max() < 0.6 * found[:12].min()


def test_colors_are_matched_from_the_page_on_and_back(studio: Studio, plain: Clip) -> None:
    def turn(color: str) -> Callable[[Pipeline], object]:
        return lambda pipeline: pipeline.control.change({"color": color})

    clip = brightened(film("bikes")[:18], 0.4)
    usual = studio.painted(clip)
    turned = studio.painted(clip, turns={5: turn("matched"), 11: turn("style")})
    assert np.array_equal(turned[:6], usual[:6])
    assert light(turned)[7:11].max() < 0.8 * light(usual)[7:11].min()
    assert abs(light(turned)[17] - light(usual)[17]) < 20
