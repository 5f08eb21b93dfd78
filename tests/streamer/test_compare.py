"""The comparison of ways to paint: real figures on a real clip, one page with all of them, clear errors."""

import base64
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from streamer.cli import main
from streamer.compare_curves import spread
from streamer.compare_films import Film, engine_for, paint
from streamer.compare_methods import LABELS, Effort, effort, methods, plain
from streamer.compare_pace import Pace, in_words
from streamer.compare_plates import Plate, Tile
from streamer.compare_scene import Scene, read_scene
from streamer.compare_sheet import as_jpeg, sheet
from streamer.compare_study import cost, study
from streamer.engine import Engine, make_engine
from streamer.paint import Paint
from streamer.pixels import to_pixels
from streamer.quality import Clip, Mark, paint_alone
from tests.clips import path
from tests.tiny import tiny_weights

CPU = torch.device("cpu")
BUILT_IN = "test:#live=no"
SMALL = ("--size", "64", "--frames", "4", "--judged", "3", "--iterations", "4", "--reference", "8", "--live", "1", "2")
METHODS = ["independent", "previous", "flow", "flow_squared", "flow_robust", "flow_passes", "live_1", "live_2"]
ENDLESS = ("--reference", "1000000000")
"""Of which none is begun: the error comes before."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors"))


@pytest.fixture(scope="module")
def engine(weights: str) -> Engine:
    return make_engine(Paint(weights=weights, device="cpu"), device=CPU, size=64)


@pytest.fixture(scope="module")
def bikes() -> Scene:
    return read_scene(Clip(str(path("bikes")), start=32, every=2, frames=4, size=64), device=CPU)


@dataclass
class Made:
    """What one run of the command made."""

    found: dict[str, Any]
    page: str
    pictures: Path


@pytest.fixture(scope="module")
def made(weights: str, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The command, run once with all that it can make: a clip in two paintings."""
    folder = tmp_path_factory.mktemp("made")
    report, pictures = folder / "page.html", folder / "pictures"
    options = ("--style", "storm", "harvest", "--report", str(report), "--pictures", str(pictures), "--json")
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: said.extend(map(str, words)))
        assert run(weights, str(path("bikes")), *options) == 0
    return Made(json.loads("\n".join(said)), report.read_text(encoding="utf-8"), pictures)


def run(weights: str, *arguments: str) -> int:
    return main(["compare", *SMALL, "--every", "1", "--weights", weights, "--device", "cpu", *arguments])


class Reader(HTMLParser):
    """Reads a page: what it shows, what it would fetch, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.images: list[str] = []
        self.addresses: list[str] = []
        self.classes: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.classes += values.get("class", "").split()
        self.addresses += [values[name] for name in ("src", "href", "xlink:href", "action", "data") if name in values]
        if tag == "img":
            self.images.append(values["src"])
            assert values["alt"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_complete_in_itself_and_holds_every_figure(made: Made) -> None:
    page = Reader(made.page)
    assert page.open == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in page.addresses)
    assert not re.search(r"@import|url\((?!#)|://", made.page.split("<main>")[0])
    assert len(page.ids) == len(set(page.ids))
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)
    for name, times in {"frames": 2, "occlusion": 2, "flow": 1, "matching": 2, "curves": 2}.items():
        assert page.classes.count(name) == times, name
    assert page.tags.count("svg") == 2 * 3, "the gap, the temporal error and the light, for each pair"
    assert page.tags.count("table") == 1 + 2
    for method in methods(effort("quick", live=[1, 2])):
        assert page.words.count(method.label) >= 1 + 2 * 3, "in each table, and in two figures"


def test_the_pictures_of_the_page_can_be_looked_at(made: Made) -> None:
    for image in Reader(made.page).images:
        content = np.frombuffer(base64.b64decode(image.partition(",")[2]), np.uint8)
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.std() > 1


def test_every_figure_is_written_as_a_picture_that_a_readme_can_bear(made: Made) -> None:
    names = ("frames", "occlusion", "flow", "matching", "curves")
    assert {each.name for each in made.pictures.iterdir()} == {f"{n}-{name}.jpg" for n in (1, 2) for name in names}
    for each in made.pictures.iterdir():
        assert each.stat().st_size <= 300_000
        picture = cv2.imread(str(each))
        assert picture is not None
        assert picture.shape[1] >= 900


def test_a_picture_full_of_noise_is_small_enough_too(tmp_path: Path) -> None:
    """Nothing is harder to compress: it is made smaller in pixels when worse would be ugly."""
    rng = np.random.default_rng(0)
    tiles = [Tile(str(number), "", rng.integers(0, 256, (72, 512, 3), np.uint8)) for number in range(9)]
    path = tmp_path / "noise.jpg"
    path.write_bytes(as_jpeg(sheet(Plate("noise", "", "", 1, tiles))))
    assert 100_000 < path.stat().st_size <= 300_000
    assert cv2.imread(str(path)) is not None


def test_the_numbers_for_machines_are_complete_and_fit_each_other(made: Made) -> None:
    assert set(made.found) == {
        "version", "command", "machine", "effort", "settings", "seconds", "pairs", "mean",
    }  # fmt: skip
    pairs = made.found["pairs"]
    assert [(pair["clip"], pair["style"]) for pair in pairs] == [("bikes.mp4", "storm"), ("bikes.mp4", "harvest")]
    assert made.found["command"].startswith("deepmovie compare --size 64")
    for pair in pairs:
        assert [row["method"] for row in pair["rows"]] == METHODS
        assert pair["energy_reference"] < pair["energy_start"]
        assert pair["judged"] == [1, 2, 3]
        assert len(pair["motion"]) == 2
        assert list(pair["curves"]) == list(LABELS)
        for row in pair["rows"]:
            assert sum(row["shares"].values()) == pytest.approx(1)
            assert row["seconds_per_frame"] > 0
        for way in LABELS:
            assert [point["iterations"] for point in pair["curves"][way]] == [1, 2, 4]
        assert len(pair["light"]["clip"]) == len(pair["light"]["matched"]) == 4
    for place, row in enumerate(made.found["mean"]):
        for key in ("energy", "gap", "temporal_rmse", "seconds_per_frame"):
            assert row[key] == pytest.approx(np.mean([pair["rows"][place][key] for pair in pairs]))


def test_a_curve_goes_through_the_rows_of_the_table(made: Made) -> None:
    for pair in made.found["pairs"]:
        rows = {row["method"]: row for row in pair["rows"]}
        for way in ("independent", "previous", "flow"):
            last = pair["curves"][way][-1]
            assert (last["gap"], last["temporal_rmse"]) == (rows[way]["gap"], rows[way]["temporal_rmse"])
        for point, name in zip(pair["curves"]["carried"], ("live_1", "live_2"), strict=False):
            assert point["gap"] == rows[name]["gap"]


def test_the_temporal_error_is_what_another_library_finds(engine: Engine, bikes: Scene) -> None:
    """OpenCV alone, from the flow to the mean; it interpolates by another cubic."""
    film = paint(engine_for(plain("flow", 6), engine), plain("flow", 6), bikes)
    frames, images = ([to_pixels(each) for each in row] for row in (bikes.frames, film.images))
    errors = [moved_rmse(*pair) for pair in zip(frames, frames[1:], images, images[1:], strict=False)]
    assert film.temporal_rmse == pytest.approx(np.mean(errors), rel=0.05)


Pixels = NDArray[np.uint8]


def moved_rmse(last: Pixels, frame: Pixels, last_painted: Pixels, painted: Pixels) -> float:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    dis.setFinestScale(0)
    grays = [np.asarray(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)) for each in (frame, last)]
    there = np.asarray(dis.calc(grays[0], grays[1], None))  # type: ignore[call-overload]  # stubs want an array
    back = np.asarray(dis.calc(grays[1], grays[0], None))  # type: ignore[call-overload]
    y, x = np.mgrid[: there.shape[0], : there.shape[1]].astype(np.float32)
    to_x, to_y = x + there[..., 0], y + there[..., 1]
    home = cv2.remap(back, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    astray = ((there + home) ** 2).sum(-1)
    inside = (to_x >= -0.5) & (to_y >= -0.5) & (to_x <= x.max() + 0.5) & (to_y <= y.max() + 0.5)
    seen = (astray < 0.01 * ((there**2).sum(-1) + (home**2).sum(-1)) + 0.03) & inside
    moved = cv2.remap(last_painted, to_x, to_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    difference = (moved.astype(np.float32) - painted)[seen] / 255
    return float(np.sqrt((difference**2).mean()))


def test_every_method_paints_the_same_frames_in_its_own_way(engine: Engine, bikes: Scene) -> None:
    films = films_of(engine, bikes, Effort(frames=4, judged=4, iterations=6, live=[2]))
    for one, other in combinations(films, 2):
        assert not torch.equal(one.images[-1], other.images[-1]), (one.method.name, other.method.name)
    assert all(image.isfinite().all() for film in films for image in film.images)


def test_all_of_the_papers_methods_get_the_same_number_of_iterations(engine: Engine, bikes: Scene) -> None:
    for film in films_of(engine, bikes, Effort(iterations=7, passes=3, live=[])):
        assert film.method.iterations == 7
    done: list[int] = []
    passes = methods(Effort(iterations=7, passes=3, live=[]))[-1]
    paint(engine_for(passes, engine), passes, bikes, tick=done.append)
    assert sum(done) == 7 * len(bikes.frames)


def test_what_holds_a_picture_to_the_last_one_makes_it_steadier(engine: Engine, bikes: Scene) -> None:
    films = {film.method.name: film for film in films_of(engine, bikes, Effort(iterations=8, live=[]))}
    plain_error = films["flow"].temporal_rmse
    assert plain_error is not None
    for name in ("flow_squared", "flow_robust"):
        error = films[name].temporal_rmse
        assert error is not None
        assert error < plain_error
        assert films[name].shares["temporal"] > 0
    assert films["flow"].shares["temporal"] == 0


def films_of(engine: Engine, scene: Scene, amount: Effort) -> list[Film]:
    return [paint(engine_for(method, engine), method, scene) for method in methods(amount)]


@pytest.mark.timeout(400)
def test_two_iterations_a_frame_are_near_the_style_and_steady_on_a_real_clip() -> None:
    """From a cold start to the 12th frame, on the network of the paper."""
    scene = read_scene(Clip(str(path("bikes")), start=32, every=2, frames=12, size=256), device=CPU)
    engine = make_engine(Paint(device="cpu"), device=CPU, size=256)
    last = scene.frames[-1]
    mark = Mark.between(engine.objective, last, paint_alone(engine.objective, last, 80))
    ours = paint(engine_for(plain("carried", 2), engine), plain("carried", 2), scene)
    alone = paint(engine_for(plain("independent", 15), engine), plain("independent", 15), scene.tail(2))
    error, theirs = ours.temporal_rmse, alone.temporal_rmse
    assert 0 < ours.gap(engine, [mark]) < 0.10
    assert error is not None
    assert theirs is not None
    assert error < 0.03
    assert error < theirs / 4


def test_a_flash_stays_a_flash_where_histograms_are_matched(made: Made) -> None:
    for pair in made.found["pairs"]:
        light = pair["light"]
        assert light["correlation_matched"] >= 0.9
        assert light["lit"] == [2, 3], "the clip has no flash of its own"
        assert light["clip"][2] > 1.2 * light["clip"][1]
        rises = {key: light[key][2] - light[key][1] for key in ("clip", "painted", "matched")}
        assert rises["matched"] > rises["clip"] > 5 * rises["painted"] > 0
        assert light["swing_matched"] > 5 * light["swing_painted"]


def test_a_table_says_first_how_long_it_takes_and_leaves_out_what_it_does_not_show(
    weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(weights, str(path("bikes"))) == 0
    told = capsys.readouterr()
    expected = 3 * 4 + 2 * 16 + 2 * 16 + 16 + 4 + 8 + 2 * 8  # independent, previous and flow, held, passes, live, marks
    expected += 8 * (3 + 2)  # energies that are looked at
    assert re.match(rf"1 pair of clip and painting, {expected} iterations: about \d+ s\n", told.err)
    for label in ("independent", "flow + robust loss", "flow + 2 passes", "ours, live, k = 2", "the clip itself"):
        assert label in told.out


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_announced_is_what_was_done(engine: Engine, bikes: Scene, *, whole: bool) -> None:
    amount = Effort(frames=4, judged=2, iterations=3, curve=[1, 2], live=[1], reference=2)
    done: list[int] = []
    study(engine, bikes, amount, whole=whole, tick=lambda iterations, _: done.append(iterations))
    assert sum(done) == cost(amount, whole=whole)


def test_settings_that_ask_for_no_painting_are_an_error(weights: str, capsys: pytest.CaptureFixture[str]) -> None:
    nothing_to_do = ("--set", "paint.style_strength=0", "--set", "paint.variation_weight=0")
    assert run(weights, BUILT_IN, *nothing_to_do) == 78
    assert "with which a painting is better than the frame" in capsys.readouterr().err


def test_a_single_frame_has_no_temporal_error(weights: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = tmp_path / "page.html"
    assert run(weights, BUILT_IN, "--frames", "1", "--judged", "1", "--json", "--report", str(report)) == 0
    [pair] = json.loads(capsys.readouterr().out)["pairs"]
    assert {row["temporal_rmse"] for row in pair["rows"]} == {None}
    assert pair["floor"] is None
    assert Reader(report.read_text()).classes.count("flow") == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no-such-film.mp4"], "no-such-film"),
        (["test:#live=no#frames=3"], "needs 4 frames from 0, every 1; got 3"),
        (["ftp://somewhere/film.mp4"], "clip: "),
        ([BUILT_IN, "no-such-film.mp4"], "no-such-film"),
        ([BUILT_IN, "--start", "70"], "a new scene begins at frame 72"),
        ([BUILT_IN, "--style", "storm", "stormy"], "did you mean storm?"),
        ([BUILT_IN, "--style", "storm", "no/picture.jpg"], "no/picture.jpg"),
        ([BUILT_IN, "--report", "no/folder/page.html"], "report: no/folder/page.html cannot be written"),
        ([BUILT_IN, "--pictures", "/dev/null/folder"], "pictures: /dev/null/folder cannot be made"),
        ([BUILT_IN, "--judged", "5"], "expected up to the 4 frames"),
        ([BUILT_IN, "--passes", "5"], "expected up to the 4 iterations"),
        ([BUILT_IN, "--set", "paint.flow=magic"], "expected dis"),
        ([BUILT_IN, "--set", "paint.size=32"], "paint.size: --size says it"),
        ([BUILT_IN, "--set", "paint.styles_folder=/"], "paint.styles_folder: --style takes the path"),
        ([BUILT_IN, "--set", "paint.color=content"], "paint.color: is done to a painted picture afterwards"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_work_begins(
    weights: str, arguments: Sequence[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(weights, *ENDLESS, *arguments) == 78
    assert complaint in capsys.readouterr().err


def test_without_matplotlib_a_report_is_an_error_that_says_what_to_install(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    report = tmp_path / "page.html"
    assert run(weights, *ENDLESS, BUILT_IN, "--report", str(report)) == 78
    assert "pip install 'deepmovie[report]'" in capsys.readouterr().err
    assert not report.exists()


def test_each_painting_is_its_own_though_the_network_is_loaded_once(made: Made, weights: str) -> None:
    """The second painting's figures are those of an engine that never knew the first."""
    scene = read_scene(Clip(str(path("bikes")), frames=4, size=64), device=CPU)
    harvest = make_engine(Paint(weights=weights, device="cpu", style="harvest"), device=CPU, size=64)
    film = paint(engine_for(plain("flow", 4), harvest), plain("flow", 4), scene).tail(3)
    [row] = [row for row in made.found["pairs"][1]["rows"] if row["method"] == "flow"]
    assert row["energy"] == pytest.approx(film.energy(harvest), rel=1e-3)
    assert row["temporal_rmse"] == pytest.approx(film.temporal_rmse, rel=1e-3)


def test_where_there_is_no_terminal_a_line_tells_now_and_then_how_long_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter((0.0, 0.0, 10.0, 40.0, 45.0, 100.0))
    with Pace(400, clock=times.__next__) as pace:
        for iterations in (0, 50, 50, 50, 50):
            pace.tick(iterations, "flow")
    assert capsys.readouterr().err.splitlines() == ["25%, 2 min left: flow", "50%, 2 min left: flow"]


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (61, "61 s"), (200, "3 min"), (7300, "2 h 2 min")])
def test_a_span_of_time_is_told_as_people_do(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_names_at_the_ends_of_lines_do_not_lie_over_each_other() -> None:
    assert spread([0.1, 0.12, 0.5], 0.1) == pytest.approx([0.1, 0.2, 0.5])
    assert spread([], 0.1) == []
