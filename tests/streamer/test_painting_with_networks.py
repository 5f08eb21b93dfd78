"""Networks in the pipeline: a real clip is painted otherwise with them, and goes on being painted when they fail."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.descent import Budget
from models.errors import NetworkError
from models.sight import Sight
from models.stylizer import Stylized
from protocols.frame import Frame
from streamer.assemble import assemble
from streamer.canvas import Canvas
from streamer.config import Config
from streamer.news import Ended, News
from streamer.paint import Hot, Paint
from streamer.pipeline import PAINTER, Pipeline
from streamer.stand_in import QUIET_S, Fallible
from streamer.telemetry import Snapshot, State, Telemetry
from tests import clips
from tests.endpoints import RecordingSink, ScriptedSource, frame, picture
from tests.onnx_files import color_inverter, failing_in_the_dark, shift_finder
from tests.streamer.test_networks import Clock
from tests.streamer.test_painter import Echo
from tests.tiny import tiny_weights

PATIENCE_S = 60.0
SIZE = 64
FIRST, CUT, END = 26, 30, 36
"""Of the clip: frames around a cut."""


@pytest.fixture(scope="module")
def paint(tmp_path_factory: pytest.TempPathFactory) -> Paint:
    """Return settings that paint small and fast."""
    folder = tmp_path_factory.mktemp("paint")
    assert cv2.imwrite(str(folder / "style.png"), picture(96, 128, seed=1))
    weights = str(tiny_weights(folder / "tiny.safetensors"))
    return Paint(weights=weights, style=str(folder / "style.png"), device="cpu", size=SIZE, fps=240, iterations=2)


def film() -> list[NDArray[np.uint8]]:
    """Return some frames of a real clip, as large as they are painted."""
    size = SIZE, SIZE * clips.HEIGHT // clips.WIDTH
    return [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in clips.film("bikes")[FIRST:END]]


def painted(paint: Paint, images: Sequence[NDArray[np.uint8]]) -> tuple[list[Frame], Snapshot]:
    """Return what the pipeline makes of the frames, each of them, and its own account of it."""
    sink, ended = RecordingSink(), Event()

    def hear(news: News) -> None:
        if isinstance(news, Ended) and news.part == PAINTER:
            ended.set()

    config = Config(source="test:", sinks=("null:",), paint=paint)
    source = ScriptedSource([frame(number, image=image) for number, image in enumerate(images)], live=False)
    pipeline = Pipeline(replace(assemble(config), source=source, sinks={"out": sink}), config, tell=hear)
    pipeline.start_sinks()
    pipeline.start()
    frames = sink.await_frames(len(images), timeout_s=PATIENCE_S)
    snapshot = pipeline.telemetry.snapshot()
    assert pipeline.drain(PATIENCE_S) == []
    assert ended.wait(PATIENCE_S)
    return frames, snapshot


def equal(film: Sequence[Frame], other: Sequence[Frame]) -> list[int]:
    """Return which frames of two films are the same, bit for bit."""
    pairs = zip(film, other, strict=True)
    return [number for number, (mine, its) in enumerate(pairs) if np.array_equal(mine.image, its.image)]


def likeness(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.corrcoef(image.ravel(), other.ravel())[0, 1])


def test_a_network_that_finds_the_flow_changes_how_a_clip_is_painted(paint: Paint, tmp_path: Path) -> None:
    networked = paint.model_copy(update={"flow": f"onnx:{shift_finder(tmp_path / 'flow.onnx')}"})
    (usual, _), (others, snapshot), (again, _) = (painted(each, film()) for each in (paint, networked, networked))
    assert equal(usual, others) == [0, CUT - FIRST], "the first frame of a scene has no flow"
    assert equal(others, again) == list(range(len(film())))
    assert snapshot.troubles == {}


@pytest.mark.parametrize(("fill", "least", "most"), [("palette", 0.5, 1.0), ("frame", 0.9, 1.0), ("onnx", -1.0, -0.9)])
def test_a_scene_begins_as_the_fill_says(paint: Paint, tmp_path: Path, fill: str, least: float, most: float) -> None:
    """With so few iterations the first frame of a scene is still much like its fill."""
    text = f"onnx:{color_inverter(tmp_path / 'fill.onnx')}" if fill == "onnx" else fill
    images = film()
    frames, _ = painted(paint.model_copy(update={"fill": text, "iterations": 1}), images)
    for first in (0, CUT - FIRST):
        assert least <= likeness(frames[first].image, images[first]) <= most


def test_when_a_network_fails_the_stream_goes_on_and_says_so(paint: Paint, tmp_path: Path) -> None:
    images = film()[: CUT - FIRST]
    images += [image // 8 for image in images]
    networked = paint.model_copy(update={"flow": f"onnx:{failing_in_the_dark(tmp_path / 'flow.onnx')}"})
    frames, snapshot = painted(networked, images)
    assert [each.sequence for each in frames] == list(range(len(images)))
    assert snapshot.frames.dropped == {}
    assert snapshot.troubles["flow"].reason == "failed"
    assert "out of data bounds" in snapshot.troubles["flow"].error
    assert str(snapshot.troubles["flow"]) == "the network of the optical flow fails; DIS stands in"


class Asking(Echo):
    """Asks a network at each frame, as a stylizer does."""

    def __init__(self, network: Fallible) -> None:
        super().__init__()
        self._network = network

    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Ask, and return the frame."""
        self._network(sight.content, stand_in=torch.clone)
        return super().paint(sight, budget)


def test_the_trouble_ends_when_the_network_works_again() -> None:
    clock, telemetry, broken = Clock(), Telemetry(), [True]

    def network(content: Tensor) -> Tensor:
        if broken:
            raise NetworkError("it is broken")
        return content

    fallible = Fallible("fill", network, clock=clock)
    canvas = Canvas(Asking(fallible), networks=[fallible], size=SIZE, device="cpu", telemetry=telemetry)
    telemetry.enter(State.RUNNING)

    def state() -> tuple[State, list[str]]:
        telemetry.frames.enter()
        telemetry.frames.begin()
        canvas.paint(frame(0), Budget(1), Hot(), at_s=0.0)
        telemetry.publish(frame(0))
        snapshot = telemetry.snapshot()
        return snapshot.state, [str(trouble) for trouble in snapshot.troubles.values()]

    assert state() == (State.DEGRADED, ["the network of the fill fails; the painting's palette stands in"])
    broken.clear()
    assert state()[0] == State.DEGRADED, "it may fail again at once"
    clock.now = QUIET_S
    assert state() == (State.RUNNING, [])
