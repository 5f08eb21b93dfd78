"""What the demo shows: a picture of four moments, a film, and a table of figures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image
from rich.table import Table

from protocols.frame import Frame
from streamer.contact_sheet import Flow, Moment, Pixels, contact_sheet
from streamer.recorder import Recording, begins_afresh
from streamer.steadiness import Comparison, Step, mean_error

MOMENTS = 4
FILM_WIDTH = 480
"""Of each of the two pictures beside each other; larger ones are not made smaller."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A recording and what was found out about it, frame by frame."""

    recording: Recording
    sources: Sequence[Pixels]
    steps: Sequence[Step | None]
    comparison: Comparison | None
    flashes: Collection[int]
    """Numbers of the frames in other light."""


def picture(outcome: Outcome, *, caption: str, cell_width: int = 320) -> Image.Image:
    """Return the contact sheet of four moments."""
    shown = [_moment(outcome, index) for index in choose_moments(outcome.recording.frames, outcome.flashes)]
    return Image.fromarray(contact_sheet(shown, caption=caption, cell_width=cell_width))


def choose_moments(frames: Sequence[Frame], flashes: Collection[int]) -> list[int]:
    """Return the places of four frames, in order.

    They are one before the flash, one in it, the second one after the first cut, and the last one of that scene. What
    there is none of is replaced by others; fewer than four frames give all of them.
    """
    flash = next((place for place, frame in enumerate(frames) if frame.sequence in flashes), None)
    cuts = [place for place, frame in enumerate(frames) if place and begins_afresh(frame)]
    last = len(frames) - 1
    wanted = [3 * flash // 4, flash] if flash else []
    wanted += [min(cuts[0] + 1, last), cuts[1] - 1 if len(cuts) > 1 else last] if cuts else []
    spare = [round(last * share) for share in (1, 0.5, 0.25, 0.75)]
    found = list(dict.fromkeys([*wanted, *spare, *range(len(frames))]))
    return sorted(found[:MOMENTS])


def side_by_side(source: Pixels, painted: Pixels) -> Pixels:
    """Return one picture of a film: the source and the painted one, large enough to watch."""
    height, width = source.shape[:2]
    scale = max(1.0, FILM_WIDTH / width)
    size = (round(width * scale), round(height * scale))
    pair = [cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC) for pixels in (source, painted)]
    return np.asarray(np.hstack(pair), np.uint8)


def table(outcome: Outcome) -> Table:
    """Return the figures, one a row: what, how much, and what is meant."""
    recording, comparison = outcome.recording, outcome.comparison
    known = [step for step in outcome.steps if step is not None]
    pairs = f"mean of {len(known)} pairs of neighbors"
    rows = [
        ("frames per second", f"{recording.fps:.1f}", "received"),
        ("iterations per frame", f"{recording.iterations:.1f}", "mean"),
        ("frames received", str(len(recording.frames)), ""),
        ("frames dropped", str(recording.dropped), "by the daemon, as newer ones had come"),
        ("frames lost", str(recording.missing - recording.dropped), "gaps that nobody explains"),
        ("cuts", str(recording.cuts), "painted afresh"),
        ("age of the frames", _ages(recording), "p50 and p95, from the camera to here"),
        ("temporal error, source", _error(mean_error([step.content_error for step in known])), pairs),
        ("temporal error, painted", _error(mean_error([step.painted_error for step in known])), pairs),
    ]
    if comparison is not None:
        some = f"{comparison.frames} frames"
        alone = f"each from itself, {comparison.iterations} iterations; energy {comparison.alone_energy:.1f}"
        rows += [
            (f"  of {some} of it", _error(comparison.streamed_error), f"energy {comparison.streamed_energy:.1f}"),
            ("  of the same by themselves", _error(comparison.alone_error), alone),
        ]
    found = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    found.add_column()
    found.add_column(justify="right", style="bold")
    found.add_column(style="dim")
    for row in rows:
        found.add_row(*row)
    return found


def _moment(outcome: Outcome, index: int) -> Moment:
    frames = outcome.recording.frames
    frame, step = frames[index], outcome.steps[index]
    height, width = frame.image.shape[:2]
    still: Flow = np.zeros((height, width, 2), np.float32)
    return Moment(
        source=outcome.sources[index],
        motion=still if step is None else step.motion[0].permute(1, 2, 0).cpu().numpy(),
        painted=frame.image,
        title=" \u00b7 ".join([f"{frame.pts:.1f} s", *_happenings(outcome, index)]),
        note=_effort(frames, index),
    )


def _happenings(outcome: Outcome, index: int) -> list[str]:
    """Return what makes a moment special, in words."""
    frames = outcome.recording.frames
    happenings = ["flash"] if frames[index].sequence in outcome.flashes else []
    if begins_afresh(frames[index]) and index:
        happenings.append("cut")
    elif index > 1 and begins_afresh(frames[index - 1]):
        happenings.append("just after the cut")
    return happenings


def _effort(frames: Sequence[Frame], index: int) -> str:
    """Return how many iterations the picture got, and how many are in it since its scene began."""
    began = max((place for place in range(index + 1) if begins_afresh(frames[place])), default=0)
    counts = [frame.painting.iterations for frame in frames[began : index + 1] if frame.painting]
    return (
        f"{counts[-1]} iteration{'s' if counts[-1] > 1 else ''}, {sum(counts)} since the scene began" if counts else ""
    )


def _ages(recording: Recording) -> str:
    return " ".join(f"{1000 * age:.0f}" for age in (recording.age.p50, recording.age.p95) if age is not None) + " ms"


def _error(error: float | None) -> str:
    return "-" if error is None else f"{error:.4f}"
