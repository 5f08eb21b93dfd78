"""What the tests of this folder share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.daemon import Kit

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Return what a daemon needs to paint fast."""
    return Kit.made_in(tmp_path_factory.mktemp("kit"))


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Yield Chromium. Not longer than for a file: meanwhile asyncio is not free for others."""
    from tests.end_to_end.browser import open_browser

    with open_browser() as opened:
        yield opened
