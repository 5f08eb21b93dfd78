"""Histogram matching (section 7.1 of the paper): what a frame is painted towards so that dark stays dark.

Two steps. The painting's levels are given to the whole film, seen as one picture; so the film as a whole gets the
painting's colors, and each frame keeps what sets it apart from the others. Then each frame's levels, after that, are
given to the painting; what is painted towards is the look of that.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.histogram import Histogram, Transfer
from models.look import Look, Mixture, Original
from models.sight import Sight


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """How one frame is painted."""

    look: Look
    """What to paint towards; it takes the frame as it is."""
    level: Tensor
    """What the picture's mean red, green and blue should be, 3: for ``streamer.finish``."""

    def content(self, frame: Tensor) -> Tensor:
        """Return the frame in the colors in which it is painted, 1 x 3 x H x W."""
        return self.look.style.seen(frame)


class FilmMatcher:
    """Matches the frames of a film that was looked at from its beginning to its end; exactly the paper's two steps.

    It remembers nothing: a frame's match depends on that frame and on the film alone, in whatever order they are asked.

    Args:
        film: the histogram of all frames, added up.
        mixture: the paintings.
    """

    def __init__(self, film: Histogram, mixture: Mixture) -> None:
        self._mixture = mixture
        self._grade = Transfer.between(film, mixture.histogram)

    def match(self, frame: Tensor) -> Match:
        """Return how to paint ``frame``, 1 x 3 x H x W in [0, 1]; this looks at the painting once more."""
        light = Histogram.of(frame).through(self._grade)
        look = self._mixture.in_light(light).graded(self._grade)
        return Match(look, torch.from_numpy(light.mean))


SETTLED = 8
"""Over so many frames the light of a scene is averaged, so that what passes by moves nothing."""
MOVED = 0.02
"""Five 8-bit levels: when the light of a scene has moved by more, the painting is looked at once more."""
PATIENCE = 25
"""But not sooner than after so many frames: a look costs about as much as an iteration."""
SLOW = 250
"""After so many frames a scene counts half of what it ever does in the light of the film."""
MOST = 1 / 3
"""What a scene may count at most. If it were all, a room at night would be as light as the painting in the end."""


class LiveMatcher:
    """Matches the frames of a film whose end is not known.

    In the place of the film stands what was seen of it, and before anything was, a film in which every level is as
    frequent as any other. What the present scene adds grows slowly, and at a cut nothing of that is lost, so what
    becomes of a level never jumps. The light of a scene, for which the painting is looked at, is the mean over some
    frames and begins anew with each scene: its first frame is dark if the scene is. A flash, too short for that, is
    in the level alone.
    """

    def __init__(self) -> None:
        self._number = self._scene = 0
        self._earlier = Histogram.even()
        self._seen: _Seen | None = None
        self._aim: _Aim | None = None

    def match(self, sight: Sight, mixture: Mixture) -> Match:
        """Return how to paint the next frame.

        Args:
            sight: what it shows; one that comes once more counts once.
            mixture: the paintings.
        """
        own = Histogram.of(sight.content)
        seen = self._see(own, sight)
        grade = Transfer.between(self._film(seen), mixture.histogram)
        light = seen.recent.through(grade)
        aim = self._aim
        if aim is None or aim.scene != sight.scene or self._is_due(aim, light, sight.number):
            aim = self._aim = _Aim(sight.scene, sight.number, light, grade)
        return Match(aim.look(mixture), torch.from_numpy(own.through(grade).mean))

    def _see(self, own: Histogram, sight: Sight) -> "_Seen":
        seen = self._seen
        if seen is None or sight.scene != self._scene:
            if seen is not None:
                self._earlier = self._film(seen)
            seen = _Seen(1, own, own)
        elif sight.number != self._number:
            seen = seen.with_one_more(own)
        self._number, self._scene, self._seen = sight.number, sight.scene, seen
        return seen

    def _film(self, seen: "_Seen") -> Histogram:
        return self._earlier.toward(seen.whole, MOST * seen.frames / (seen.frames + SLOW))

    def _is_due(self, aim: "_Aim", light: Histogram, number: int) -> bool:
        return number - aim.number >= PATIENCE and aim.light.distance(light) > MOVED


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What was seen of a scene."""

    frames: int
    whole: Histogram
    recent: Histogram

    def with_one_more(self, own: Histogram) -> "_Seen":
        frames = self.frames + 1
        recent = self.recent.toward(own, 1 / min(frames, SETTLED))
        return _Seen(frames, self.whole.toward(own, 1 / frames), recent)


class _Aim:
    """What is painted towards for some time."""

    def __init__(self, scene: int, number: int, light: Histogram, grade: Transfer) -> None:
        self.scene = scene
        self.number = number
        self.light = light
        self._grade = grade
        self._looks: dict[Original, Look] = {}
        self._mixed: tuple[Mixture, Look] | None = None

    def look(self, mixture: Mixture) -> Look:
        """Return the look of the paintings in this light; each is looked at once, however its share changes."""
        if self._mixed is None or self._mixed[0] is not mixture:
            look = mixture.mean([self._look(original) for original, _ in mixture.parts]).graded(self._grade)
            self._mixed = mixture, look
        return self._mixed[1]

    def _look(self, original: Original) -> Look:
        if original not in self._looks:
            self._looks[original] = original.in_light(self.light)
        return self._looks[original]
