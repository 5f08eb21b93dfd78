"""A real browser that looks at the page: headless Chromium."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.streamer.web.studio import await_that

PATIENCE_S = 30.0
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WATCH_POLICY = "addEventListener('securitypolicyviolation', (event) => console.error('policy', event.blockedURI))"
MEAN = """() => {
  const canvas = document.getElementById("canvas");
  const { width, height } = canvas;
  const small = document.createElement("canvas");
  small.width = small.height = 1;
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, width * 3 / 8, height * 3 / 8, width / 4, height / 4, 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data];
}"""


@cache
def chromium() -> str | None:
    """Return the path of Chromium, or None."""
    return shutil.which("chromium")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium; skip the test where it is not installed, and fail in continuous integration."""
    path = chromium()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium must be installed here")
        pytest.skip("no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Look:
    """One page, open in the browser."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(1000 * PATIENCE_S)
        page.add_init_script(WATCH_POLICY)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean red, green and blue of the middle of the canvas."""
        red, green, blue, _ = self.page.evaluate(MEAN)
        return red, green, blue

    @property
    def pixels(self) -> str:
        """All of the canvas, as a text to compare."""
        return str(self.page.evaluate("document.getElementById('canvas').toDataURL()"))

    @property
    def focused(self) -> str:
        """The id of the element that has the focus, or its name."""
        return str(self.page.evaluate("document.activeElement.id || document.activeElement.name || ''"))

    def await_motion(self) -> None:
        """Return when the picture has changed."""
        before = self.pixels
        await_that(lambda: self.pixels != before, timeout_s=PATIENCE_S)

    def await_text(self, selector: str, text: str) -> None:
        """Return when an element that can be seen holds this text."""
        self.page.locator(selector).filter(has_text=text, visible=True).first.wait_for()

    @property
    def overflow_px(self) -> int:
        """How far the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def drop(self, name: str, content: bytes, media_type: str) -> None:
        """Drop a file on the page, as a hand would from the desktop."""
        dragged = self.page.evaluate_handle(
            """([name, content, type]) => {
              const dragged = new DataTransfer();
              dragged.items.add(new File([new Uint8Array(content)], name, { type }));
              return dragged;
            }""",
            [name, list(content), media_type],
        )
        for event in ("dragover", "drop"):
            self.page.dispatch_event("body", event, {"dataTransfer": dragged})


@contextmanager
def looking(browser: Browser, url: str, *, expects: tuple[str, ...] = (), **options: Any) -> Iterator[Look]:
    """Open a page; at the end, it may have complained of nothing but what is expected.

    Args:
        browser: opens it.
        url: of the page.
        expects: words, one of which is in each complaint that may come.
        options: of the browser's context: viewport, http_credentials, ...
    """
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
    try:
        look = Look(context.new_page())
        look.page.goto(url, wait_until="domcontentloaded")
        yield look
        unexpected = [each for each in look.complaints if not any(words in each for words in expects)]
        assert unexpected == []
    finally:
        context.close()
