"""The page in a real browser: what people see, and what comes of what they do, by hand, by keyboard and on a phone.

With ``DEEPMOVIE_FULL=1`` the picture for the README is taken too, of the real network at work.
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload

from streamer.paint import Hot
from tests.end_to_end.browser import PATIENCE_S, Look, looking
from tests.end_to_end.daemon import Kit, deepmovie, usual_environment
from tests.streamer.web.studio import Site, await_that
from tests.streamer.web.test_page_of_a_daemon import page as daemon_with_page

PAGE = Path(__file__).parents[2] / "streamer/web/static/index.html"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "device_scale_factor": 2}
FULL = os.environ.get("DEEPMOVIE_FULL") == "1"
REDDISH, BLUISH = (200, 40, 40), (40, 40, 200)

pytestmark = pytest.mark.timeout(240)


def painting(color: tuple[int, int, int], form: str) -> bytes:
    """Return a picture of strokes around one color, as a file."""
    noise = np.random.default_rng(1).normal(0, 25, (24, 32, 1))
    pixels = np.clip(np.asarray(color) + np.kron(noise, np.ones((4, 4, 1))), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


class Room:
    """A daemon that paints the built-in scene, and the place of its page."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self.site = site

    def now(self, what: str) -> Any:
        """Return what the API says of the status, the stats or the settings."""
        return self.site.get(f"/api/v1/{what}").json


@pytest.fixture(scope="module")
def room(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("room")
    (folder / "styles").mkdir()
    (folder / "styles" / "dawn.png").write_bytes(painting(REDDISH, "PNG"))
    given = {"output.recordings": folder / "rec", "paint.styles_folder": folder / "styles", "paint.fade_s": 0}
    options = [text for key, value in given.items() for text in ("--set", f"{key}={value}")]
    state = {"XDG_STATE_HOME": str(folder / "state")}
    with daemon_with_page(kit, "test:#fps=10", "null:", *options, environment=state, fps=10) as (_, site):
        yield Room(folder, site)


@pytest.fixture
def look(browser: Browser, room: Room) -> Iterator[Look]:
    with looking(browser, f"{room.site.origin}/") as look:
        yield look


# -- what is seen -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["pair", "swipe", "out", "flow"])
def test_the_picture_moves_in_every_view(browser: Browser, room: Room, view: str) -> None:
    with looking(browser, f"{room.site.origin}/#{view}") as look:
        look.await_motion()
        assert look.page.locator("#divider").is_visible() == (view == "swipe")
        assert look.overflow_px == 0
        look.await_text("#state", "running")


def test_the_numbers_and_the_log_are_shown(look: Look) -> None:
    lines = look.page.locator(".line")
    for name in ("fps", "age", "dropped", "iterations", "cuts", "energy", "temporal error"):
        value = lines.filter(has=look.page.get_by_role("heading", name=name, exact=True)).locator(".value")
        await_that(lambda value=value: re.match(r"\d", value.inner_text()), timeout_s=PATIENCE_S)
    drawn = look.page.locator(".line .run").first
    await_that(lambda: "L" in (drawn.get_attribute("d") or ""), timeout_s=PATIENCE_S)
    look.await_text("#log", "http started")


def test_the_bare_picture_moves_too(browser: Browser, room: Room) -> None:
    with looking(browser, f"{room.site.origin}/view?side=pair") as look:
        look.await_motion()


# -- what is changed --------------------------------------------------------------------------------------------------


def test_another_painting_is_chosen_and_shows(look: Look, room: Room) -> None:
    look.page.keyboard.press("3")
    look.page.get_by_title("dawn: from the folder").click()
    await_that(lambda: room.now("settings")["style"] == "dawn", timeout_s=PATIENCE_S)
    await_that(lambda: look.mean[0] > look.mean[2] + 60, timeout_s=PATIENCE_S)


def test_a_picture_that_is_dropped_becomes_the_painting(look: Look, room: Room) -> None:
    look.page.keyboard.press("3")
    look.drop("My sea.png", painting(BLUISH, "PNG"), "image/png")
    await_that(lambda: room.now("settings")["style"] == "My-sea", timeout_s=PATIENCE_S)
    await_that(lambda: look.mean[2] > look.mean[0] + 60, timeout_s=PATIENCE_S)
    assert look.page.locator("#styles input:checked").get_attribute("value") == "My-sea"


def test_a_picture_of_another_kind_is_chosen_from_files_and_one_that_is_none_is_refused(look: Look, room: Room) -> None:
    webp = FilePayload(name="dusk.webp", mimeType="image/webp", buffer=painting(REDDISH, "WEBP"))
    look.page.set_input_files("#file", [webp])
    await_that(lambda: room.now("settings")["style"] == "dusk", timeout_s=PATIENCE_S)
    look.drop("notes.txt", b"hello", "text/plain")
    look.await_text("#notice", "notes.txt is no picture that this browser can read")
    assert room.now("settings")["style"] == "dusk"


def test_every_setting_is_changed_from_the_page(look: Look, room: Room) -> None:
    look.await_text("#state", "running")
    look.page.select_option("#blend", "dawn")
    await_that(lambda: room.now("settings")["blend"] == "dawn", timeout_s=PATIENCE_S)
    wanted = {
        "blend_weight": 0.25,
        "style_strength": 0.8,
        "steadiness": 0.1,
        "light": 0.6,
        "iterations": 2,
        "fps": 9.5,
        "fade_s": 0.5,
    }
    for key, value in wanted.items():
        look.page.fill(f"#{key}", str(value))
        look.page.press(f"#{key}", "Enter")
    look.page.get_by_text("of the source").click()
    await_that(lambda: room.now("settings").items() >= (wanted | {"color": "content"}).items(), timeout_s=PATIENCE_S)
    look.page.select_option("#blend", "")
    look.page.get_by_text("matched").click()
    await_that(lambda: room.now("settings")["color"] == "matched", timeout_s=PATIENCE_S)
    look.await_motion()
    look.page.get_by_text("of the painting").click()
    for key in ("iterations", "light"):
        look.page.fill(f"#{key}", {"iterations": "1", "light": "0"}[key])
        look.page.press(f"#{key}", "Enter")
    back = {"blend": None, "color": "style", "iterations": 1, "light": 0}
    await_that(lambda: room.now("settings").items() >= back.items(), timeout_s=PATIENCE_S)


def test_a_mix_that_others_asked_for_is_told(look: Look, room: Room) -> None:
    assert not look.page.locator("#mix").is_visible()
    room.site.change("PATCH", "/api/v1/settings", {"mix": ["dawn=0.5"]})
    look.await_text("#mix", "mixed with dawn (0.5)")
    room.site.change("PATCH", "/api/v1/settings", {"mix": []})
    await_that(lambda: not look.page.locator("#mix").is_visible(), timeout_s=PATIENCE_S)


def test_the_page_knows_each_setting_and_its_limits() -> None:
    page = PAGE.read_text()
    knobs = {found[1]: found[0] for found in re.findall(r'(<div[^>]* data-key="(\w+)"[^>]*>)', page)}
    assert {*knobs, "style", "blend", "mix", "color"} == set(Hot.model_fields)
    for key, knob in knobs.items():
        limits = {
            name: getattr(limit, name)
            for limit in Hot.model_fields[key].metadata
            for name in ("ge", "le")
            if hasattr(limit, name)
        }
        told = {
            name: float(re.findall(rf'data-{word}="([^"]+)"', knob)[0]) for name, word in (("ge", "min"), ("le", "max"))
        }
        assert told == limits, key


def test_pause_and_reset_act(look: Look, room: Room) -> None:
    look.await_motion()
    look.page.get_by_role("button", name="Pause").click()
    look.await_text("#trouble", "paused: no frames are painted")
    assert room.now("status")["paused"]
    look.page.get_by_role("button", name="Go on").click()
    await_that(lambda: not room.now("status")["paused"], timeout_s=PATIENCE_S)
    look.await_motion()
    before = room.now("stats")["cuts"]
    look.page.get_by_role("button", name="Paint afresh").click()
    await_that(lambda: room.now("stats")["cuts"] > before, timeout_s=PATIENCE_S)


def test_a_snapshot_is_saved(look: Look) -> None:
    look.await_motion()
    with look.page.expect_download() as download:
        look.page.get_by_role("button", name="Snapshot").click()
    assert re.fullmatch(r"deepmovie_[\d-]{10}_[\d-]{8}\.png", download.value.suggested_filename)
    with Image.open(download.value.path()) as picture:
        assert max(picture.size) == 64
        assert "Style" in picture.info


def test_a_film_is_recorded_and_the_page_says_which(look: Look, room: Room) -> None:
    look.await_motion()
    look.page.get_by_role("button", name="Record").click()
    look.await_text("#recording", ".mp4")
    name = room.now("status")["recording"]
    assert name in look.page.inner_text("#recording")
    before = room.now("stats")["published"]
    await_that(lambda: room.now("stats")["published"] > before + 3, timeout_s=PATIENCE_S)
    look.page.get_by_role("button", name="End the film").click()
    look.await_text("#notice", name)
    film = cv2.VideoCapture(str(room.folder / "rec" / name))
    assert film.read()[0]
    film.release()


# -- without a mouse, on a phone --------------------------------------------------------------------------------------


def test_everything_is_reached_by_keyboard(look: Look, room: Room) -> None:
    look.await_text("#state", "running")
    keys = look.page.keyboard
    keys.press("2")
    look.page.locator("#divider").wait_for()
    order = [look.focused]
    while len(order) < 40 and order[-1] != "fade_s":
        keys.press("Tab")
        order.append(look.focused)
    wanted = ["help-open", "divider", "view", "pause", "reset", "snapshot", "record", "fullscreen", "log"]
    wanted += ["style", "file", "blend", "style_strength", "steadiness", "color", "iterations", "fps", "fade_s"]
    assert [each for each in order if each in wanted] == wanted, order

    look.page.focus("#divider")
    before = look.page.get_attribute("#divider", "aria-valuenow")
    keys.press("ArrowRight")
    assert (before, look.page.get_attribute("#divider", "aria-valuenow")) == ("50", "52")
    keys.press("Home")
    assert look.page.get_attribute("#divider", "aria-valuetext") == "0 percent source"

    look.page.focus("#style_strength ~ [type=range]")
    keys.press("Home")
    await_that(lambda: room.now("settings")["style_strength"] == 0, timeout_s=PATIENCE_S)
    for _ in range(10):
        keys.press("ArrowRight")
    await_that(lambda: room.now("settings")["style_strength"] == 0.5, timeout_s=PATIENCE_S)

    keys.press("?")
    look.page.locator("#help").wait_for()
    keys.press("p")
    keys.press("Escape")
    assert not look.page.locator("#help").is_visible()
    assert not room.now("status")["paused"], "behind the help, keys do nothing"
    keys.press("p")
    await_that(lambda: room.now("status")["paused"], timeout_s=PATIENCE_S)
    keys.press("p")
    await_that(lambda: not room.now("status")["paused"], timeout_s=PATIENCE_S)


def test_the_picture_stays_beside_what_is_changed(look: Look) -> None:
    look.page.locator("#fade_s").scroll_into_view_if_needed()
    picture = look.page.locator("#canvas").bounding_box()
    assert picture is not None
    assert picture["y"] >= 0, "a low window scrolls the controls alone"
    colors = {label.evaluate("label => label.offsetTop") for label in look.page.locator("#color label").all()}
    assert len(colors) == 1, "the three are in one row"


def test_the_divider_follows_the_pointer(browser: Browser, room: Room) -> None:
    with looking(browser, f"{room.site.origin}/#swipe") as look:
        look.page.locator("#divider").wait_for()
        wall = look.page.locator("#canvas").bounding_box()
        assert wall is not None
        middle, height = wall["x"] + wall["width"] / 2, wall["y"] + wall["height"] / 2
        look.page.mouse.move(middle, height)
        look.page.mouse.down()
        look.page.mouse.move(middle + 50, height)
        look.page.mouse.up()
        assert int(look.page.get_attribute("#divider", "aria-valuenow") or 0) > 52


def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser: Browser, room: Room) -> None:
    with looking(browser, f"{room.site.origin}/", **PHONE) as look:
        look.await_motion()
        for view in ("Swipe", "Painted", "Flow", "Side by side"):
            look.page.get_by_text(view, exact=True).tap()
            assert look.overflow_px == 0, view
        look.page.get_by_role("button", name="Help").tap()
        look.page.locator("#help").wait_for()
        assert look.overflow_px == 0
        box = look.page.locator("#help").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


# -- for the README ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL, reason="paints with the real network for a minute; DEEPMOVIE_FULL=1 runs it")
def test_the_picture_of_the_readme_is_taken(browser: Browser, tmp_path: Path) -> None:
    # A frame a second leaves also a slow machine the time for some iterations, and the scene some motion.
    options = (
        "--size",
        "256",
        "--fps",
        "1",
        "--device",
        "cpu",
        "--set",
        f"output.recordings={tmp_path}",
        "--log-format",
        "json",
    )
    command = [sys.executable, "-m", "streamer", "run", "test:#fps=1", "null:", *options, "--listen", "127.0.0.1:0"]
    with deepmovie(command, usual_environment()) as daemon:
        address = daemon.await_entry("http_started").facts["address"]
        with looking(browser, f"http://{address}/", color_scheme="dark") as look:
            await_that(lambda: daemon.await_stats()["published"] > 60, timeout_s=200)
            look.await_motion()
            target = Path(__file__).parents[2] / "docs" / "page.jpg"
            look.page.screenshot(path=target, quality=88)
    assert target.stat().st_size < 300_000
