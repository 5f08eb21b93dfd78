"""Lets a stylizer follow the settings: another painting fades in while frames go on.

A painting is looked at in a thread of its own, beside the stream. Then what is painted towards (Gram matrices and
palette) moves on a straight line from the old look to the new one, a step with every frame. The network stays, and so
does all that the stylizer remembers.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Protocol

import numpy as np
import structlog
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.look import Look
from models.stylizer import Objective
from streamer.engine import Engine
from streamer.gallery import Gallery
from streamer.paint import Hot
from streamer.picture import PictureError

KEPT_LOOKS = 8
"""Paintings that can be gone back to without another look; each takes a few MiB."""

Name = tuple[str, int]
"""A painting's name and its edition: which picture has the name."""

log = structlog.get_logger()


class Restylable(Protocol):
    """A stylizer that can be given another aim."""

    def restyle(self, objective: Objective, fill: Callable[[Tensor], Tensor]) -> None:
        """Paint towards something else from the next frame on."""
        ...


class Looks:
    """The looks of paintings, each made in a thread of its own when it is first asked for.

    Args:
        picture: returns a painting by its name, H x W x 3.
        look_at: returns its look; takes a while.
        known: looks that are made already.
    """

    def __init__(
        self,
        picture: Callable[[str], NDArray[np.uint8]],
        look_at: Callable[[NDArray[np.uint8]], Look],
        known: Mapping[Name, Look],
    ) -> None:
        self._picture = picture
        self._look_at = look_at
        self._made: OrderedDict[Name, Look | str] = OrderedDict(known)
        self._making: Thread | None = None
        self._lock = Lock()

    def get(self, name: Name) -> Look | str | None:
        """Return a painting's look, or why it has none, or None while it is made; one at a time."""
        with self._lock:
            if name in self._made:
                self._made.move_to_end(name)
                return self._made[name]
            if self._making is None:
                self._making = Thread(target=self._make, args=(name,), name="look", daemon=True)
                self._making.start()
            return None

    def forgive(self) -> None:
        """Look again at paintings that could not be used."""
        with self._lock:
            for name in [name for name, made in self._made.items() if isinstance(made, str)]:
                del self._made[name]

    def close(self, timeout_s: float) -> bool:
        """Wait for the look that is being made; return whether it came in time."""
        with self._lock:
            making = self._making
        if making is not None:
            making.join(timeout_s)
        return making is None or not making.is_alive()

    def _make(self, name: Name) -> None:
        made: Look | str
        try:
            made = self._look_at(self._picture(name[0]))
        except (PictureError, torch.OutOfMemoryError) as error:
            made = str(error).partition("\n")[0]
            log.error("style_failed", style=name[0], error=made)  # noqa: TRY400 - it says all, no traceback needed
        with self._lock:
            self._making = None
            self._made[name] = made
            while len(self._made) > KEPT_LOOKS:
                self._made.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which look is wanted."""

    style: Name
    blend: Name | None
    blend_weight: float


@dataclass(frozen=True, slots=True, eq=False)
class _Fade:
    """A way from one look to another, in the stream's time."""

    origin: Look
    target: Look
    began_s: float
    lasts_s: float

    def share(self, at_s: float) -> float:
        """Return how much of the way is behind us: 0 to 1."""
        return min(1.0, max(0.0, (at_s - self.began_s) / self.lasts_s)) if self.lasts_s else 1.0


class Restyler:
    """Gives a stylizer its aim before each frame. Used by the painter's thread alone.

    Args:
        engine: what the stylizer paints with at first.
        stylizer: paints.
        gallery: the paintings.
        hot: the settings that ``engine`` was made from.
    """

    def __init__(self, engine: Engine, stylizer: Restylable, gallery: Gallery, hot: Hot) -> None:
        self._engine = engine
        self._stylizer = stylizer
        self._gallery = gallery
        self._asked = self._granted = self._wish(hot)
        known = {self._granted.style: engine.look} if hot.blend is None else {}
        self._looks = Looks(gallery.picture, engine.look_at, known)
        self._fade: _Fade | None = None
        self.problem: str | None = None

    @property
    def engine(self) -> Engine:
        """What is painted with now."""
        return self._engine

    @property
    def is_busy(self) -> bool:
        """Whether a look is being made or fades in."""
        return self._fade is not None or (self._asked != self._granted and self.problem is None)

    def follow(self, hot: Hot, *, at_s: float) -> None:
        """Let the next frame, which shows the stream's second ``at_s``, be painted so; returns at once."""
        wish = self._wish(hot)
        if wish != self._asked:
            self._looks.forgive()
        self._asked = wish
        if wish == self._granted:
            self.problem = None
        else:
            self._grant(wish, at_s=at_s, lasts_s=hot.fade_s)
        engine = self._engine.restyled(self._look(at_s), hot)
        if engine is not self._engine:
            self._engine = engine
            self._stylizer.restyle(engine.objective, engine.fill)

    def close(self, timeout_s: float) -> bool:
        """Wait for the look that is being made; return whether it came in time."""
        return self._looks.close(timeout_s)

    def _wish(self, hot: Hot) -> _Wish:
        style = hot.style, self._gallery.edition(hot.style)
        if hot.blend is None:
            return _Wish(style, None, 0.0)
        return _Wish(style, (hot.blend, self._gallery.edition(hot.blend)), hot.blend_weight)

    def _grant(self, wish: _Wish, *, at_s: float, lasts_s: float) -> None:
        """Begin to fade to the wished look, if it is made."""
        made = [self._looks.get(name) for name in (wish.style, wish.blend) if name]
        self.problem = next((each for each in made if isinstance(each, str)), None)
        looks = [each for each in made if isinstance(each, Look)]
        if len(looks) < len(made):
            return
        target = looks[0].toward(looks[-1], wish.blend_weight)
        self._fade = _Fade(self._engine.look, target, at_s, lasts_s)
        self._granted = wish
        log.info("style_changed", style=wish.style[0], blend=wish.blend and wish.blend[0], fade_s=lasts_s)

    def _look(self, at_s: float) -> Look:
        """Return the look for a moment of the stream."""
        if self._fade is None:
            return self._engine.look
        fade, share = self._fade, self._fade.share(at_s)
        if share == 1:
            self._fade = None
        return fade.origin.toward(fade.target, share)
