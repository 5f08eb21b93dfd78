"""What the tests of this folder share."""

import pytest

from tests.end_to_end.daemon import Kit


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Return what a daemon needs to paint fast."""
    return Kit.made_in(tmp_path_factory.mktemp("kit"))
