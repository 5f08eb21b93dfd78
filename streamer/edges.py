"""Where frames come from and go to, made from the settings. Needs no torch, so a wrong address is told at once."""

from pathlib import Path

from protocols.curve import Keyring
from protocols.endpoints import Sink, Source
from protocols.errors import SinkError
from protocols.keys import KeyFileError
from protocols.notices import Notices
from protocols.url import UrlError, parse_sink, sink_from, source_from
from protocols.wire import Limits
from streamer.config import Config, ConfigError, Problem, Security
from streamer.exits import Exit, FatalError
from streamer.listening import check_certificate, listen
from streamer.redaction import register_secret
from streamer.redaction import text as redacted


def make_keyring(security: Security) -> Keyring | None:
    """Return our key and who may come in; None without a key. From here on the key is masked in the log.

    Raises:
        ConfigError: a key file cannot be used, or is open to others.
    """
    if security.key is None:
        return None
    try:
        keyring = Keyring.read(
            _path(security.key), feeders=_folder(security.feeders), viewers=_folder(security.viewers)
        )
    except KeyFileError as error:
        raise ConfigError(Problem(str(error), "security")) from None
    register_secret(keyring.own.secret.decode())
    return keyring


def make_source(config: Config, keyring: Keyring | None, notices: Notices) -> Source:
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
            keyring=keyring,
            notices=notices,
        )
    except UrlError as error:
        raise ConfigError(Problem(str(error), "source")) from None


def make_sinks(config: Config, keyring: Keyring | None, notices: Notices) -> dict[str, Sink]:
    """Return the sinks by name, their URL without its password; none is opened yet.

    Raises:
        ConfigError: a URL names none, or two are the same.
    """
    sinks: dict[str, Sink] = {}
    for url in config.sinks:
        name = redacted(url)
        if name in sinks:
            raise ConfigError(Problem(f"{name} is named twice", "sinks"))
        try:
            sinks[name] = sink_from(
                url,
                name=config.name,
                fps=config.paint.fps,
                limits=_limits(config),
                keyring=keyring,
                notices=notices,
            )
        except UrlError as error:
            raise ConfigError(Problem(str(error), "sinks")) from None
    return sinks


def try_addresses(config: Config) -> None:
    """Bind what will be bound, and let go of it again: loading torch first would keep everybody waiting for bad news.

    Raises:
        ConfigError: as `make_keyring` and `make_sinks`, or the page's certificate cannot be used.
        FatalError: another program has an address; exit code 78.
    """
    check_certificate(config.http)
    if page := listen(config.http):
        page.close()
    sinks = make_sinks(config, make_keyring(config.security), Notices())
    for (name, sink), url in zip(sinks.items(), config.sinks, strict=True):
        if parse_sink(url).bind:
            bind_for_a_moment(name, sink)


def bind_for_a_moment(name: str, sink: Sink) -> None:
    """See whether a sink can have its address.

    Raises:
        FatalError: another program has it; exit code 78.
    """
    try:
        sink.open()
    except SinkError as error:
        if error.reason == "in_use":  # anything else may pass; the sink's own worker deals with it
            raise FatalError(f"{name}: {error}", code=Exit.CONFIGURATION) from None
    finally:
        sink.close()


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _folder(text: str | None) -> Path | None:
    return None if text is None else _path(text)


def _limits(config: Config) -> Limits:
    return Limits(max_pixels=config.input.max_pixels, max_message_bytes=config.input.max_message_bytes)
