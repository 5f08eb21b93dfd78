"""Frames that wait for their future: whatever happens meanwhile, they leave in order, and all of them are counted."""

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import structlog
import torch
from PIL import Image

from models.color import color_statistics, palette_fill
from models.cuts import CutDetector
from models.descent import Budget
from models.flow import DIS
from models.hindsight import Hindsight
from models.sight import Sight
from models.stylizer import Stylized, Stylizer
from protocols.frame import Frame
from streamer.canvas import Canvas, Wet
from streamer.control import Control
from streamer.gallery import Gallery
from streamer.governor import Punctual, Unhurried
from streamer.idle import Hold, Idle, Refine, Slate
from streamer.lagging import Lagging, Prompt
from streamer.mailbox import Mailbox
from streamer.paint import Hot
from streamer.painter import Painter
from streamer.pixels import to_pixels
from streamer.telemetry import State, Telemetry
from tests.endpoints import frame
from tests.streamer.test_painting_under_control import Wall
from tests.tiny import random_image, tiny_objective

PATIENCE_S = 20.0
SCENE = to_pixels(random_image(48, 64, seed=1))


def moving(number: int) -> Frame:
    """Return a frame of a scene that moves."""
    return frame(number, image=np.roll(SCENE, number, axis=1))


class Scarce(Hindsight):
    """Has no memory for hindsight once it is told so."""

    is_scarce = False

    def sweep(self, *args: object, **options: object) -> list:  # type: ignore[type-arg]
        """Paint on, or fail as CUDA does."""
        if self.is_scarce:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().sweep(*args, **options)  # type: ignore[arg-type]


class Fragile(Stylizer):
    """Fails at a certain frame."""

    fails_at = -1
    painted = 0

    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Paint, unless this is the frame."""
        self.painted += 1
        if self.painted - 1 == self.fails_at:
            raise ZeroDivisionError
        return super().paint(sight, budget)


class Studio:
    """A painter whose frames wait for two others."""

    def __init__(
        self,
        folder: Path,
        *,
        live: bool,
        idle: str = "hold",
        lag: int = 2,
        size: int = 64,
        silence_s: float = PATIENCE_S,
    ) -> None:
        colors = color_statistics(random_image(seed=9))
        self.stylizer = Fragile(
            tiny_objective(folder / "tiny.safetensors"),
            flow=DIS(),
            cuts=CutDetector(),
            fill=lambda content: palette_fill(content, colors),
        )
        self.wall, self.telemetry, self.stop = Wall(), Telemetry(), Event()
        self.telemetry.enter(State.RUNNING)
        self.inbox: Mailbox[Frame] = Mailbox(1 if live else 100, waits=not live)
        self.control = Control(Hot(fps=100, iterations=4), Gallery())
        self.canvas = Canvas(self.stylizer, size=size, device="cpu", telemetry=self.telemetry)
        self.hindsight = Scarce(self.stylizer, lag=lag, flow=DIS())
        self.window = Lagging(self.hindsight, canvas=self.canvas, telemetry=self.telemetry)
        ways: dict[str, Idle] = {"hold": Hold(), "refine": Refine(self.canvas), "slate": Slate(Gallery(), patience_s=3)}
        self.painter = Painter(
            inbox=self.inbox,
            outlets=[self.wall],
            canvas=self.canvas,
            window=self.window,
            control=self.control,
            governor=Punctual(fps=100, iterations=4) if live else Unhurried(iterations=4),
            telemetry=self.telemetry,
            live=live,
            idle=ways[idle],
            resume_window_s=10,
            silence_s=silence_s,
            stop=self.stop,
        )
        self.painter.watch(self.wall)

    def put(self, each: Frame) -> None:
        """Let a frame in, as the source worker does."""
        self.telemetry.frames.enter()
        assert self.inbox.put(each) == []

    def paint(self, *frames: Frame) -> list[Frame]:
        """Return what becomes of all frames of a film."""
        for each in frames:
            self.put(each)
        self.inbox.close()
        self.painter.run()
        self.check()
        return self.wall.handed

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let the painter run."""
        thread = Thread(target=self.painter.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            self.inbox.close()
            self.control.resume()
            thread.join(PATIENCE_S)
        assert not thread.is_alive()
        self.check()

    def check(self) -> None:
        """See that each frame is accounted for."""
        account = self.telemetry.snapshot().frames
        assert account.is_balanced
        assert account.in_flight == 0

    def await_waiting(self, number: int, count: int, *, ago_s: float = 0.0) -> None:
        """Let in a frame that came some time ago; return once it is painted, and so many wait."""
        self.put(replace(moving(number), received_at=time.monotonic() - ago_s))
        pause = Event()
        for _ in range(round(PATIENCE_S / 0.01)):
            account = self.telemetry.frames.account()
            if account.waiting == 0 and account.working == len(self.window) == count:
                return
            pause.wait(0.01)
        pytest.fail(str(self.telemetry.snapshot()))

    def await_state(self, state: State) -> None:
        """Return once the telemetry tells this state."""
        pause = Event()
        for _ in range(round(PATIENCE_S / 0.01)):
            if self.telemetry.snapshot().state is state:
                return
            pause.wait(0.01)
        pytest.fail(str(self.telemetry.snapshot()))

    def fresh(self) -> list[int]:
        """Return the numbers of the frames that left, each once."""
        return [each.sequence for each in self.wall.handed if not each.stale]


def test_at_the_end_of_a_film_what_waits_leaves_in_order(tmp_path: Path) -> None:
    painted = Studio(tmp_path, live=False).paint(*(moving(number) for number in range(5)))
    assert [each.sequence for each in painted] == [0, 1, 2, 3, 4]
    spent = [each.painting.iterations for each in painted if each.painting]
    assert spent == [4, 4, 4, 3, 3], "the last two were never the ones that leave"


def test_a_film_shorter_than_the_lag_leaves_at_its_end(tmp_path: Path) -> None:
    assert len(Studio(tmp_path, live=False, lag=8).paint(*(moving(number) for number in range(3)))) == 3


def test_a_cut_and_another_size_hold_up_nothing(tmp_path: Path) -> None:
    other = to_pixels(random_image(48, 64, seed=7))
    small = [frame(number, image=np.ascontiguousarray(SCENE[:32, :40])) for number in (5, 6)]
    frames = [*(moving(number) for number in range(3)), frame(3, image=other), frame(4, image=other), *small]
    studio = Studio(tmp_path, live=False)
    painted = studio.paint(*frames)
    assert [each.sequence for each in painted] == list(range(7))
    assert [each.image.shape[:2] for each in painted] == [(48, 64)] * 5 + [(32, 40)] * 2
    assert [each.sequence for each in painted if each.painting and each.painting.cut] == [0, 3, 5]


def test_without_a_lag_nothing_waits(tmp_path: Path) -> None:
    canvas = Studio(tmp_path, live=False).canvas
    prompt, hot = Prompt(), Hot()
    wet = canvas.stylize(moving(0), Budget(1), hot, at_s=0.0)
    assert wet is not None
    leaving = prompt.add(wet, Budget(0))
    assert (leaving.frames, leaving.iterations, len(prompt), prompt.release()) == ([wet], 1, 0, [])
    assert prompt.share(Budget(7, 3.0))[0] == Budget(7, 3.0)


def test_when_painting_is_paused_what_waits_leaves_at_once(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=True)
    with studio.open():
        for number in range(2):
            studio.await_waiting(number, number + 1)
        assert studio.wall.handed == []
        studio.control.pause()
        studio.wall.await_frame(1)
        studio.control.resume()
        studio.await_waiting(2, 1)
    assert studio.fresh() == [0, 1, 2], "the last one at the end of the stream"


def test_the_frames_of_a_file_wait_through_a_pause(tmp_path: Path) -> None:
    def film(*, paused: bool) -> list[Frame]:
        studio = Studio(tmp_path, live=False)
        with studio.open():
            for number in range(3):
                studio.await_waiting(number, min(number + 1, 2))
            if paused:
                studio.control.pause()
                studio.await_state(State.PAUSED)
                studio.control.resume()
            studio.put(moving(3))
            studio.wall.await_frame(1)
        return studio.wall.handed

    plain, paused = film(paused=False), film(paused=True)
    assert all(np.array_equal(one.image, other.image) for one, other in zip(plain, paused, strict=True))


def test_after_a_silence_what_waits_leaves_and_then_the_last_picture_is_refined(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=True, idle="refine", silence_s=1.0)
    with studio.open():
        for number in range(2):
            studio.await_waiting(number, number + 1)
        last = studio.wall.await_frame(1)
        better = studio.wall.await_that(lambda handed: handed[-1].stale)[-1]
        assert (better.sequence, better.stale) == (1, True)
        assert not np.array_equal(better.image, last.image)
        studio.await_waiting(2, 1)
    assert studio.fresh() == [0, 1, 2]
    errors = [each.painting.temporal_error for each in studio.wall.handed if each.painting and not each.stale]
    assert errors[2] is not None
    assert errors[2] < 0.1, "it is held to what people saw last"


def test_a_picture_that_waited_for_long_is_no_sign_of_a_source_that_is_silent(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=True, idle="slate", lag=1)
    with studio.open():
        for number, ago_s in enumerate((8, 4, 0)):
            studio.await_waiting(number, 1, ago_s=ago_s)
        *_, left, again = studio.wall.await_that(lambda handed: bool(handed) and handed[-1].stale)
    assert (left.sequence, again.sequence) == (1, 1)
    assert np.array_equal(again.image, left.image), "no slate"


def test_after_a_reset_the_old_picture_leaves_as_it_would_have(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=True)
    with studio.open():
        for number in range(2):
            studio.await_waiting(number, number + 1)
        studio.control.reset()
        for number in range(2, 5):
            studio.await_waiting(number, 2)
    assert studio.fresh() == [0, 1, 2, 3, 4]
    assert [each.sequence for each in studio.wall.handed if each.painting and each.painting.cut] == [0, 2]


def test_pictures_go_out_with_what_they_were_made_from(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=False)
    frames = [moving(number) for number in range(5)]
    studio.paint(*frames)
    for came, (source, painted, stylized) in zip(frames, studio.wall.shown, strict=True):
        assert source is came
        assert painted.sequence == came.sequence
        assert np.array_equal(painted.image, to_pixels(stylized.image))
        assert painted.painting is not None
        assert (stylized.iterations, stylized.temporal_error) == (
            painted.painting.iterations,
            painted.painting.temporal_error,
        )


def test_a_snapshot_tells_the_settings_that_its_frame_was_painted_with(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=True)
    with studio.open(), ThreadPoolExecutor(1) as pool:
        for number in range(2):
            studio.await_waiting(number, number + 1)
        studio.control.change({"iterations": 9})
        future = pool.submit(studio.control.snapshot, PATIENCE_S)
        number = 2
        while not future.done():
            studio.await_waiting(number, 2)
            number += 1
    with Image.open(io.BytesIO(future.result())) as image:
        sequence = next(each.sequence for each in studio.wall.handed if np.array_equal(np.asarray(image), each.image))
        told = str(image.info)
    assert sequence >= 0
    assert ('"iterations":4' in told) == (sequence < 2), told


def test_an_error_leaves_no_frame_that_waits_uncounted(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=False)
    studio.stylizer.fails_at = 4
    for number in range(5):
        studio.put(moving(number))
    studio.inbox.close()
    with pytest.raises(ZeroDivisionError):
        studio.painter.run()
    studio.check()
    assert studio.telemetry.snapshot().frames.dropped == {"failed": 3}
    assert studio.fresh() == [0, 1]


def test_too_little_memory_for_hindsight_loses_no_frame_and_the_next_ones_are_smaller(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=False, size=128)
    wide = [frame(number, image=np.ascontiguousarray(np.tile(moving(number).image, (2, 2, 1)))) for number in range(6)]
    with structlog.testing.capture_logs() as log:
        studio.hindsight.is_scarce = True
        first = studio.canvas.stylize(wide[0], Budget(2), Hot(), at_s=0.0)
        assert first is not None
        assert studio.window.add(first, Budget(1)).frames == []
        studio.hindsight.is_scarce = False
        painted: list[Wet] = []
        for each in wide[1:]:
            wet = studio.canvas.stylize(each, Budget(2), Hot(), at_s=each.pts)
            assert wet is not None
            painted += studio.window.add(wet, Budget(1)).frames
        painted += studio.window.release()
    assert [entry["event"] for entry in log] == ["engine_oom"]
    assert [each.source.sequence for each in painted] == list(range(6))
    widths = [each.stylized.image.shape[-1] for each in painted]
    assert widths == [128] + [96] * 5
    assert [each.stylized.restarted for each in painted] == [True, True, *[False] * 4]
    assert studio.telemetry.snapshot().troubles["memory"].reason == "size_reduced"


def test_too_little_memory_for_hindsight_at_the_smallest_size_is_no_secret(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=False)
    wet = studio.canvas.stylize(moving(0), Budget(2), Hot(), at_s=0.0)
    assert wet is not None
    studio.hindsight.is_scarce = True
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        studio.window.add(wet, Budget(1))


def test_what_is_not_finite_never_waits(tmp_path: Path) -> None:
    studio = Studio(tmp_path, live=False)
    nowhere = replace(moving(1), image=SCENE)
    real = studio.stylizer.paint

    def paint(sight: Sight, budget: Budget) -> Stylized:
        stylized = real(sight, budget)
        bad = studio.stylizer.painted == 2
        return replace(stylized, image=stylized.image * float("nan")) if bad else stylized

    studio.stylizer.paint = paint  # type: ignore[method-assign]
    painted = studio.paint(moving(0), nowhere, moving(2), moving(3))
    assert [each.sequence for each in painted] == [0, 2, 3]
    assert studio.telemetry.snapshot().frames.dropped == {"nonfinite": 1}
