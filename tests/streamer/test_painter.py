"""The painting thread."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import structlog
import torch
from torch import Tensor

from models.descent import Budget
from models.sight import Sight
from models.stylizer import Stylized
from protocols.frame import Frame
from streamer.canvas import Canvas, Stylizer
from streamer.control import Control
from streamer.gallery import Gallery
from streamer.governor import Governor, Punctual, Unhurried
from streamer.mailbox import Mailbox
from streamer.paint import Hot
from streamer.painter import Painter
from streamer.pixels import to_pixels, to_tensor, working_size
from streamer.telemetry import Telemetry
from tests.endpoints import frame, picture


class Echo:
    """Paints a frame as it is, and remembers how it was asked."""

    def __init__(self, *, change: Callable[[Tensor], Tensor] = lambda image: image) -> None:
        self.budgets: list[Budget] = []
        self.resets = 0
        self._change = change

    def observe(self, content: Tensor) -> Sight:
        """See nothing but the frame."""
        return Sight(0, 0, content, None)

    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Return the frame."""
        self.budgets.append(budget)
        return Stylized(
            image=self._change(sight.content),
            iterations=budget.iterations,
            restarted=len(self.budgets) == 1,
            terms=None,
            failures=1,
            temporal_error=0.25,
            flow=None,
        )

    def reset(self) -> None:
        """Count."""
        self.resets += 1


class Kept:
    """An outlet that keeps what it is handed."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.is_closed = False
        self.came = Event()

    def hand(self, frame: Frame) -> None:
        """Keep ``frame``."""
        assert not self.is_closed
        self.frames.append(frame)
        self.came.set()

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


class Easel:
    """A painter and what it works with."""

    def __init__(
        self,
        stylizer: Stylizer | None = None,
        *,
        live: bool = False,
        size: int = 256,
        governor: Governor | None = None,
        hot: Hot = Hot(iterations=4, fps=240),  # noqa: B008 - it is frozen
    ) -> None:
        self.stylizer = stylizer or Echo()
        self.stop = Event()
        self.kept = Kept()
        self.telemetry = Telemetry()
        self.inbox: Mailbox[Frame] = Mailbox(1 if live else 100, waits=not live)
        self.control = Control(hot, Gallery())
        self.painter = Painter(
            inbox=self.inbox,
            outlets=[self.kept],
            canvas=Canvas(self.stylizer, size=size, device="cpu", telemetry=self.telemetry),
            control=self.control,
            governor=governor or Unhurried(iterations=4),
            telemetry=self.telemetry,
            live=live,
            resume_window_s=10,
            stop=self.stop,
        )

    def put(self, each: Frame) -> None:
        """Let a frame in, as the source worker does."""
        self.telemetry.frames.enter()
        assert self.inbox.put(each) == []

    def paint(self, *frames: Frame) -> list[Frame]:
        """Return what becomes of ``frames``."""
        for each in frames:
            self.put(each)
        self.inbox.close()
        self.painter.run()
        assert self.kept.is_closed
        account = self.telemetry.snapshot().frames
        assert account.is_balanced
        assert account.in_flight == 0
        return self.kept.frames


def test_a_painted_frame_keeps_its_number_and_times_and_says_how_it_was_painted() -> None:
    came = frame(7, epoch=3, pts=1.25)
    (painted,) = Easel().paint(came)
    assert painted.painting is not None
    assert (painted.painting.iterations, painted.painting.cut, painted.painting.temporal_error) == (4, True, 0.25)
    for name in ("sequence", "epoch", "pts", "captured_at", "received_at"):
        assert getattr(painted, name) == getattr(came, name)


def test_pixels_go_to_the_painter_and_back_unchanged() -> None:
    image = picture(48, 64)
    (painted,) = Easel().paint(frame(0, image=image))
    assert np.array_equal(painted.image, image)
    assert painted.image.flags.c_contiguous
    assert painted.image.dtype == np.uint8


def test_a_picture_that_must_not_be_written_to_is_no_problem() -> None:
    image = picture(48, 64)
    image.flags.writeable = False
    assert np.array_equal(to_pixels(to_tensor(image, size=64, device="cpu")), image)


def test_colors_are_rounded_and_kept_in_range() -> None:
    image = torch.tensor([-0.5, 0.4 / 255, 0.6 / 255, 1.7]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert to_pixels(image)[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (1080, 1920, 256, (144, 256)),
        (1920, 1080, 256, (256, 144)),
        (272, 640, 256, (109, 256)),
        (48, 64, 256, (48, 64)),
        (100, 4000, 256, (16, 256)),
        (256, 256, 256, (256, 256)),
    ],
)
def test_the_long_side_shrinks_to_the_working_size(
    height: int, width: int, size: int, expected: tuple[int, int]
) -> None:
    assert working_size(height, width, size=size) == expected


def test_shrinking_averages_the_pixels() -> None:
    checkered = np.zeros((64, 64, 3), np.uint8)
    checkered[::2, ::2] = checkered[1::2, 1::2] = 200
    (painted,) = Easel(size=32).paint(frame(0, image=checkered))
    assert painted.image.shape == (32, 32, 3)
    assert np.unique(painted.image).tolist() == [100]


def test_every_missing_number_before_a_frame_is_in_its_dropped() -> None:
    painted = Easel().paint(frame(2), frame(3), frame(9))
    assert [each.dropped for each in painted] == [2, 2, 7]


def test_nothing_that_is_not_finite_is_published_and_the_memory_is_dropped() -> None:
    bad = iter([False, True, False])
    stylizer = Echo(change=lambda image: image * float("nan") if next(bad) else image)
    easel = Easel(stylizer)
    with structlog.testing.capture_logs() as log:
        painted = easel.paint(frame(0), frame(1), frame(2))
    assert [(each.sequence, each.dropped) for each in painted] == [(0, 0), (2, 1)]
    assert stylizer.resets == 1
    assert easel.telemetry.snapshot().frames.dropped == {"nonfinite": 1}
    assert log[0]["event"] == "engine_nonfinite"


@pytest.mark.parametrize(("live", "gap_s", "resets"), [(True, 9.0, 0), (True, 11.0, 1), (False, 11.0, 0)])
def test_the_picture_survives_a_short_outage_of_a_live_source(live: bool, gap_s: float, resets: int) -> None:  # noqa: FBT001 - a parameter
    stylizer = Echo()
    easel = Easel(stylizer, live=live)
    first = frame(0)
    thread = Thread(target=easel.painter.run, daemon=True)
    thread.start()
    easel.put(first)
    assert easel.kept.came.wait(10)
    easel.put(replace(frame(1), received_at=first.received_at + gap_s))
    easel.inbox.close()
    thread.join(10)
    assert stylizer.resets == resets
    assert len(easel.kept.frames) == 2


def test_while_no_frame_comes_the_last_picture_goes_out_again_marked_as_stale() -> None:
    easel = Easel(live=True)
    thread = Thread(target=easel.painter.run, daemon=True)
    thread.start()
    easel.put(frame(5))
    assert easel.kept.came.wait(10)
    easel.kept.came.clear()
    assert easel.kept.came.wait(10)
    easel.inbox.close()
    thread.join(10)
    first, again, *_ = easel.kept.frames
    assert (first.stale, again.stale) == (False, True)
    assert again.sequence == first.sequence == 5
    assert again.received_at == first.received_at
    assert np.array_equal(again.image, first.image)
    snapshot = easel.telemetry.snapshot()
    assert snapshot.frames.done == 1
    assert snapshot.heartbeats == len(easel.kept.frames) - 1


def test_of_the_frames_that_come_while_the_tick_is_awaited_the_newest_is_painted() -> None:
    class Late(Punctual):
        def pause_s(self) -> float:
            if not late:
                return 0.0
            easel.telemetry.frames.enter()
            for _ in easel.inbox.put(late.pop(0)):
                easel.telemetry.frames.refuse("busy")
            return 0.001

    late = [frame(0), frame(1), frame(2)]
    easel = Easel(live=True, governor=Late(fps=1000, iterations=3))
    thread = Thread(target=easel.painter.run, daemon=True)
    thread.start()
    assert easel.kept.came.wait(10)
    easel.inbox.close()
    thread.join(10)
    assert [(each.sequence, each.dropped) for each in easel.kept.frames] == [(2, 2)]


def test_a_file_is_painted_with_all_its_iterations_and_no_deadline() -> None:
    stylizer = Echo()
    Easel(stylizer).paint(frame(0), frame(1))
    assert stylizer.budgets == [Budget(4, None)] * 2


def test_while_draining_a_frame_gets_one_iteration() -> None:
    stylizer = Echo()
    easel = Easel(stylizer)
    easel.stop.set()
    assert len(easel.paint(frame(0), frame(1))) == 2
    assert [budget.iterations for budget in stylizer.budgets] == [1, 1]


def test_an_error_while_painting_ends_the_thread_and_closes_the_outlets() -> None:
    def fail(_image: Tensor) -> Tensor:
        raise ZeroDivisionError

    easel = Easel(Echo(change=fail))
    easel.put(frame(0))
    with pytest.raises(ZeroDivisionError):
        easel.painter.run()
    assert easel.kept.is_closed
    account = easel.telemetry.snapshot().frames
    assert account.dropped == {"failed": 1}
    assert account.in_flight == 0


def test_out_of_memory_paints_the_same_frame_smaller_and_says_so() -> None:
    def scarce(image: Tensor) -> Tensor:
        if image.shape[-1] > 150:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return image

    easel = Easel(Echo(change=scarce), size=256)
    frames = easel.paint(*(frame(n, image=picture(144, 256)) for n in range(2)))
    assert [each.image.shape for each in frames] == [(81, 144, 3)] * 2
    assert easel.stylizer.resets == 2  # type: ignore[attr-defined] # an Echo
    assert easel.telemetry.snapshot().troubles["memory"].reason == "size_reduced"


def test_too_little_memory_for_any_size_ends_the_painter() -> None:
    def empty(_image: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    easel = Easel(Echo(change=empty))
    easel.put(frame(0, image=picture(144, 256)))
    easel.inbox.close()
    with pytest.raises(torch.OutOfMemoryError):
        easel.painter.run()
    assert easel.telemetry.snapshot().frames.dropped == {"failed": 1}


def test_the_real_stylizer_paints_a_moving_scene(tmp_path: Path) -> None:
    from models.color import color_statistics, palette_fill
    from models.cuts import CutDetector
    from models.flow import DIS
    from models.stylizer import Stylizer as RealStylizer
    from tests.tiny import random_image, tiny_objective

    palette = color_statistics(random_image(seed=9))
    stylizer = RealStylizer(
        tiny_objective(tmp_path / "tiny.safetensors"),
        flow=DIS(),
        cuts=CutDetector(),
        fill=lambda content: palette_fill(content, palette),
    )
    scene = to_pixels(random_image(64, 96, seed=1))
    frames = [frame(number, image=np.roll(scene, number, axis=1)) for number in range(4)]
    painted = Easel(stylizer, hot=Hot(iterations=3)).paint(*frames)
    paintings = [each.painting for each in painted if each.painting]
    assert [painting.cut for painting in paintings] == [True, False, False, False]
    assert [painting.iterations for painting in paintings] == [3, 3, 3, 3]
    assert all(painting.temporal_error is not None for painting in paintings[1:])
    assert all(not np.array_equal(each.image, came.image) for each, came in zip(painted, frames, strict=True))
