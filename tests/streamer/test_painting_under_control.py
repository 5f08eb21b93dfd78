"""The painter does what people say, from the next frame on."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Event, Thread

import av
import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from models.stylizer import Stylized
from protocols.frame import Frame
from streamer.canvas import Canvas
from streamer.control import Control
from streamer.gallery import Gallery
from streamer.governor import Punctual
from streamer.idle import Hold, Idle, Refine, Slate
from streamer.mailbox import Mailbox
from streamer.paint import Hot
from streamer.painter import Painter
from streamer.recordings import Recordings
from streamer.telemetry import State, Telemetry
from tests.endpoints import frame, picture
from tests.streamer.test_painter import Echo

PATIENCE_S = 20.0


class Wall:
    """An outlet and a watcher that keep what they are given, in its order."""

    def __init__(self) -> None:
        self.handed: list[Frame] = []
        self.shown: list[tuple[Frame, Frame, Stylized]] = []
        self._changed = Condition()

    def hand(self, frame: Frame) -> None:
        """Keep ``frame``."""
        with self._changed:
            self.handed.append(frame)
            self._changed.notify_all()

    def show(self, source: Frame, painted: Frame, stylized: Stylized) -> None:
        """Keep all three."""
        self.shown.append((source, painted, stylized))

    def close(self) -> None:
        """Nothing is to be done."""

    def await_that(self, holds: Callable[[list[Frame]], bool]) -> list[Frame]:
        """Return what was handed over once ``holds`` of it."""
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.handed), PATIENCE_S), f"{len(self.handed)} came"
            return list(self.handed)

    def await_frame(self, sequence: int) -> Frame:
        """Return the frame of this number once it was handed over."""
        return self.await_that(lambda handed: any(each.sequence == sequence for each in handed))[-1]


class Atelier:
    """A painter at work in its thread."""

    def __init__(
        self,
        stylizer: Echo | None = None,
        *,
        live: bool = True,
        hot: Hot = Hot(fps=200, iterations=4),  # noqa: B008 - it is frozen
        idle: Callable[[Canvas], Idle] = lambda _: Hold(),
        recordings: Recordings | None = None,
    ) -> None:
        self.stylizer = stylizer or Echo()
        self.wall = Wall()
        self.telemetry = Telemetry()
        self.telemetry.enter(State.RUNNING)
        self.control = Control(hot, Gallery(), recordings=recordings)
        self.stop = Event()
        self._inbox: Mailbox[Frame] = Mailbox(1 if live else 4, waits=not live)
        canvas = Canvas(self.stylizer, size=64, device="cpu", telemetry=self.telemetry)
        self.painter = Painter(
            inbox=self._inbox,
            outlets=[self.wall, *([recordings] if recordings else [])],
            canvas=canvas,
            control=self.control,
            governor=Punctual(fps=hot.fps, iterations=hot.iterations),
            telemetry=self.telemetry,
            live=live,
            idle=idle(canvas),
            resume_window_s=10,
            stop=self.stop,
        )
        self.painter.watch(self.wall)
        self._thread = Thread(target=self.painter.run, daemon=True)

    @contextmanager
    def open(self) -> Iterator["Atelier"]:
        """Let the painter run; at the end see that each frame is accounted for."""
        self._thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            self._inbox.close()
            self.control.resume()
            self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        account = self.telemetry.snapshot().frames
        assert account.is_balanced
        assert account.in_flight == 0

    def put(self, each: Frame) -> None:
        """Let a frame in, as the source worker does."""
        self.telemetry.frames.enter()
        assert self._inbox.put(each) == []

    def paint(self, each: Frame) -> Frame:
        """Return what becomes of a frame."""
        self.put(each)
        return self.wall.await_frame(each.sequence)

    def await_dropped(self, reason: str, count: int) -> None:
        """Return once so many frames were dropped for this reason."""
        self._await_that(lambda: self.telemetry.snapshot().frames.dropped.get(reason, 0) >= count)

    def await_state(self, state: State) -> None:
        """Return once the telemetry tells this state."""
        self._await_that(lambda: self.telemetry.snapshot().state is state)

    def _await_that(self, holds: Callable[[], bool]) -> None:
        pause = Event()
        for _ in range(round(PATIENCE_S / 0.01)):
            if holds():
                return
            pause.wait(0.01)
        pytest.fail(str(self.telemetry.snapshot()))


def test_other_iterations_are_the_budget_of_the_next_frame() -> None:
    with Atelier().open() as atelier:
        atelier.paint(frame(0))
        atelier.control.change({"iterations": 9})
        atelier.paint(frame(1))
    assert [budget.iterations for budget in atelier.stylizer.budgets] == [4, 9]


def test_fewer_frames_a_second_take_effect_at_once() -> None:
    with Atelier().open() as atelier:
        atelier.paint(frame(0))
        atelier.control.change({"fps": 2})
        atelier.paint(frame(1))
        atelier.paint(frame(2))
    _, first, second = (budget.deadline or 0.0 for budget in atelier.stylizer.budgets)
    assert 0.4 < second - first < 0.8


def test_the_frames_own_colors_are_put_on_the_way_out_and_the_memory_keeps_the_paintings() -> None:
    def gray(image: Tensor) -> Tensor:
        return image.mean(1, keepdim=True).expand_as(image)

    colorful = np.zeros((48, 64, 3), np.uint8)
    colorful[..., 0], colorful[..., 1], colorful[..., 2] = 150, 100, 80
    with Atelier(Echo(change=gray)).open() as atelier:
        painted = atelier.paint(frame(0, image=colorful))
        atelier.control.change({"color": "content"})
        recolored = atelier.paint(frame(1, image=colorful))
    assert painted.image[0, 0].tolist() == [110, 110, 110]
    red, green, blue = (int(value) for value in recolored.image[0, 0])
    assert (red - green, green - blue) == pytest.approx((50, 20), abs=1)
    kept = [float(stylized.image.std(1).max()) for _, _, stylized in atelier.wall.shown]
    assert max(kept) < 1e-6, "what the stylizer remembers is gray"


def test_after_a_reset_the_next_frame_begins_afresh() -> None:
    with Atelier().open() as atelier:
        atelier.paint(frame(0))
        assert atelier.stylizer.resets == 0
        atelier.control.reset()
        atelier.paint(frame(1))
        atelier.paint(frame(2))
    assert atelier.stylizer.resets == 1


def test_while_painting_is_paused_frames_are_counted_and_the_last_picture_goes_on() -> None:
    with Atelier().open() as atelier:
        first = atelier.paint(frame(0))
        atelier.control.pause()
        for number in range(1, 4):
            atelier.put(frame(number))
            atelier.await_dropped("paused", number)
        assert atelier.telemetry.snapshot().state is State.PAUSED
        again = atelier.wall.await_that(lambda handed: handed[-1].stale)[-1]
        assert (again.sequence, again.stale) == (0, True)
        assert np.array_equal(again.image, first.image)
        atelier.control.resume()
        after = atelier.paint(frame(4))
        assert atelier.telemetry.snapshot().state is State.RUNNING
    assert (after.sequence, after.dropped, after.stale) == (4, 3, False)
    assert len(atelier.stylizer.budgets) == 2
    assert atelier.telemetry.snapshot().frames.dropped == {"paused": 3}


def test_the_frames_of_a_file_wait_while_painting_is_paused() -> None:
    with Atelier(live=False).open() as atelier:
        atelier.paint(frame(0))
        atelier.control.pause()
        atelier.await_state(State.PAUSED)
        for number in range(1, 4):
            atelier.put(frame(number))
        threading.Event().wait(0.2)  # what is tested: that nothing comes in this time
        assert len(atelier.wall.handed) == 1
        atelier.control.resume()
        painted = atelier.wall.await_that(lambda handed: len(handed) == 4)
    assert [each.sequence for each in painted] == [0, 1, 2, 3]
    assert atelier.telemetry.snapshot().frames.dropped == {}


def test_every_picture_that_goes_out_is_shown_with_what_it_was_made_from() -> None:
    source = frame(0, image=picture(48, 64, seed=1))
    with Atelier().open() as atelier:
        atelier.paint(source)
        atelier.wall.await_that(lambda handed: len(handed) == 2)
    (shown_source, painted, stylized), (again_source, again, again_stylized), *_ = atelier.wall.shown
    assert shown_source is again_source is source
    assert [painted, again] == atelier.wall.handed[:2]
    assert (painted.stale, again.stale) == (False, True)
    assert stylized is again_stylized


def test_a_snapshot_is_the_picture_that_goes_out_next() -> None:
    with Atelier().open() as atelier, ThreadPoolExecutor(1) as pool:
        atelier.paint(frame(0))
        future = pool.submit(atelier.control.snapshot, PATIENCE_S)
        number = 1
        while not future.done():
            atelier.paint(frame(number, image=picture(48, 64, seed=number)))
            number += 1
    with Image.open(io.BytesIO(future.result())) as image:
        pixels = np.asarray(image)
    assert any(np.array_equal(pixels, each.image) for each in atelier.wall.handed[1:])


def test_a_film_has_the_frames_painted_while_it_is_recorded(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    with Atelier(recordings=recordings).open() as atelier:
        atelier.paint(frame(0))
        path = atelier.control.start_recording()
        assert atelier.control.recording == path
        for number in range(1, 6):
            atelier.paint(frame(number))
        assert atelier.control.stop_recording() == path
        assert atelier.control.recording is None
        atelier.paint(frame(6))
    with av.open(str(path)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 5


class Sketch(Echo):
    """Paints a picture that changes with every step, ever less."""

    def __init__(self) -> None:
        super().__init__(change=self._lighter)
        self._steps = 0

    def _lighter(self, image: Tensor) -> Tensor:
        self._steps += 1
        return image * 0 + min(1.0, self._steps / 64)


def test_while_idle_a_picture_is_refined_and_goes_out_once_a_second() -> None:
    with Atelier(Sketch(), idle=Refine, hot=Hot(fps=20, iterations=4)).open() as atelier:
        first = atelier.paint(frame(0))
        *_, second, third = atelier.wall.await_that(lambda handed: len(handed) == 3)
        assert [each.stale for each in (second, third)] == [True, True]
        assert [each.sequence for each in (second, third)] == [0, 0]
        assert len({each.image[0, 0, 0] for each in (first, second, third)}) > 1
        assert len(atelier.stylizer.budgets) > 3, "it was painted between the messages, too"
        after = atelier.paint(frame(1))
    assert (after.stale, after.dropped) == (False, 0)
    assert atelier.telemetry.snapshot().frames.done == 2


def test_a_slow_rate_of_our_own_never_shows_the_slate() -> None:
    def slate(_: Canvas) -> Idle:
        return Slate(Gallery(), patience_s=0.0)

    with Atelier(idle=slate, hot=Hot(fps=0.4, iterations=1)).open() as atelier:
        painted = atelier.paint(frame(0, image=np.full((48, 64, 3), 200, np.uint8)))
        atelier.put(frame(1, image=painted.image))
        handed = atelier.wall.await_that(lambda handed: handed[-1].sequence == 1)
        assert [each.stale for each in handed] == [False, True, True, False]
        assert all(np.array_equal(each.image, painted.image) for each in handed)
        card = atelier.wall.await_that(lambda handed: len(handed) >= 7)[-1]
    assert not np.array_equal(card.image, painted.image), "but when the source is silent, it comes"
