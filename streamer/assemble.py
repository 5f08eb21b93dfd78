"""The composition root: settings in, source, sinks and stylizer out. It and `engine` alone name concrete classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from models.hindsight import Hindsight
from protocols.curve import Keyring
from protocols.endpoints import Sink, Source
from protocols.grammar import read_options
from protocols.notices import Notices
from protocols.options import SOURCE_OPTIONS
from protocols.url import parse_source
from streamer.canvas import Follower, Stylizer
from streamer.config import Config
from streamer.control import hot_settings
from streamer.edges import make_keyring, make_sinks, make_source
from streamer.engine import choose_device, make_engine, make_gallery
from streamer.gallery import Gallery
from streamer.keeper import Lasting
from streamer.mask import Mask, make_mask
from streamer.memory import affordable_size, default_size
from streamer.restyling import Restyler
from streamer.stand_in import Fallible


@dataclass(frozen=True, slots=True)
class Parts:
    """What the daemon runs."""

    source: Source
    sinks: Mapping[str, Sink]
    """By name: the URL without its password."""
    stylizer: Stylizer
    device: torch.device
    size: int
    """Long side of the painted picture in pixels."""
    looks_ahead: bool = False
    """The CPU looks at the next frame while the device paints. Where they are one, it would only be in the way."""
    notices: Notices = field(default_factory=Notices)
    """What ZeroMQ peers do."""
    keyring: Keyring | None = None
    """Who may feed and who may watch over ZeroMQ; ``reread`` takes up new keys and cuts off revoked ones."""
    source_patience_s: float = 30.0
    """Longer than this the source never waits for a frame, its opening included, unless it hangs."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """What is wrong from the start, though painting goes on."""
    gallery: Gallery = field(default_factory=Gallery)
    """The paintings that may be chosen while frames are painted."""
    lasting: Lasting | None = None
    """Whose memory is kept for the next process: the stylizer, if it can."""
    mask: Mask | None = None
    """Says where to paint; None: everywhere."""
    hindsight: Hindsight | None = None
    """What paints frames on while they wait for their future; None: no frame waits."""
    follower: Follower | None = None
    """Lets the stylizer follow the settings; None: it paints as it does at the start."""
    networks: Sequence[Fallible] = ()
    """What the stylizer asks that may fail, though painting goes on."""


def assemble(config: Config) -> Parts:
    """Return everything that the settings ask for; nothing is opened yet.

    Raises:
        ConfigError: something asked for is not there, or not usable.
    """
    keyring, notices = make_keyring(config.security), Notices()
    source, sinks = make_source(config, keyring, notices), make_sinks(config, keyring, notices)
    device, troubles = choose_device(config.paint.device)
    wanted = config.paint.size or default_size(device)
    size = affordable_size(wanted, device, paint=config.paint)
    gallery = make_gallery(config.paint, size=size)
    engine = make_engine(config.paint, device=device, size=size, gallery=gallery)
    stylizer = engine.stylizer()
    return Parts(
        source=source,
        sinks=sinks,
        stylizer=stylizer,
        device=device,
        size=size,
        looks_ahead=device.type != "cpu",
        notices=notices,
        keyring=keyring,
        source_patience_s=patience_s(config),
        troubles={**troubles, "size": "too_large"} if size < wanted else troubles,
        gallery=gallery,
        mask=make_mask(config.paint),
        lasting=stylizer,
        hindsight=engine.hindsight(stylizer),
        follower=Restyler(engine, stylizer, gallery, hot_settings(config.paint, gallery)),
        networks=engine.networks,
    )


def patience_s(config: Config) -> float:
    """Return both timeouts, doubled, as FFmpeg notices a frozen server after twice the time, and some seconds more."""
    url = parse_source(config.source)
    timeout_s = read_options(url, SOURCE_OPTIONS[url.scheme]).get("timeout")
    return 2 * (2 * timeout_s if timeout_s else config.input.open_timeout_s + config.input.stall_timeout_s) + 5
