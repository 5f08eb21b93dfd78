"""Another painting fades in while frames go on."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.cuts import CutDetector
from models.descent import Budget
from models.flow import DIS
from models.objective import STYLE_LAYERS, Balance, Style
from models.sight import Observer
from models.stylizer import Objective, Stylized, Stylizer
from protocols.frame import Frame
from streamer.assemble import Parts
from streamer.canvas import Canvas
from streamer.config import Config
from streamer.engine import Engine, make_engine
from streamer.gallery import Gallery
from streamer.news import Ended, News
from streamer.paint import Hot, Paint
from streamer.pipeline import PAINTER, Pipeline
from streamer.pixels import to_pixels
from streamer.restyling import Restyler
from streamer.telemetry import Telemetry
from tests.endpoints import Item, RecordingSink, ScriptedSource, frame
from tests.tiny import random_image, tiny_weights

PATIENCE_S = 20.0
SIZE = 64


def painting(number: int) -> np.ndarray:
    """Return a small colorful painting."""
    return to_pixels(random_image(72, 96, seed=number))


class Studio:
    """A tiny engine, its gallery, and what is needed to make both again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for number, name in enumerate(("first", "second", "third")):
            assert cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(painting(number), cv2.COLOR_RGB2BGR))
        self.weights = str(tiny_weights(folder / "tiny.safetensors"))
        self.gallery = Gallery(folder=folder, uploads=folder / "uploads")
        self.hot = Hot(style="first", fps=240, iterations=2, fade_s=1.0)
        self.engine = self.fresh(style="first")

    def fresh(self, **paint: object) -> Engine:
        """Return a new engine for these settings, on the same device, with nothing that was there before."""
        settings = Paint.model_validate({"weights": self.weights, "style": "first", **paint})
        return make_engine(settings, device=torch.device("cpu"), size=SIZE, gallery=self.gallery)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Return a studio with three paintings."""
    return Studio(tmp_path)


class Aim:
    """Stands where the stylizer does, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[AdjointObjective] = []

    def restyle(self, objective: Objective, fill: Callable[[Tensor], Tensor]) -> None:
        """Keep the objective."""
        assert isinstance(objective, AdjointObjective)
        self.told.append(objective)


class Follower:
    """A restyler, asked once for each frame of a stream of 25 frames a second."""

    def __init__(self, studio: Studio) -> None:
        self.aim = Aim()
        self.restyler = Restyler(studio.engine, self.aim, studio.gallery, studio.hot)
        self.at_s = 0.0

    def follow(self, hot: Hot, *, frames: int = 1) -> None:
        """Let frames pass."""
        for _ in range(frames):
            self.restyler.follow(hot, at_s=self.at_s)
            self.at_s += 0.04

    def settle(self, hot: Hot) -> None:
        """Let frames pass until the settings are in effect."""
        self.follow(hot)
        pause = Event()
        for _ in range(round(PATIENCE_S / 0.01)):
            if not self.restyler.is_busy or self.restyler.problem:
                return
            pause.wait(0.01)  # the look is made in another thread, which tells nobody
            self.follow(hot)
        pytest.fail("the settings never took effect")

    @property
    def engine(self) -> Engine:
        """What is painted with now."""
        return self.restyler.engine


def assert_same_numbers(one: Engine, other: Engine) -> None:
    """See that two engines give the same energy and gradient, bit for bit."""
    content, image = random_image(48, 64, seed=5), random_image(48, 64, seed=6)
    (terms, gradient), (its_terms, its_gradient) = (
        engine.objective.at(content, warped=content, visible=torch.ones(1, 1, 48, 64)).value_and_grad(image)
        for engine in (one, other)
    )
    assert terms.total == its_terms.total
    assert torch.equal(gradient, its_gradient)
    assert torch.equal(one.fill(content), other.fill(content))


def share(here: Style, origin: Engine, target: Engine, layer: str = "conv3_1") -> float:
    """Return how far the Gram matrix of a layer is on the line from one engine's to the other's."""
    gram, start, end = (each.grams[layer] for each in (here, origin.look.style, target.look.style))
    line = end - start
    found = float(((gram - start) * line).sum() / line.square().sum())
    assert float((start + found * line - gram).abs().max()) < 1e-5 * float(end.abs().max())
    return found


def test_a_faded_in_painting_paints_as_one_that_was_there_from_the_start(studio: Studio) -> None:
    follower = Follower(studio)
    follower.settle(studio.hot.model_copy(update={"style": "second"}))
    assert_same_numbers(follower.engine, studio.fresh(style="second"))
    assert follower.aim.told[-1] is follower.engine.objective


def test_the_network_is_not_packed_again(studio: Studio) -> None:
    follower = Follower(studio)
    follower.settle(studio.hot.model_copy(update={"style": "second"}))
    assert follower.engine.objective.kernels is studio.engine.objective.kernels


def test_without_a_change_nothing_is_told_to_the_stylizer(studio: Studio) -> None:
    follower = Follower(studio)
    follower.follow(studio.hot, frames=5)
    follower.follow(studio.hot.model_copy(update={"fps": 3.0, "color": "content", "fade_s": 9.0}), frames=5)
    assert follower.aim.told == []
    assert not follower.restyler.is_busy


def test_a_fade_takes_the_streams_time_and_moves_on_a_straight_line(studio: Studio) -> None:
    follower, target = Follower(studio), studio.fresh(style="second")
    wanted = studio.hot.model_copy(update={"style": "second", "fade_s": 0.4})
    pause = Event()
    while not follower.aim.told:
        follower.follow(wanted)
        pause.wait(0.01)
    shares = [share(follower.engine.look.style, studio.engine, target)]
    while follower.restyler.is_busy:
        follower.follow(wanted)
        shares.append(share(follower.engine.look.style, studio.engine, target))
    assert shares[:9] == pytest.approx([0.1 * step for step in range(1, 10)], abs=1e-4)
    assert shares[-1] == pytest.approx(1)
    assert len(shares) <= 11


def test_without_a_fade_the_new_painting_is_there_at_once(studio: Studio) -> None:
    follower = Follower(studio)
    follower.settle(studio.hot.model_copy(update={"style": "second", "fade_s": 0.0}))
    assert len(follower.aim.told) == 1


def test_a_change_of_mind_turns_around_where_the_fade_is(studio: Studio) -> None:
    follower, target = Follower(studio), studio.fresh(style="second")
    wanted = studio.hot.model_copy(update={"style": "second"})
    pause = Event()
    while not follower.aim.told or share(follower.engine.look.style, studio.engine, target) < 0.5:
        follower.follow(wanted)
        pause.wait(0.001)
    turned = share(follower.engine.look.style, studio.engine, target)
    follower.settle(studio.hot)
    shares = [share(told.objective.style, studio.engine, target) for told in follower.aim.told]
    assert max(shares) == turned, "it turned around at once, as the first look is known"
    assert shares[-1] == 0
    assert_same_numbers(follower.engine, studio.engine)


def test_a_blend_is_a_standing_mixture(studio: Studio) -> None:
    follower = Follower(studio)
    follower.settle(studio.hot.model_copy(update={"blend": "third", "blend_weight": 0.25}))
    assert share(follower.engine.look.style, studio.engine, studio.fresh(style="third")) == pytest.approx(
        0.25, abs=1e-5
    )
    assert_same_numbers(follower.engine, studio.fresh(blend="third", blend_weight=0.25))
    follower.settle(studio.hot)
    assert_same_numbers(follower.engine, studio.engine)


def test_any_number_of_paintings_fades_in_as_one_mixture(studio: Studio) -> None:
    follower, mix = Follower(studio), ("second=1", "third=2")
    follower.settle(studio.hot.model_copy(update={"mix": mix}))
    assert_same_numbers(follower.engine, studio.fresh(mix=mix))
    first, second, third = (studio.fresh(style=name).look for name in ("first", "second", "third"))
    looks = [(first, 0.25), (second, 0.25), (third, 0.5)]
    for layer, gram in follower.engine.look.style.grams.items():
        torch.testing.assert_close(gram, sum(part * look.style.grams[layer] for look, part in looks))
    torch.testing.assert_close(follower.engine.look.palette.mean, sum(part * look.palette.mean for look, part in looks))
    follower.settle(studio.hot)
    assert_same_numbers(follower.engine, studio.engine)


def test_a_painting_of_a_mix_that_is_not_there_leaves_the_old_one_and_is_told(studio: Studio) -> None:
    follower = Follower(studio)
    follower.settle(studio.hot.model_copy(update={"mix": ("second=1", "nowhere=1")}))
    assert follower.restyler.problem == "there is no painting 'nowhere'"
    assert_same_numbers(follower.engine, studio.engine)
    follower.settle(studio.hot.model_copy(update={"mix": ("second=1",)}))
    assert_same_numbers(follower.engine, studio.fresh(mix=("second=1",)))


def test_a_mix_that_turns_around_in_its_fade_makes_no_jump(studio: Studio) -> None:
    follower = Follower(studio)
    for name in ("second", "third"):
        follower.settle(studio.hot.model_copy(update={"style": name, "fade_s": 0.0}))
    hots = [studio.hot.model_copy(update={"style": name, "fade_s": 0.4}) for name in ("second", "first", "third")]
    grams = [follower.engine.look.style.grams["conv3_1"]]
    for hot in hots:
        for _ in range(5):
            follower.follow(hot)
            grams.append(follower.engine.look.style.grams["conv3_1"])
    steps = [float((after - before).norm()) for before, after in pairwise(grams)]
    assert max(steps) < 0.3 * max(float((one - other).norm()) for one in grams for other in grams)


def test_matched_colors_are_switched_on_and_off_while_frames_are_painted(studio: Studio) -> None:
    follower, matched = Follower(studio), studio.hot.model_copy(update={"color": "matched"})
    sight = Observer(DIS(), CutDetector()).observe(random_image(48, 64, seed=5) * 0.4)
    follower.follow(studio.hot)
    assert follower.restyler.match(sight) is None
    follower.follow(matched)
    level = follower.restyler.match(sight)
    assert level is not None
    assert float(level.mean()) < float(studio.engine.look.palette.mean.mean()), "a dark frame is to be dark"
    assert follower.aim.told[-1] is follower.engine.objective
    assert not torch.equal(follower.engine.fill(sight.content), studio.engine.fill(sight.content))
    told = len(follower.aim.told)
    follower.follow(matched)
    follower.restyler.match(sight.again())
    assert len(follower.aim.told) == told, "what stands still is not disturbed"
    follower.follow(studio.hot)
    assert follower.restyler.match(sight) is None
    assert_same_numbers(follower.engine, studio.engine)


def test_a_painting_fades_in_while_colors_are_matched(studio: Studio) -> None:
    follower = Follower(studio)
    hot = studio.hot.model_copy(update={"color": "matched", "style": "second", "style_strength": 0.7})
    sight = Observer(DIS(), CutDetector()).observe(random_image(48, 64, seed=5))
    follower.settle(hot)
    follower.follow(hot)
    follower.restyler.match(sight)
    apart = Restyler(studio.fresh(style="second", style_strength=0.7), Aim(), studio.gallery, hot)
    apart.follow(hot, at_s=0.0)
    apart.match(sight)
    assert_same_numbers(follower.engine, apart.engine)
    assert follower.engine.objective.objective.balance == Balance.of(0.7)


def test_strength_and_steadiness_act_at_the_next_frame(studio: Studio) -> None:
    follower = Follower(studio)
    follower.follow(studio.hot.model_copy(update={"style_strength": 0.8, "steadiness": 0.5}))
    assert follower.engine.objective.objective.balance == Balance.of(0.8, 0.5)
    assert_same_numbers(follower.engine, studio.fresh(style_strength=0.8, steadiness=0.5))


def test_a_painting_that_cannot_be_used_leaves_the_old_one_and_is_told_until_another_is_chosen(studio: Studio) -> None:
    follower = Follower(studio)
    (studio.folder / "second.png").unlink()
    follower.settle(studio.hot.model_copy(update={"style": "second"}))
    assert follower.restyler.problem == "there is no painting 'second'"
    assert not follower.restyler.is_busy
    assert_same_numbers(follower.engine, studio.engine)
    follower.settle(studio.hot.model_copy(update={"style": "third"}))
    assert follower.restyler.problem is None
    assert_same_numbers(follower.engine, studio.fresh(style="third"))
    assert cv2.imwrite(str(studio.folder / "second.png"), cv2.cvtColor(painting(1), cv2.COLOR_RGB2BGR))
    follower.settle(studio.hot.model_copy(update={"style": "second"}))
    assert_same_numbers(follower.engine, studio.fresh(style="second"))


def test_an_error_that_nobody_foresaw_leaves_the_old_painting_and_the_next_one_is_looked_at(studio: Studio) -> None:
    follower, looked = Follower(studio), Event()

    def broken(name: str) -> np.ndarray:
        looked.set()
        raise RuntimeError("the device is lost\nat some place")

    gallery = Gallery(("broken",), paint=broken, folder=studio.folder, uploads=studio.folder / "uploads")
    follower.restyler = Restyler(studio.engine, follower.aim, gallery, studio.hot)
    follower.settle(studio.hot.model_copy(update={"style": "broken"}))
    assert looked.is_set()
    assert follower.restyler.problem == "RuntimeError: the device is lost"
    follower.settle(studio.hot.model_copy(update={"style": "second"}))
    assert_same_numbers(follower.engine, studio.fresh(style="second"))


def test_a_painting_that_cannot_be_used_is_a_trouble_of_the_stream(studio: Studio) -> None:
    telemetry, stylizer = Telemetry(), studio.engine.stylizer()
    restyler = Restyler(studio.engine, stylizer, studio.gallery, studio.hot)
    canvas = Canvas(stylizer, follower=restyler, size=SIZE, device="cpu", telemetry=telemetry)

    def paint(style: str) -> None:
        hot = studio.hot.model_copy(update={"style": style, "fade_s": 0.0})
        for _ in range(2):  # the look is made while the first is painted
            assert canvas.paint(frame(0), Budget(1), hot, at_s=0.0) is not None
            assert restyler.close(PATIENCE_S)

    paint("nowhere")
    assert "cannot be used; the one before it stays" in str(telemetry.snapshot().troubles["style"])
    paint("second")
    assert "style" not in telemetry.snapshot().troubles


def test_a_new_picture_under_the_name_of_the_present_one_fades_in(studio: Studio) -> None:
    studio.gallery.put("own", (studio.folder / "second.png").read_bytes())
    hot = studio.hot.model_copy(update={"style": "own"})
    follower = Follower(studio)
    follower.settle(hot)
    studio.gallery.put("own", (studio.folder / "third.png").read_bytes())
    follower.settle(hot)
    assert_same_numbers(follower.engine, studio.fresh(style="third"))


def test_what_has_come_to_rest_takes_on_the_new_painting_too(studio: Studio) -> None:
    stylizer = studio.engine.stylizer()
    assert isinstance(stylizer, Stylizer)
    restyler = Restyler(studio.engine, stylizer, studio.gallery, studio.hot)
    wall = random_image(48, 64, seed=7)
    error, steps = 1.0, 0
    while error > 0.0005:
        error, steps = stylizer.step(wall, Budget(2)).temporal_error or 1.0, steps + 1
        assert steps < 1000
    hot = studio.hot.model_copy(update={"style": "second", "fade_s": 0.0})
    pause = Event()
    while restyler.engine is studio.engine:
        restyler.follow(hot, at_s=0.0)
        pause.wait(0.01)
    stylized = stylizer.step(wall, Budget(2))
    assert not stylized.restarted
    assert stylized.temporal_error is not None
    assert stylized.temporal_error > 10 * error


class Witness:
    """Looks on, and notes with which engine each frame was painted."""

    def __init__(self, restyler: Restyler) -> None:
        self._restyler = restyler
        self.engines: list[Engine] = []
        self.stylized: list[Stylized] = []

    def show(self, source: Frame, painted: Frame, stylized: Stylized) -> None:
        """Note it."""
        if not painted.stale:
            self.engines.append(self._restyler.engine)
            self.stylized.append(stylized)


def test_a_swap_costs_a_running_stream_no_frame(studio: Studio) -> None:
    asked_at, looked_at, total = 20, 60, 200
    gate, ended, sink = Event(), Event(), RecordingSink()

    def slowly(name: str) -> np.ndarray:
        assert name == "slow"
        assert gate.wait(PATIENCE_S)
        return painting(1)

    gallery = Gallery(("slow",), paint=slowly, folder=studio.folder, uploads=studio.folder / "uploads")
    stylizer = studio.engine.stylizer()
    restyler = Restyler(studio.engine, stylizer, gallery, studio.hot)
    witness = Witness(restyler)

    def after(number: int) -> Callable[[], object]:
        def act() -> None:
            sink.await_frames(number + 1)
            if number == asked_at:
                pipeline.control.change({"style": "slow", "fade_s": 2.0})
            if number == looked_at:
                gate.set()
                assert restyler.close(PATIENCE_S), "so that a busy machine ends the look before the film"

        return act

    film = [np.roll(painting(4), number, axis=1) for number in range(total)]
    script: list[Item] = []
    for number, image in enumerate(film):
        script += [frame(number, image=image), after(number)]
    paint = Paint(style=str(studio.folder / "first.png"), fps=240, iterations=2, weights=studio.weights)
    parts = Parts(
        ScriptedSource(script),
        {"out": sink},
        stylizer,
        torch.device("cpu"),
        SIZE,
        gallery=gallery,
        follower=restyler,
    )

    def hear(news: News) -> None:
        if isinstance(news, Ended) and news.part == PAINTER:
            ended.set()

    pipeline = Pipeline(parts, Config(source="test:", sinks=("null:",), paint=paint), tell=hear)
    pipeline.control.change({"style": "first"})
    pipeline.watch(witness)
    pipeline.start_sinks()
    pipeline.start()
    fresh = [each for each in sink.await_frames(total, timeout_s=60) if not each.stale]
    assert pipeline.drain(PATIENCE_S) == []
    assert ended.wait(PATIENCE_S)

    assert [each.sequence for each in fresh] == list(range(total))
    assert {each.dropped for each in fresh} == {0}
    account = pipeline.telemetry.snapshot().frames
    assert (account.came, account.done, account.dropped, account.is_balanced) == (total, total, {}, True)
    assert [stylized.restarted for stylized in witness.stylized] == [True] + [False] * (total - 1)

    target = studio.fresh(style="second")
    for layer in STYLE_LAYERS:
        shares = [share(engine.look.style, studio.engine, target, layer) for engine in witness.engines]
        assert set(shares[: looked_at + 1]) == {0.0}, "the painting was not yet looked at, and nobody waited for it"
        assert shares == sorted(shares)
        assert 45 <= sum(0 < each < 1 for each in shares) <= 50, "2 s are 50 frames, the first at 0"
        assert shares[-1] == pytest.approx(1)
    assert_same_numbers(witness.engines[-1], target)
    assert {id(engine.objective.kernels) for engine in witness.engines} == {id(studio.engine.objective.kernels)}


def test_at_the_end_a_look_that_is_being_made_is_waited_for_but_not_for_ever(studio: Studio) -> None:
    """Python must not tear down the modules under a thread that computes."""
    gate = Event()

    def slowly(_: str) -> np.ndarray:
        assert gate.wait(PATIENCE_S)
        return painting(1)

    gallery = Gallery(("slow",), paint=slowly, folder=studio.folder, uploads=studio.folder / "uploads")
    restyler = Restyler(studio.engine, Aim(), gallery, studio.hot)
    assert restyler.close(0)
    restyler.follow(studio.hot.model_copy(update={"style": "slow"}), at_s=0.0)
    assert not restyler.close(0.01)
    gate.set()
    assert restyler.close(PATIENCE_S)
