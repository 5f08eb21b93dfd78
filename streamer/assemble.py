"""The composition root: settings in, source, sinks and stylizer out. It and `engine` alone name concrete classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from models.stylizer import Stylizer
from protocols.endpoints import Sink, Source
from protocols.grammar import read_options
from protocols.options import SOURCE_OPTIONS
from protocols.url import UrlError, parse_source, redact, sink_from, source_from
from protocols.wire import Limits
from streamer.config import Config, ConfigError
from streamer.engine import choose_device, make_engine

SIZE_ON_CPU, SIZE_ON_CUDA = 256, 640


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
    source_patience_s: float = 30.0
    """Longer than this the source never waits for a frame, its opening included, unless it hangs."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """What is wrong from the start, though painting goes on."""


def assemble(config: Config) -> Parts:
    """Return everything that the settings ask for; nothing is opened yet.

    Raises:
        ConfigError: something asked for is not there, or not usable.
    """
    source, sinks = _source(config), _sinks(config)
    device, troubles = choose_device(config.paint.device)
    size = config.paint.size or (SIZE_ON_CPU if device.type == "cpu" else SIZE_ON_CUDA)
    return Parts(
        source=source,
        sinks=sinks,
        stylizer=make_engine(config.paint, device=device, size=size).stylizer(),
        device=device,
        size=size,
        source_patience_s=_patience_s(config),
        troubles=troubles,
    )


def _source(config: Config) -> Source:
    try:
        return source_from(
            config.source,
            limits=_limits(config),
            open_timeout_s=config.input.open_timeout_s,
            stall_timeout_s=config.input.stall_timeout_s,
        )
    except UrlError as error:
        raise ConfigError(f"source: {error}") from None


def _patience_s(config: Config) -> float:
    """Return both timeouts, doubled, as FFmpeg notices a frozen server after twice the time, and some seconds more."""
    url = parse_source(config.source)
    timeout_s = read_options(url, SOURCE_OPTIONS[url.scheme]).get("timeout")
    return 2 * (2 * timeout_s if timeout_s else config.input.open_timeout_s + config.input.stall_timeout_s) + 5


def _sinks(config: Config) -> dict[str, Sink]:
    sinks: dict[str, Sink] = {}
    for url in config.sinks:
        name = redact(url)
        if name in sinks:
            raise ConfigError(f"sinks: {name} is named twice")
        try:
            sinks[name] = sink_from(url, name=config.name, fps=config.paint.fps, limits=_limits(config))
        except UrlError as error:
            raise ConfigError(f"sinks: {error}") from None
    return sinks


def _limits(config: Config) -> Limits:
    return Limits(max_pixels=config.input.max_pixels, max_message_bytes=config.input.max_message_bytes)
