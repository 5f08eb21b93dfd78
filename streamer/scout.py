"""An inbox that looks ahead: the CPU looks at the next frame while the GPU still paints the last one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from typing import Protocol

from models.sight import Sight
from protocols.frame import Frame
from streamer.mailbox import Closed, Mailbox
from streamer.pulse import Pulse

LOOK_PATIENCE_S = 30.0


class Inbox(Protocol):
    """Where frames are taken from."""

    def take_within(self, timeout_s: float) -> Frame | None:
        """Return the next frame; None if none came in time. Raises `Closed` when none will come."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    frame: Frame
    sight: Sight


class Scout:
    """Takes each frame out of the inbox, finds its cut and its flows in a thread of its own, and hands it on.

    Of a live source the newest frame is to win. So the next one is not taken at once, but so late that it is just
    ready when the painter, who takes about as long as the last time, comes for it.

    Args:
        inbox: where frames arrive.
        look: finds what a frame shows.
        clock: monotonic, seconds.
    """

    def __init__(
        self, inbox: Mailbox[Frame], look: Callable[[Frame], Sight], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inbox = inbox
        self._look = look
        self._clock = clock
        self._changed = Condition()
        self._found: _Found | None = None
        self._handed: _Found | None = None
        self._is_asked = self._is_over = False
        self._taken_at = clock()
        self._painting_s = self._looking_s = 0.0
        self.pulse = Pulse(clock=clock)

    def take_within(self, timeout_s: float) -> Frame | None:
        """Return the next frame, looked at; None if none came in time.

        Raises:
            Closed: none will come.
        """
        with self._changed:
            if not self._is_asked:
                self._painting_s = self._clock() - self._taken_at
                self._is_asked = True
                self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._found is not None or self._is_over, timeout_s):
                return None
            self._handed, self._found = self._found, None
            if self._handed is None:
                raise Closed
            self._taken_at, self._is_asked = self._clock(), False
            self._changed.notify_all()
            return self._handed.frame

    def sight_of(self, frame: Frame) -> Sight | None:
        """Return what the frame shows that was handed on last; None of any other."""
        with self._changed:
            return self._handed.sight if self._handed is not None and self._handed.frame is frame else None

    def clear(self) -> list[Frame]:
        """Forget the frame that is waiting to be taken; return it."""
        with self._changed:
            found, self._found = self._found, None
            self._changed.notify_all()
            return [found.frame] if found is not None else []

    def run(self) -> None:
        """Look at frames until the inbox is closed and empty."""
        try:
            while True:
                self._await_need()
                frame = self._inbox.take()
                self.pulse.expect(LOOK_PATIENCE_S)
                began = self._clock()
                found = _Found(frame, self._look(frame))
                self.pulse.rest()
                with self._changed:
                    self._looking_s = self._clock() - began
                    self._found = found
                    self._changed.notify_all()
        except Closed:
            pass
        finally:
            self.pulse.rest()
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _await_need(self) -> None:
        """Wait until the last frame was taken, and then until the painter will soon ask for the next one."""
        with self._changed:
            self._changed.wait_for(lambda: self._found is None)
            soon = self._taken_at + self._painting_s - self._looking_s
            self._changed.wait_for(lambda: self._is_asked, max(0.0, soon - self._clock()))
