"""The paper's figures as pictures with words: what is shown, not yet how it is laid out."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from streamer.compare_findings import Row
from streamer.compare_light import LightStudy
from streamer.compare_scene import Passage
from streamer.compare_study import Study
from streamer.contact_sheet import INK, PAPER, Flow, Pixels, color_wheel, flow_color, longest_motion
from streamer.pixels import to_pixels

DIFFERENCE_GAIN = 4
"""Differences are small: they are shown so many times as large."""
MARK = (235, 64, 52)
"""What was hidden before."""
CLOSER_SHARE = 0.3
"""Of a picture's sides: the part that is shown larger."""
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
    place = max(range(len(scene.passages)), key=lambda place: scene.passages[place].hidden_share)
    passage, last, frame = scene.passages[place], scene.frames[place], scene.frames[place + 1]
    box = _busiest(passage)
    numbers = [scene.number(place), scene.number(place + 1)]
    before = [Tile(f"frame {numbers[0]}", "", to_pixels(last)), Tile(f"frame {numbers[1]}", "", to_pixels(frame))]
    marked = Tile("just revealed", f"{passage.hidden_share:.1%} of the frame", _marked(to_pixels(frame), passage, box))
    closer = [Tile(film.method.label, "", _closer(film.images[place + 1], passage, box)) for film in study.films]
    return Plate(
        "occlusion",
        "What was hidden",
        f"Red in frame {numbers[1]}: what cannot be seen in frame {numbers[0]}, so that nothing painted can be moved "
        "there. Below, the framed part in each method's painting, with the revealed places outlined.",
        3,
        [*before, marked, Tile("the clip", "", _closer(frame, passage, box)), *closer],
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
    return Plate(
        "matching",
        "Histogram matching",
        "The painting's colors are given to the whole clip, and then each frame's to the painting: light and color "
        "vary as they do in the clip.",
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


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def _busiest(passage: Passage) -> Box:
    """Return the part, as wide and high as a share of the picture, in which most is hidden."""
    hidden = _hidden(passage).astype(np.float32)
    height, width = (max(8, round(CLOSER_SHARE * side)) for side in hidden.shape)
    sums = cv2.boxFilter(hidden, -1, (width, height), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT)
    inside = sums[: hidden.shape[0] - height + 1, : hidden.shape[1] - width + 1]
    top, left = np.unravel_index(int(inside.argmax()), inside.shape)
    return Box(int(top), int(left), height, width)


def _marked(frame: Pixels, passage: Passage, box: Box) -> Pixels:
    """Return the frame, pale, with what was hidden in red and a frame around a part."""
    gray = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    shown = np.where(_hidden(passage)[..., None], MARK, 96 + 0.6 * gray).astype(np.uint8)
    corner = (box.left + box.width - 1, box.top + box.height - 1)
    return np.asarray(cv2.rectangle(shown, (box.left, box.top), corner, INK, 1), np.uint8)


def _closer(image: Tensor, passage: Passage, box: Box) -> Pixels:
    """Return a part of a picture as large as the whole, with an outline around what was hidden."""
    height, width = image.shape[2:]
    part = cv2.resize(to_pixels(image)[box.slices], (width, height), interpolation=cv2.INTER_CUBIC)
    hidden = cv2.resize(_hidden(passage)[box.slices].astype(np.float32), (width, height))
    hidden = cv2.GaussianBlur(hidden, (0, 0), width / 200)
    outlines, _ = cv2.findContours((hidden > 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(part, outlines, -1, PAPER, 1, cv2.LINE_AA), np.uint8)


def _hidden(passage: Passage) -> NDArray[np.bool_]:
    hidden: NDArray[np.bool_] = ~passage.visible[0, 0].cpu().numpy()
    return hidden


def _floor(study: Study) -> str:
    return "" if study.found.floor is None else f"temporal error {study.found.floor:.4f}"


def _figures(row: Row) -> str:
    error = "" if row.temporal_rmse is None else f", temporal error {row.temporal_rmse:.4f}"
    return f"energy gap {row.gap:.1%}{error}"


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join([", ".join(map(str, numbers[:-1])), str(numbers[-1])]) if len(numbers) > 1 else str(numbers[0])
