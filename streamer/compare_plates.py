"""The paper's figures as pictures with words: what is shown, not yet how it is laid out."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from streamer.compare_findings import Row
from streamer.compare_light import LightStudy
from streamer.compare_reveal import Reveal
from streamer.compare_scene import Passage
from streamer.compare_study import Study
from streamer.contact_sheet import Flow, Pixels, color_wheel, flow_color, longest_motion
from streamer.pixels import to_pixels

DIFFERENCE_GAIN = 4
"""Differences are small: they are shown so many times as large."""
MOST_STEPS = 3
"""How many steps from frame to frame show their flow."""
WHEEL_SHARE = 0.3
"""Of a picture's height: the color wheel in its corner."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture and its words."""

    label: str
    note: str
    picture: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """One figure."""

    name: str
    """For machines: a file's name, an anchor."""
    title: str
    caption: str
    columns: int
    tiles: Sequence[Tile]


def plates(study: Study) -> list[Plate]:
    """Return the figures that the study has pictures for."""
    found = [rows_of_frames(study)]
    if study.scene.passages:
        found += [occlusion(study), flow_fields(study)]
    return [*found, *([matching(study.light)] if study.light else [])]


def rows_of_frames(study: Study) -> Plate:
    """Return the paper's Fig. 2: the same adjacent frames, one row for each method."""
    clip = Tile("the clip", _floor(study), _side_by_side(study.scene.frames))
    films = zip(study.films, study.found.rows, strict=True)
    return Plate(
        "frames",
        "Adjacent frames, method by method",
        f"Frames {_listed(study.found.judged)} of {study.found.clip}. Follow a stroke from left to right: painted "
        "independently, it is gone in the next frame; from the previous painting, it stays on the screen while the "
        "things move on; along the flow, it moves with them.",
        1,
        [clip, *(Tile(row.label, _figures(row), _side_by_side(film.images)) for film, row in films)],
    )


def occlusion(study: Study) -> Plate:
    """Return the paper's Fig. 3: what is revealed where most is, and what each method leaves there."""
    scene = study.scene
    shown = max((Reveal.at(scene, place) for place in range(len(scene.passages))), key=lambda each: each.amount)
    last, frame, place = scene.frames[shown.place], scene.frames[shown.place + 1], shown.place
    numbers = [scene.number(place), scene.number(place + 1)]
    tiles = [
        Tile(f"frame {numbers[0]}", "", to_pixels(last)),
        Tile(f"frame {numbers[1]}", "", to_pixels(frame)),
        Tile("revealed", f"{shown.revealed.mean():.1%} of the frame", shown.marked(frame)),
        Tile("the clip", "", shown.closer(frame)),
        *(Tile(film.method.label, "", shown.closer(film.images[place + 1])) for film in study.films),
    ]
    return Plate(
        "occlusion",
        "What was hidden",
        f"Red in frame {numbers[1]}: what was hidden in frame {numbers[0]}, so that nothing painted can be moved there "
        "(pale red: the flow is unsure, but the color is the same as before). Below, the part in the box as each "
        "method paints it, with what was revealed outlined.",
        3,
        tiles,
    )


def flow_fields(study: Study) -> Plate:
    """Return the paper's Fig. 4: the flow, the last frame moved along it, and what it leaves unexplained."""
    scene = study.scene
    steps = range(max(0, len(scene.passages) - MOST_STEPS), len(scene.passages))
    longest = longest_motion([_motion(scene.passages[place]) for place in steps])
    tiles = [tile for place in steps for tile in _step(study, place, longest)]
    return Plate(
        "flow",
        "Flow, and frames moved along it",
        f"The hue is the direction in which what a pixel shows has moved, full color is {longest:.1f} pixels. The "
        "differences are those to the next frame, root of the mean square over all pixels and channels (the paper's "
        f"measure), shown {DIFFERENCE_GAIN} times as large.",
        4,
        tiles,
    )


def matching(light: LightStudy) -> Plate:
    """Return the paper's Fig. 5: a frame before the flash and one in it, painted without and with the matching."""
    tiles = []
    for moment in light.moments:
        tiles += [
            Tile(f"frame {moment.frame}", moment.told, to_pixels(moment.source)),
            Tile("painted", "", to_pixels(moment.painted)),
            Tile("painted, histogram matched", "", to_pixels(moment.matched)),
        ]
    found = light.found
    return Plate(
        "matching",
        "Histogram matching",
        "The painting's colors are given to the whole clip, and then each frame's to the painting: light and color "
        f"vary as they do in the clip. {_light(found.swing_matched, found.correlation_matched)} with the matching, "
        f"{_light(found.swing_painted, found.correlation_painted).lower()} without.",
        3,
        tiles,
    )


def _step(study: Study, place: int, longest: float) -> list[Tile]:
    scene, passage, motion = study.scene, study.scene.passages[place], study.found.motion[place]
    last, frame = scene.frames[place], scene.frames[place + 1]
    moved = passage.moved(last)
    field = flow_color(_motion(passage), longest=longest)
    return [
        Tile(f"flow, {scene.number(place)} to {motion.frame}", "", _with_wheel(field)),
        Tile("the last frame, moved", "", to_pixels(moved)),
        Tile("difference, moved", f"{motion.rmse_moved:.4f}", _difference(moved, frame)),
        Tile("difference, unmoved", f"{motion.rmse_still:.4f}", _difference(last, frame)),
    ]


def _side_by_side(images: Sequence[Tensor]) -> Pixels:
    """Return pictures in a row with a white line between them."""
    pictures = [to_pixels(image) for image in images]
    gap = np.full((pictures[0].shape[0], max(2, pictures[0].shape[1] // 64), 3), 255, np.uint8)
    return np.hstack([part for picture in pictures for part in (gap, picture)][1:])


def _motion(passage: Passage) -> Flow:
    """Return how far what each pixel shows has moved since the last frame, H x W x 2."""
    motion: Flow = -passage.there[0].permute(1, 2, 0).cpu().numpy()
    return motion


def _with_wheel(field: Pixels) -> Pixels:
    """Return a flow field with the legend of its colors in the lower left corner."""
    wheel = color_wheel(max(9, round(WHEEL_SHARE * field.shape[0])))
    side = wheel.shape[0]
    offsets = np.arange(side) - (side - 1) / 2
    disk = np.hypot(*np.meshgrid(offsets, offsets))[..., None] <= side / 2
    shown = field.copy()
    corner = shown[-side - 4 : -4, 4 : side + 4]
    ring = np.hypot(*np.meshgrid(offsets, offsets))[..., None] > side / 2 - 1.5
    corner[:] = np.where(disk, np.where(ring, 120, wheel), corner)
    return shown


def _difference(one: Tensor, other: Tensor) -> Pixels:
    """Return how far two pictures differ: black nowhere, through red to white."""
    size = (one - other)[0].square().mean(0).sqrt().cpu().numpy()
    levels = np.asarray(np.clip(size * DIFFERENCE_GAIN * 255, 0, 255), np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB), np.uint8)


def _floor(study: Study) -> str:
    return "" if study.found.floor is None else f"temporal error {study.found.floor:.4f}"


def _figures(row: Row) -> str:
    error = "" if row.temporal_rmse is None else f", temporal error {row.temporal_rmse:.4f}"
    return f"energy gap {in_percent(row.gap)}{error}"


def _light(swing: float | None, correlation: float | None) -> str:
    if swing is None or correlation is None:
        return "The mean luminance does not vary"
    return f"The mean luminance varies {swing:.2f} times as much as the clip's (correlation {correlation:.2f})"


def in_percent(share: float) -> str:
    """Return a share in percent, with a minus sign that can be seen."""
    return f"{share:.1%}".replace("-", "\u2212")


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join([", ".join(map(str, numbers[:-1])), str(numbers[-1])]) if len(numbers) > 1 else str(numbers[0])
