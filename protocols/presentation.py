"""Presentation times that only move forward, whatever a camera's clock does."""

LARGEST_LEAP_S = 10.0
"""A live stream's time that runs this far ahead of ours has jumped."""
SMALLEST_STEP_S = 0.001


class Presentation:
    """Turns the times a stream writes on its frames into seconds since its first frame, always growing.

    Where the stream's own time is missing, goes back or leaps, our clock says how far to go on, and the stream's time
    is trusted again from there.

    Args:
        live: frames arrive when they were taken, so a leap ahead of our clock is an error and not a pause in a film.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._last: float | None = None
        self._arrived = 0.0
        self._offset: float | None = None

    def place(self, time: float | None, *, arrived: float, duration: float) -> float:
        """Return when to show a frame.

        Args:
            time: what the stream says, in s from anywhere; None if it does not.
            arrived: ``time.monotonic()``.
            duration: how long a frame of this stream usually lasts, in s.
        """
        waited = arrived - self._arrived if self._live else duration
        if self._last is None:
            shown = 0.0
        elif time is None or self._offset is None or not self._is_likely(time + self._offset - self._last, waited):
            shown = self._last + max(waited, SMALLEST_STEP_S)
            self._offset = None
        else:
            shown = time + self._offset
        if time is not None and self._offset is None:
            self._offset = shown - time
        self._last, self._arrived = shown, arrived
        return shown

    def _is_likely(self, step: float, waited: float) -> bool:
        return step > 0 and not (self._live and step > waited + LARGEST_LEAP_S)
