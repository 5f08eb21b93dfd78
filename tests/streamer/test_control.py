"""What people may change while frames are painted."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image

from protocols.frame import Painting
from streamer.control import ChangeError, Control, hot_settings
from streamer.gallery import Gallery
from streamer.paint import BUILT_IN_STYLES, Hot, Paint
from tests.endpoints import frame, picture


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """Return a control at its defaults, over a gallery with a good and a damaged picture in its folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    Image.fromarray(picture(96, 128)).save(folder / "good.png")
    (folder / "torn.png").write_bytes((folder / "good.png").read_bytes()[:-900])
    return Control(Hot(), Gallery(BUILT_IN_STYLES, folder=folder, uploads=tmp_path / "styles"))


def test_a_change_is_in_the_next_orders(control: Control) -> None:
    changed = control.change({"style": "storm", "fps": 5, "blend": "good", "color": "content"})
    assert (changed.style, changed.fps, changed.blend, changed.color) == ("storm", 5.0, "good", "content")
    assert changed.iterations == Hot().iterations
    assert control.current == control.orders().hot == changed


@pytest.mark.parametrize("nothing", [None, "none"])
def test_a_blend_can_be_taken_away(control: Control, nothing: str | None) -> None:
    control.change({"blend": "storm"})
    assert control.change({"blend": nothing}).blend is None


def test_paintings_are_mixed_by_their_names(control: Control) -> None:
    assert control.change({"mix": ["storm=0.5", "good=2"]}).mix == ("storm=0.5", "good=2")
    assert control.change({"mix": []}).mix == ()


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        (["storm=1", "stom=1"], "mix: expected one of starry, .* got 'stom'; did you mean storm"),
        (["torn=1"], r"mix: .*torn\.png is damaged"),
        (["/etc/passwd=1"], "mix: expected one of starry"),
        (["storm"], "mix: expected NAME=WEIGHT"),
        (["storm=1"] * 9, "mix: expected a list of up to 8 texts"),
        (5, "mix: expected a list of up to 8 texts, got 5"),
    ],
)
def test_a_wrong_mix_changes_nothing_and_is_told(control: Control, mix: object, told: str) -> None:
    with pytest.raises(ChangeError, match=told):
        control.change({"mix": mix, "fps": 3})
    assert control.current == Hot()


def test_with_one_wrong_value_nothing_is_changed_and_every_problem_is_told(control: Control) -> None:
    before = control.current
    wrong = {"fps": 3, "iterations": 0, "style": "stary", "blend": "torn", "color": "red", "fade_s": True, "sped": 1}
    with pytest.raises(ChangeError) as caught:
        control.change(wrong)
    assert control.current is before
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "unknown setting 'sped'",
        "color",
        "fade_s",
        "iterations",
        "style",
        "blend",
    ]
    told = dict(problem.split(": ", 1) for problem in caught.value.problems[1:])
    assert told["style"] == (
        "expected one of starry, harvest, storm, blossom, good, torn, got 'stary'; did you mean starry?"
    )
    assert told["color"] == "expected 'style' or 'content' or 'matched', got 'red'"
    assert told["iterations"] == "expected a whole number from 1 to 1000, got 0"
    assert told["blend"].endswith("torn.png is damaged")


@pytest.mark.parametrize(
    "wrong",
    [
        {"style": "/etc/passwd"},
        {"style": "../folder/good"},
        {"style": None},
        {"style": 5},
        {"fps": float("nan")},
        {"fps": 10**400},
        {"steadiness": 1.01},
        {"blend_weight": []},
        {"style": "x" * 100_000},
        {"": 1},
    ],
)
def test_nothing_that_strangers_send_is_taken_for_a_setting(control: Control, wrong: dict[str, object]) -> None:
    with pytest.raises(ChangeError) as caught:
        control.change(wrong)
    assert len(str(caught.value)) < 400
    assert control.current == Hot()


def test_changes_from_many_threads_are_all_kept(control: Control) -> None:
    names = ("fps", "iterations", "fade_s", "style_strength")
    values = {"fps": 7.0, "iterations": 3, "fade_s": 9.0, "style_strength": 0.25}

    def change(name: str) -> None:
        for _ in range(50):
            control.change({name: values[name]})

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(change, names))
    assert {name: getattr(control.current, name) for name in names} == values


def test_a_pause_lasts_until_it_is_ended(control: Control) -> None:
    control.pause()
    assert control.paused
    assert control.orders().paused
    assert not control.await_resumed(0)
    waiting = ThreadPoolExecutor(1).submit(control.await_resumed, 20)
    control.resume()
    assert waiting.result(20)
    assert not control.orders().paused


def test_a_reset_is_ordered_once(control: Control) -> None:
    control.reset()
    assert [control.orders().afresh for _ in range(2)] == [True, False]


def snapshot(control: Control, paint: Callable[[], None]) -> Future[bytes]:
    """Ask for a snapshot in a thread, and paint until it is there."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(control.snapshot, 20)
    done = Event()
    future.add_done_callback(lambda _: done.set())
    while not done.wait(0.01):
        paint()
    return future


def test_a_snapshot_is_the_next_painted_frame_and_says_how_it_was_painted(control: Control) -> None:
    hot = control.change({"style": "storm", "iterations": 5})
    painted = replace(frame(3), captured_at=0.0, painting=Painting(iterations=4))
    control.painted(replace(painted, image=picture(seed=9)), hot)  # before anybody asked

    data = snapshot(control, lambda: control.painted(painted, hot)).result(20)

    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), painted.image)
        text = dict(image.info)
    assert text["Software"] == f"deepmovie {version('deepmovie')}"
    assert (text["Style"], text["Iterations"], text["Creation Time"]) == ("storm", "4", "1970-01-01T00:00:00Z")
    assert Hot.model_validate(json.loads(text["Settings"])) == hot


def test_a_snapshot_that_nobody_paints_says_so(control: Control) -> None:
    control.pause()
    with pytest.raises(TimeoutError, match=r"no frame was painted within 0\.05 s, as painting is paused"):
        control.snapshot(0.05)


def test_the_settings_of_the_start_name_paintings_by_their_names(tmp_path: Path) -> None:
    own = tmp_path / "my own.png"
    gallery = Gallery(BUILT_IN_STYLES, settings=(own,), uploads=tmp_path)
    hot = hot_settings(Paint(style="storm", blend=str(own), fps=3), gallery)
    assert (hot.style, hot.blend, hot.fps) == ("storm", "my-own", 3.0)


def test_torch_is_not_needed_to_change_settings() -> None:
    code = "import sys, streamer.control; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
