"""Lets a stylizer follow the settings: another painting fades in while frames go on.

A painting is looked at in a thread of its own, beside the stream. Then the shares of the paintings, and so what is
painted towards (Gram matrices and palette), move on a straight line from the old ones to the new ones, a step with
every frame. The network stays, and so does all that the stylizer remembers.
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

from models.look import Look, Mixture, Original
from models.sight import Sight
from models.stylizer import Objective
from streamer.engine import Engine
from streamer.gallery import Gallery
from streamer.matching import LiveMatcher
from streamer.paint import Hot
from streamer.picture import PictureError
from streamer.recipe import recipe

KEPT_LOOKS = 12
"""Paintings that can be gone back to without another look, and more than can be mixed; each takes a few MiB."""

Name = tuple[str, int]
"""A painting's name and its edition: which picture has the name."""

log = structlog.get_logger()


class Restylable(Protocol):
    """A stylizer that can be given another aim."""

    def restyle(self, objective: Objective, fill: Callable[[Tensor], Tensor]) -> None:
        """Paint towards something else from the next frame on."""
        ...


class Looks:
    """Paintings that were looked at, each in a thread of its own when it is first asked for.

    Args:
        picture: returns a painting by its name, H x W x 3.
        look_at: looks at it; takes a while.
        known: those that were looked at already.
    """

    def __init__(
        self,
        picture: Callable[[str], NDArray[np.uint8]],
        look_at: Callable[[NDArray[np.uint8]], Original],
        known: Mapping[Name, Original],
    ) -> None:
        self._picture = picture
        self._look_at = look_at
        self._made: OrderedDict[Name, Original | str] = OrderedDict(known)
        self._making: Thread | None = None
        self._lock = Lock()

    def get(self, name: Name) -> Original | str | None:
        """Return a painting, or why it cannot be used, or None while it is looked at; one at a time."""
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
        made: Original | str
        try:
            made = self._look_at(self._picture(name[0]))
        except (PictureError, torch.OutOfMemoryError) as error:
            made = str(error).partition("\n")[0]
            log.error("style_failed", style=name[0], error=made)  # noqa: TRY400 - it says all, no traceback needed
        except Exception as error:  # the stream must go on, and later paintings must be looked at
            made = f"{type(error).__name__}: {error}".partition("\n")[0]
            log.exception("style_failed", style=name[0], error=made)
        with self._lock:
            self._making = None
            self._made[name] = made
            while len(self._made) > KEPT_LOOKS:
                self._made.popitem(last=False)


Shares = Mapping[Name, float]
"""How much of each painting."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fade:
    """A way from one mixture to another, in the stream's time."""

    origin: Shares
    target: Shares
    began_s: float
    lasts_s: float

    def done(self, at_s: float) -> float:
        """Return how much of the way is behind us: 0 to 1."""
        return min(1.0, max(0.0, (at_s - self.began_s) / self.lasts_s)) if self.lasts_s else 1.0

    def shares(self, done: float) -> Shares:
        """Return how much there is of each painting then."""
        mixed = {name: (1 - done) * share for name, share in self.origin.items()}
        for name, share in self.target.items():
            mixed[name] = mixed.get(name, 0.0) + done * share
        return {name: share for name, share in mixed.items() if share}


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
        self._hot = hot
        self._asked = self._granted = self._shares = self._wish(hot)
        originals = [original for original, _ in engine.mixture.parts]
        self._originals: Mapping[Name, Original] = dict(zip(self._shares, originals, strict=True))
        self._mixture = engine.mixture
        self._looks = Looks(gallery.picture, engine.look_at, self._originals)
        self._fade: _Fade | None = None
        self._matcher: LiveMatcher | None = None
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
        self._hot = hot
        self._move(at_s)
        if hot.color != "matched":
            self._matcher = None
            self._aim_at(self._mixture.look)

    def match(self, sight: Sight) -> Tensor | None:
        """Let the next frame be painted in its own light, if the settings say so; return the level for its finish.

        It takes as long as an iteration when the painting must be looked at in another light.
        """
        if self._hot.color != "matched":
            return None
        self._matcher = self._matcher or LiveMatcher()
        match = self._matcher.match(sight, self._mixture)
        self._aim_at(match.look)
        return match.level

    def close(self, timeout_s: float) -> bool:
        """Wait for the look that is being made; return whether it came in time."""
        return self._looks.close(timeout_s)

    def _wish(self, hot: Hot) -> Shares:
        return {(name, self._gallery.edition(name)): share for name, share in recipe(hot).items()}

    def _grant(self, wish: Shares, *, at_s: float, lasts_s: float) -> None:
        """Begin to fade to the wished mixture, if all its paintings were looked at."""
        made = {name: self._looks.get(name) for name in wish}
        self.problem = next((each for each in made.values() if isinstance(each, str)), None)
        originals = {name: each for name, each in made.items() if isinstance(each, Original)}
        if len(originals) < len(wish):
            return
        self._originals = {**self._originals, **originals}
        self._fade = _Fade(self._shares, wish, at_s, lasts_s)
        self._granted = wish
        told = {name: round(share, 3) for (name, _), share in wish.items()}
        log.info("style_changed", style=next(iter(wish))[0], shares=told, fade_s=lasts_s)

    def _move(self, at_s: float) -> None:
        """Mix the paintings as it is due at a moment of the stream."""
        if self._fade is None:
            return
        fade, done = self._fade, self._fade.done(at_s)
        shares = fade.target if done == 1 else fade.shares(done)
        if done == 1:
            self._fade = None
        if shares != self._shares:
            self._shares = shares
            self._mixture = Mixture.of([(self._originals[name], share) for name, share in shares.items()])
        kept = {**shares, **(self._fade.target if self._fade else {})}
        self._originals = {name: original for name, original in self._originals.items() if name in kept}

    def _aim_at(self, look: Look) -> None:
        engine = self._engine.restyled(look, self._hot, mixture=self._mixture)
        if engine is not self._engine:
            self._engine = engine
            self._stylizer.restyle(engine.objective, engine.fill)
