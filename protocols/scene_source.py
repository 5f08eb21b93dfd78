"""The built-in scene as a source: a camera that needs no hardware."""

import time
from collections.abc import Iterator
from threading import Event

from protocols.frame import Frame
from protocols.scene import CUTS, render


class SceneSource:
    """The scene, over and over.

    Args:
        size: width and height in pixels.
        fps: frames per second of the scene's own time; when ``live``, of the clock too.
        frames: how many frames before it ends; None never ends.
        live: keep the clock's pace as a camera does, instead of yielding as fast as asked. A frame whose time has
            passed before it was asked for is left out, and ``sequence`` shows the gap.
    """

    def __init__(
        self, *, size: tuple[int, int] = (256, 144), fps: float = 25, frames: int | None = None, live: bool = True
    ) -> None:
        if min(size) < 2 or not fps > 0:
            raise ValueError(f"size must be at least 2 x 2 and fps positive, got {size!r} and {fps!r}")
        self.live = live
        self._size = size
        self._fps = fps
        self._frames = frames

    def frames(self, stop: Event) -> Iterator[Frame]:
        """Yield the scene from its beginning."""
        width, height = self._size
        for shot in CUTS:
            if stop.is_set():
                return
            render(shot, width=width, height=height)  # making a shot takes a second, which no frame is to wait for
        epoch, began = time.time_ns(), time.monotonic()
        index = left_out = 0
        while self._frames is None or index < self._frames:
            if self.live:
                due = max(index, int((time.monotonic() - began) * self._fps))
                left_out, index = left_out + due - index, due
                if self._frames is not None and index >= self._frames:
                    return
                stop.wait(max(0.0, began + index / self._fps - time.monotonic()))
            if stop.is_set():
                return
            captured_at, received_at = time.time(), time.monotonic()
            yield Frame(
                image=render(index, width=width, height=height),
                sequence=index,
                pts=index / self._fps,
                captured_at=captured_at,
                received_at=received_at,
                epoch=epoch,
                dropped=left_out,
            )
            index += 1
