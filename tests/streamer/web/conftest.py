"""What the tests of this folder share."""

from collections.abc import Iterator

import pytest

from tests.streamer.web.studio import Site, Studio, open_to_visitors


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Return a stream to look at; one for all tests of a file."""
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def site(studio: Studio) -> Iterator[Site]:
    """Yield where it can be looked at."""
    with open_to_visitors(studio) as opened:
        yield opened
