"""Where a frame becomes a painted one: pixels to tensor, a step of the stylizer, and back."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog
import torch
from torch import Tensor

from models.descent import Budget
from models.sight import Sight
from models.stylizer import Stylized
from protocols.frame import Frame, Painting
from streamer.finish import finish
from streamer.mask import Mask
from streamer.paint import Hot
from streamer.pixels import to_pixels, to_tensor, working_size
from streamer.sizing import Sizing
from streamer.stand_in import Fallible
from streamer.telemetry import Telemetry

log = structlog.get_logger()


class Stylizer(Protocol):
    """What paints: a ``models.stylizer.Stylizer``."""

    def observe(self, content: Tensor) -> Sight:
        """Look at the next frame, 1 x 3 x H x W."""
        ...

    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Paint a frame that was looked at."""
        ...

    def reset(self) -> None:
        """Forget the last one."""
        ...


class Follower(Protocol):
    """What makes the stylizer paint as the settings say: a ``streamer.restyling.Restyler``."""

    def follow(self, hot: Hot, *, at_s: float) -> None:
        """Let the next frame, which shows the stream's second ``at_s``, be painted so; returns at once."""
        ...

    def match(self, sight: Sight) -> Tensor | None:
        """Let the next frame be painted in its own light, if the settings say so; return the level for its finish."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether the stylizer does not paint quite so yet."""
        ...

    @property
    def problem(self) -> str | None:
        """Why it cannot be painted so; None: it can."""
        ...

    def close(self, timeout_s: float) -> bool:
        """No more frames come: end what goes on beside the stream; return whether it ended in time."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Wet:
    """One frame that is painted, and may be painted on before it is seen."""

    source: Frame
    hot: Hot
    """How it is painted."""
    sight: Sight
    """What the frame shows, on the device."""
    stylized: Stylized
    level: Tensor | None = None
    """For `streamer.finish`."""


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """One frame and what became of it."""

    source: Frame
    frame: Frame
    stylized: Stylized
    sight: Sight
    """What the frame shows, for whoever paints it once more."""


class Canvas:
    """Paints one frame after the other.

    Args:
        stylizer: the picture's memory is in there.
        follower: lets the stylizer follow the settings; None: it stays as it is.
        networks: what the stylizer asks that may fail, and is told of then.
        mask: says where to paint; None: everywhere.
        size: long side of the painted picture in pixels; smaller frames stay as they are. It is reduced for a while
            when the device runs out of memory.
        device: where to paint.
        telemetry: counts what goes wrong.
        clock: monotonic, seconds.
    """

    def __init__(
        self,
        stylizer: Stylizer,
        *,
        follower: Follower | None = None,
        networks: Sequence[Fallible] = (),
        mask: Mask | None = None,
        size: int,
        device: torch.device | str,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stylizer = stylizer
        self._follower = follower
        self._networks = networks
        self._mask = mask
        self._sizing = Sizing(size, clock=clock)
        self._device = device
        self._telemetry = telemetry

    def reset(self) -> None:
        """Forget everything: the next frame begins a picture of its own."""
        self._stylizer.reset()

    @property
    def is_changing(self) -> bool:
        """Whether the settings are still taking effect: a painting is made ready, or fades in."""
        return self._follower is not None and self._follower.is_busy

    def look(self, source: Frame) -> Sight:
        """Return what the next frame shows; another thread may do so while the last one is painted."""
        return self._stylizer.observe(to_tensor(source.image, size=self._sizing.size(), device="cpu"))

    def paint(
        self, source: Frame, budget: Budget, hot: Hot, *, at_s: float, sight: Sight | None = None
    ) -> Painted | None:
        """Return the painted frame; None if it is not fit to be seen. See `stylize`, and `finish`."""
        wet = self.stylize(source, budget, hot, at_s=at_s, sight=sight)
        return None if wet is None else self.finish(wet)

    def stylize(
        self, source: Frame, budget: Budget, hot: Hot, *, at_s: float, sight: Sight | None = None
    ) -> Wet | None:
        """Paint a frame; return it, or None if it is not fit to be seen.

        Args:
            source: the frame.
            budget: what may be spent on it.
            hot: how to paint it.
            at_s: the stream's time, by which paintings fade in.
            sight: what the frame shows, if it was looked at before.

        Raises:
            torch.OutOfMemoryError: the device has too little memory even for the smallest size.
        """
        if self._follower is not None:
            self._follower.follow(hot, at_s=at_s)
            problem = self._follower.problem
            self._telemetry.trouble("style", problem and "failed", error=problem or "")
        wet = self._stylized(source, budget, hot, sight)
        stylized = wet.stylized
        self._tell_of_networks()
        self._telemetry.discard(stylized.failures)
        if not bool(torch.isfinite(stylized.image).all()):
            log.error("engine_nonfinite", sequence=source.sequence)
            self._stylizer.reset()
            return None
        return wet

    def finish(self, wet: Wet) -> Painted:
        """Return a painted frame as people see it."""
        stylized, content, hot = wet.stylized, wet.sight.content, wet.hot
        mask = None if self._mask is None else self._mask.like(content)
        image = finish(stylized.image, content, color=hot.color, light=hot.light, mask=mask, level=wet.level)
        painting = Painting(stylized.iterations, stylized.restarted, stylized.temporal_error)
        return Painted(wet.source, replace(wet.source, image=to_pixels(image), painting=painting), stylized, wet.sight)

    def shrink(self, sight: Sight, reason: str) -> bool:
        """Paint smaller from the next frame on, as there was no memory to paint this one on; return whether it can."""
        height, width = sight.content.shape[-2:]
        if not self._sizing.step_down(long_side=max(height, width)):
            return False
        self._begin_smaller(height, width, reason)
        return True

    def _begin_smaller(self, height: int, width: int, reason: str) -> None:
        log.warning("engine_oom", width=width, height=height, next_size=self._sizing.size(), error=reason)
        self._stylizer.reset()
        torch.cuda.empty_cache()

    def _tell_of_networks(self) -> None:
        for network in self._networks:
            wrong = network.complaint
            self._telemetry.trouble(network.part, wrong and wrong.reason, error=wrong.error if wrong else "")

    def _stylized(self, source: Frame, budget: Budget, hot: Hot, sight: Sight | None) -> Wet:
        """Return the frame, painted at the largest size for which the device has memory."""
        while True:
            size = self._sizing.size()
            height, width = working_size(*source.image.shape[:2], size=size)
            if sight is None or sight.content.shape[-2:] != (height, width):
                sight = self.look(source)
            try:
                wet = self._on_device(source, budget, hot, sight)
            except torch.OutOfMemoryError as error:
                if not self._sizing.step_down(long_side=max(height, width)):
                    raise
                reason = str(error).partition("\n")[0]
            else:
                self._telemetry.trouble("memory", "size_reduced" if self._sizing.is_reduced else None)
                return wet
            # Here the exception is gone, and with it the tensors that its traceback held.
            sight = None
            self._begin_smaller(height, width, reason)

    def _on_device(self, source: Frame, budget: Budget, hot: Hot, sight: Sight) -> Wet:
        level = self._follower.match(sight) if self._follower is not None else None
        there = sight.to(self._device)
        return Wet(source, hot, there, self._stylizer.paint(there, budget), level)
