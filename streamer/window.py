"""``deepmovie watch --page``: any stream in the browser, as it comes. The daemon, without its brush."""

import torch
from torch import Tensor

from models.descent import Budget
from models.sight import Sight
from models.stylizer import Stylized
from protocols.notices import Notices
from streamer.assemble import Parts
from streamer.config import Config, Restart
from streamer.daemon import run
from streamer.edges import make_keyring, make_sinks, make_source, try_addresses
from streamer.paint import Paint

MOST_FPS = 60.0
LARGEST_PX = 4096


def show(config: Config) -> int:
    """Show a stream on ``http://ADDRESS/view`` until a signal comes; return the exit code.

    Args:
        config: of it, the source, who may be asked for frames, and the page's address count.
    """
    unpainted = {
        "name": "watch",
        "sinks": ("null:",),
        "paint": Paint(fps=MOST_FPS, size=LARGEST_PX),
        "restart": Restart(resume=False),
    }
    return run(config.model_copy(update=unpainted), assemble=_unpainted)


class AsItIs:
    """Stands where a stylizer stands, and leaves every frame as it is."""

    def observe(self, content: Tensor) -> Sight:
        """See nothing but the frame."""
        return Sight(0, 0, content, None)

    def paint(self, sight: Sight, budget: Budget) -> Stylized:  # noqa: ARG002 - there is nothing to spend it on
        """Return the frame."""
        return Stylized(
            sight.content, iterations=0, restarted=False, terms=None, failures=0, temporal_error=None, flow=None
        )

    def reset(self) -> None:
        """Nothing is remembered."""


def _unpainted(config: Config) -> Parts:
    try_addresses(config)
    keyring, notices = make_keyring(config.security), Notices()
    return Parts(
        source=make_source(config, keyring, notices),
        sinks=make_sinks(config, keyring, notices),
        stylizer=AsItIs(),
        device=torch.device("cpu"),
        size=LARGEST_PX,
        notices=notices,
        keyring=keyring,
    )
