"""Where frames come from and go to, made from the settings. Needs no torch, so a wrong address is told at once."""

from protocols.endpoints import Sink, Source
from protocols.errors import SinkError
from protocols.url import UrlError, parse_sink, redact, sink_from, source_from
from protocols.wire import Limits
from streamer.config import Config, ConfigError
from streamer.exits import Exit, FatalError
from streamer.listening import check_certificate, listen


def make_source(config: Config) -> Source:
    """Return the source; it is not opened yet.

    Raises:
        ConfigError: its URL names none.
    """
    try:
        return source_from(
            config.source,
            limits=_limits(config),
            open_timeout_s=config.input.open_timeout_s,
            stall_timeout_s=config.input.stall_timeout_s,
        )
    except UrlError as error:
        raise ConfigError(f"source: {error}") from None


def make_sinks(config: Config) -> dict[str, Sink]:
    """Return the sinks by name, their URL without its password; none is opened yet.

    Raises:
        ConfigError: a URL names none, or two are the same.
    """
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


def try_addresses(config: Config) -> None:
    """Bind what will be bound, and let go of it again: loading torch first would keep everybody waiting for bad news.

    Raises:
        ConfigError: as `make_sinks`, or the page's certificate cannot be used.
        FatalError: another program has an address; exit code 78.
    """
    check_certificate(config.http)
    if page := listen(config.http):
        page.close()
    for (name, sink), url in zip(make_sinks(config).items(), config.sinks, strict=True):
        if not parse_sink(url).bind:
            continue
        try:
            sink.open()
        except SinkError as error:
            if error.reason == "in_use":  # anything else may pass; the sink's own worker deals with it
                raise FatalError(f"{name}: {error}", code=Exit.CONFIGURATION) from None
        finally:
            sink.close()


def _limits(config: Config) -> Limits:
    return Limits(max_pixels=config.input.max_pixels, max_message_bytes=config.input.max_message_bytes)
