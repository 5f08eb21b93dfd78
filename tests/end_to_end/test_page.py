"""The page in a real browser: what people see, and what comes of what they do, by hand, by keyboard and on a phone.

With ``DEEPMOVIE_FULL=1`` the picture for the README is taken too, of the real network at work.
"""

import io
import os
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zmq
from PIL import Image
from playwright.sync_api import Browser, Error

from streamer.config import Hot
from tests.end_to_end.browser import PATIENCE_S, Look, looking, open_browser
from tests.end_to_end.daemon import Kit, deepmovie, usual_environment
from tests.end_to_end.test_faults import local, send
from tests.protocols.test_zeromq import free_port
from tests.streamer.web.studio import TOKEN, Site, Studio, await_that, open_to_visitors
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


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
    webp = {"name": "dusk.webp", "mimeType": "image/webp", "buffer": painting(REDDISH, "WEBP")}
    look.page.set_input_files("#file", [webp])  # type: ignore[list-item] # as Playwright describes it
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
    look.page.get_by_text("of the painting").click()
    look.page.fill("#iterations", "1")
    look.page.press("#iterations", "Enter")
    back = {"blend": None, "color": "style", "iterations": 1}
    await_that(lambda: room.now("settings").items() >= back.items(), timeout_s=PATIENCE_S)


def test_the_page_knows_each_setting_and_its_limits() -> None:
    page = PAGE.read_text()
    knobs = {found[1]: found[0] for found in re.findall(r'(<div[^>]* data-key="(\w+)"[^>]*>)', page)}
    assert {*knobs, "style", "blend", "color"} == set(Hot.model_fields)
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
    wanted = ["help-open", "divider", "swipe", "pause", "reset", "snapshot", "record", "fullscreen", "log"]
    wanted += ["file", "blend", "style_strength", "steadiness", "style", "iterations", "fps", "fade_s"]
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


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_without_a_source_the_page_tells_how_to_connect_one_and_a_lost_one_is_told_in_words(
    browser: Browser, kit: Kit
) -> None:
    feed = local()
    with (
        zmq.Context() as context,
        context.socket(zmq.PUB) as camera,
        daemon_with_page(kit, f"sub+connect:{feed}", "null:", "--set", "input.stall_timeout_s=1") as (_, site),
        looking(browser, f"{site.origin}/", permissions=["clipboard-read", "clipboard-write"]) as look,
    ):
        camera.linger = 0
        look.await_text("#empty", f"deepmovie waits for sub+connect:{feed}")
        look.await_text("#trouble", "source lost")
        look.page.get_by_role("button", name="Copy deepmovie run test:").click()
        look.await_text("#notice", "copied")
        assert look.page.evaluate("navigator.clipboard.readText()") == "deepmovie run test:"

        camera.bind(feed)
        stop = threading.Event()

        def film() -> None:
            sequence = 0
            while not stop.wait(0.1):
                send(camera, sequence)
                sequence += 1

        thread = threading.Thread(target=film)
        thread.start()
        try:
            look.await_motion()
            await_that(lambda: look.page.locator("#empty").is_hidden(), timeout_s=PATIENCE_S)
            look.await_text("#state", "running")
        finally:
            stop.set()
            thread.join()
        look.page.get_by_text(re.compile(r"source lost \d+ s ago, trying again .*: .")).wait_for()
        look.await_text("#state", "source lost")
        look.page.locator("#wall.old").wait_for()


def test_a_lost_connection_is_told_and_comes_back_by_itself(browser: Browser, tmp_path: Path) -> None:
    studio = Studio(tmp_path, listen=f"127.0.0.1:{free_port()}")
    with looking(browser, "about:blank", expects=("ERR_", "WebSocket")) as look:
        with open_to_visitors(studio) as site, studio.showing():
            look.page.goto(f"{site.origin}/", wait_until="domcontentloaded")
            look.await_motion()
            look.await_text("#state", "running")
        look.page.get_by_text(
            re.compile(r"connection lost \d+ s ago, trying again: deepmovie does not answer")
        ).wait_for()
        look.await_text("#state", "no connection")
        look.page.locator("#wall.old").wait_for()
        with open_to_visitors(studio), studio.showing():
            look.await_text("#state", "running")
            look.await_motion()
            assert look.page.locator("#trouble").is_hidden()


def test_words_from_elsewhere_stay_words(browser: Browser, tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    tag = "<img src=x onerror=alert(1)>"
    studio.telemetry.trouble("source", "refused", error=tag, retry_in_s=4)
    with open_to_visitors(studio) as site, looking(browser, f"{site.origin}/") as look:
        look.await_text("#trouble", tag)


def test_with_a_token_the_browser_asks_for_it_once(browser: Browser, tmp_path: Path) -> None:
    studio = Studio(tmp_path, token=TOKEN)
    with open_to_visitors(studio) as site, studio.showing():
        with looking(browser, "about:blank") as stranger, pytest.raises(Error, match="INVALID_AUTH_CREDENTIALS"):
            stranger.page.goto(f"{site.origin}/")
        password = {"username": "anybody", "password": TOKEN}
        with looking(browser, f"{site.origin}/", http_credentials=password) as look:
            look.await_motion()
            look.page.get_by_role("button", name="Pause").click()
            await_that(lambda: studio.control.paused, timeout_s=PATIENCE_S)


FOREIGN = """<!doctype html><title>foreign</title><script>
const target = "http://%s", json = { "Content-Type": "application/json" };
const tries = [
  fetch(target + "/api/v1/settings", { method: "PATCH", headers: json, body: '{"fps": 1}' }),
  fetch(target + "/api/v1/pause", { method: "POST", headers: json, body: "{}" }),
  fetch(target + "/api/v1/styles/evil", { method: "PUT", headers: { "Content-Type": "image/png" }, body: "x" }),
  fetch(target + "/api/v1/status").then((answer) => answer.json()),
  new Promise((resolve, reject) => {
    const socket = new WebSocket(target.replace("http", "ws") + "/api/v1/live");
    socket.onopen = resolve;
    socket.onerror = reject;
  }),
  new Promise((resolve, reject) => {
    Object.assign(new Image(), { onload: resolve, onerror: reject, src: target + "/frame.jpg" });
  }),
];
Promise.allSettled(tries).then((all) => document.title = all.map(({ status }) => status).join(" "));
</script>
<form id="form" method="post" enctype="text/plain" target="hole" action="http://%s/api/v1/pause">
<input name="{}"></form>
<iframe name="hole"></iframe>"""


def test_a_foreign_page_sees_nothing_and_changes_nothing(browser: Browser, tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    studio.show()
    with open_to_visitors(studio) as site:
        page = (FOREIGN % (site.netloc, site.netloc)).encode()

        class Foreign(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name there
                pass

        before = studio.control.current
        with HTTPServer(("127.0.0.1", 0), Foreign) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                with looking(browser, f"http://localhost:{server.server_port}/", expects=("",)) as look:
                    await_that(lambda: look.page.title() != "foreign", timeout_s=PATIENCE_S)
                    assert set(look.page.title().split()) == {"rejected"}
                    with look.page.expect_response("**/api/v1/pause") as answer:
                        look.page.evaluate("document.getElementById('form').submit()")
                    assert answer.value.status in (403, 415)
            finally:
                server.shutdown()
                thread.join()
        assert studio.control.current == before
        assert not studio.control.paused
        assert "evil" not in studio.gallery.names()


# -- for the README ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL, reason="paints with the real network for a minute; DEEPMOVIE_FULL=1 runs it")
def test_the_picture_of_the_readme_is_taken(browser: Browser, tmp_path: Path) -> None:
    options = ("--set", f"output.recordings={tmp_path}", "--size", "256", "--fps", "5", "--log-format", "json")
    command = [sys.executable, "-m", "streamer", "run", "test:#fps=10", "null:", *options, "--listen", "127.0.0.1:0"]
    with deepmovie(command, usual_environment()) as daemon:
        address = daemon.await_entry("http_started").facts["address"]
        with looking(browser, f"http://{address}/", color_scheme="dark") as look:
            daemon.await_stats(lambda stats: stats["published"] > 20)
            look.await_motion()
            target = Path(__file__).parents[2] / "docs" / "page.png"
            look.page.screenshot(path=target)
    assert target.stat().st_size < 300_000
