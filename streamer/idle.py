"""What goes out while no new frame comes: ``output.when_idle``."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from models.descent import Budget
from protocols.frame import Frame
from streamer.canvas import Canvas, Painted
from streamer.gallery import Gallery
from streamer.paint import Hot
from streamer.picture import PictureError
from streamer.slate import slate

AT_REST = 0.001
"""Between two paintings of the same frame, RMSE: a quarter of an 8-bit level."""


class Idle(Protocol):
    """What to do with the time, and what to send once a second."""

    def spend(self, last: Painted, hot: Hot) -> Painted | None:
        """Return the last picture, improved in a moment's work; None: there is nothing to do."""
        ...

    def picture(self, last: Painted, hot: Hot, *, heard_at: float) -> Frame:
        """Return what goes out now.

        Args:
            last: the picture that went out last; its frame may have waited for those after it.
            hot: the settings.
            heard_at: when the last frame of all came, on ``time.monotonic()``.
        """
        ...


class Hold:
    """The last picture as it is."""

    def spend(self, last: Painted, hot: Hot) -> Painted | None:  # noqa: ARG002 - nothing is done
        """Do nothing."""
        return None

    def picture(self, last: Painted, hot: Hot, *, heard_at: float) -> Frame:  # noqa: ARG002 - it is as it is
        """Return the last picture."""
        return replace(last.frame, stale=True)


class Refine(Hold):
    """The last frame, painted further until the picture rests.

    Args:
        canvas: where it is painted.
        clock: monotonic, seconds.
    """

    def __init__(self, canvas: Canvas, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._canvas = canvas
        self._clock = clock
        self._rests: tuple[Frame, Hot] | None = None

    def spend(self, last: Painted, hot: Hot) -> Painted | None:
        """Paint the frame once more, for no longer than a frame may take; None once that changes nothing."""
        if self._rests == (last.source, hot) and not self._canvas.is_changing:
            return None
        now = self._clock()
        at_s = last.source.pts + now - last.source.received_at
        budget = Budget(hot.iterations, now + 1 / hot.fps)
        painted = self._canvas.paint(last.source, budget, hot, at_s=at_s, sight=last.sight.again())
        error = painted.stylized.temporal_error if painted else 0.0
        if error is not None and error < AT_REST:
            self._rests = last.source, hot
        return painted


class Slate(Hold):
    """A card that says since when there is no signal, over the last picture.

    Until the source has been silent for ``patience_s``, the last picture is held: a slow source is no lost one.

    Args:
        gallery: the card has the colors of the painting.
        patience_s: when the silence begins to count.
        clock: monotonic, seconds.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        gallery: Gallery,
        *,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._gallery = gallery
        self._patience_s = patience_s
        self._clock = clock
        self._wall = wall
        self._made: tuple[Frame, Frame] | None = None
        """Of which frame, and the card."""

    def picture(self, last: Painted, hot: Hot, *, heard_at: float) -> Frame:
        """Return the card, made once for each silence."""
        silence_s = self._clock() - heard_at
        if silence_s < self._patience_s:
            return super().picture(last, hot, heard_at=heard_at)
        if self._made is None or self._made[0] is not last.source:
            self._made = last.source, self._card(last.frame, hot, since=self._wall() - silence_s)
        return self._made[1]

    def _card(self, frame: Frame, hot: Hot, *, since: float) -> Frame:
        try:
            painting = self._gallery.picture(hot.style)
        except PictureError:  # its file is gone; what was painted with it has its colors, too
            painting = frame.image
        detail = f"since {time.strftime('%H:%M:%S', time.localtime(since))}"
        return replace(frame, image=slate(frame.image, painting, title="no signal", detail=detail), stale=True)
