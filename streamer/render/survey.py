"""One look through the whole film: how many frames, when each is shown, where scenes begin, which colors there are."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.cuts import CutDetector
from models.histogram import Histogram
from protocols.errors import SourceError
from protocols.film import Facts, Reel
from protocols.film_colors import Colors
from streamer.pixels import to_tensor, working_size
from streamer.render.atomic import writing
from streamer.render.timetable import Scribe

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is known of a film before it is painted."""

    facts: Facts
    height: int
    width: int
    """As painted."""
    frames: int
    begins: tuple[int, ...]
    """The frames that begin a scene, the first of all included."""
    ends: int
    """The ticks at which the last frame has been seen."""
    is_even: bool
    """It can be read from the middle: every frame could be decoded and says when it is shown."""
    lost: int
    """Frames that could not be decoded."""
    resized: int
    """Frames of another size than the first."""
    histogram: list[list[float]] | None
    """Of all frames as they are painted: see `models.histogram`. None: nobody asked."""

    def to_json(self) -> str:
        """Return it as text."""
        facts = dataclasses.asdict(self.facts)
        facts |= {name: str(facts[name]) for name in ("time_base", "rate", "pixel_aspect")}
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return json.dumps(fields | {"facts": facts}, indent=2)

    @classmethod
    def of_json(cls, text: str | bytes) -> "Survey":
        """Return the survey whose text this is.

        Raises:
            ValueError: it is none.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            facts = fields["facts"]
            facts |= {name: Fraction(facts[name]) for name in ("time_base", "rate", "pixel_aspect")}
            facts["colors"] = Colors(**facts["colors"])
            return cls(**fields | {"facts": Facts(**facts), "begins": tuple(fields["begins"])})
        except (TypeError, KeyError, ArithmeticError) as error:
            raise ValueError(f"this is no survey: {error}") from None


def survey(reel: Reel, timetable: Path, *, size: int, counts_colors: bool, tick: Callable[[int], None]) -> Survey:
    """Look through a film.

    Args:
        reel: the film.
        timetable: a file to write when each frame is shown; see `streamer.render.timetable`.
        size: long side of what is painted, in pixels.
        counts_colors: make the histogram of the whole film.
        tick: told after each frame how many there were.

    Raises:
        SourceError: it cannot be read, or holds no frame.
        OSError: the timetable cannot be written.
    """
    facts = reel.facts()
    height, width = working_size(facts.height, facts.width, size=size)
    cuts, begins, last = CutDetector(), [], None
    histogram: Histogram | None = None
    frames = lost = resized = 0
    is_even = True
    with writing(timetable) as file:
        scribe = Scribe(file)
        for shot in reel.shots():
            if shot is None:
                lost, is_even = lost + 1, False
                continue
            resized += shot.image.shape[:2] != (facts.height, facts.width)
            pixels = fitted(shot.image, height, width)
            due = 0 if last is None else last + facts.usual_ticks
            is_told = shot.ticks is not None and (last is None or shot.ticks > last)
            is_even = is_even and is_told
            last = shot.ticks if shot.ticks is not None and is_told else due
            content = to_tensor(pixels, size=max(height, width), device="cpu")
            if cuts(content) or not frames:
                begins.append(frames)
            if counts_colors:
                histogram = Histogram.of(content) if histogram is None else histogram + Histogram.of(content)
            scribe.add(last, pixels)
            frames += 1
            tick(frames)
        if last is None:
            raise SourceError(f"{reel.path} holds no frame that can be decoded", reason="format")
    return Survey(
        facts=facts,
        height=height,
        width=width,
        frames=frames,
        begins=tuple(begins),
        ends=last + facts.usual_ticks,
        is_even=is_even,
        lost=lost,
        resized=resized,
        histogram=None if histogram is None else histogram.numbers(),
    )


def fitted(image: Pixels, height: int, width: int) -> Pixels:
    """Return a picture in the size in which it is painted."""
    if image.shape[:2] == (height, width):
        return image
    smaller = image.shape[0] * image.shape[1] > height * width
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), dtype=np.uint8)
