"""The page when things go wrong, in a real browser: no source, no server, no password, strangers."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import zmq
from playwright.sync_api import Browser, Error

from tests.end_to_end.browser import PATIENCE_S, looking
from tests.end_to_end.daemon import Kit
from tests.end_to_end.test_faults import local, send
from tests.protocols.test_zeromq import free_port
from tests.streamer.web.studio import TOKEN, Studio, await_that, open_to_visitors
from tests.streamer.web.test_page_of_a_daemon import page as daemon_with_page

pytestmark = pytest.mark.timeout(240)


@contextmanager
def filming(camera: "zmq.Socket[bytes]") -> Iterator[None]:
    """Send frames meanwhile."""
    stop = threading.Event()

    def film() -> None:
        sequence = 0
        while not stop.wait(0.1):
            send(camera, sequence)
            sequence += 1

    thread = threading.Thread(target=film)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def served(content: bytes) -> Iterator[str]:
    """Yield the address of another site with this page."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name there
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


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
        with filming(camera):
            look.await_motion()
            await_that(lambda: look.page.locator("#empty").is_hidden(), timeout_s=PATIENCE_S)
            look.await_text("#state", "running")
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
            look.page.locator("#trouble").wait_for(state="hidden")


def test_what_is_painted_on_while_the_source_is_lost_is_not_shown_as_live(browser: Browser, tmp_path: Path) -> None:
    studio = Studio(tmp_path)
    with open_to_visitors(studio) as site, studio.showing(), looking(browser, f"{site.origin}/") as look:
        look.await_motion()
        look.page.locator("#wall:not(.old)").wait_for()
        studio.telemetry.trouble("source", "stalled", error="no frame for 3 s", retry_in_s=4)
        look.page.locator("#wall.old").wait_for()
        look.await_motion()
        studio.telemetry.trouble("source", None)
        look.page.locator("#wall:not(.old)").wait_for()


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
    with (
        open_to_visitors(studio) as site,
        served((FOREIGN % (site.netloc, site.netloc)).encode()) as elsewhere,
        looking(browser, elsewhere, expects=("",)) as look,
    ):
        before = studio.control.current
        await_that(lambda: look.page.title() != "foreign", timeout_s=PATIENCE_S)
        assert set(look.page.title().split()) == {"rejected"}
        with look.page.expect_response("**/api/v1/pause") as answer:
            look.page.evaluate("document.getElementById('form').submit()")
        assert answer.value.status in (403, 415)
        assert studio.control.current == before
        assert not studio.control.paused
        assert "evil" not in studio.gallery.names()
