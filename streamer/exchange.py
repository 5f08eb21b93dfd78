"""Another version of the settings, taken up by a stream that runs: all that can be, or nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from protocols.curve import Keyring
from protocols.endpoints import Sink
from protocols.grammar import TCP
from protocols.keys import KeyFileError, PublicKeys
from protocols.url import Url, asks_for_keys, parse_sink, parse_source
from streamer.assemble import Parts, patience_s
from streamer.config import Config, ConfigError, Problem
from streamer.control import ChangeError
from streamer.edges import bind_for_a_moment, make_keyring, make_sinks, make_source
from streamer.exits import FatalError
from streamer.listening import check_certificate
from streamer.log import configure as configure_log
from streamer.picture import PictureError
from streamer.pipeline import Pipeline
from streamer.recipe import PAINTINGS, renamed
from streamer.settings import KEYS, nested, reload_of, value_of


@dataclass(frozen=True, slots=True)
class Change:
    """What became of another version of the settings."""

    changed: tuple[str, ...]
    """The settings that are different now."""
    restart: tuple[str, ...]
    """Those that would be, if the daemon were started again."""


@dataclass(frozen=True, slots=True)
class _Sinks:
    """What is written to, by URL."""

    names: Mapping[str, str]
    """All, with the names they have in the log and in the numbers."""
    new: Mapping[str, Sink]


class Exchange:
    """Brings a stream from one version of the settings to the next.

    What people changed on the page stays, as only the settings are touched that are different in the two versions.

    Args:
        config: the settings that the stream began with.
        parts: made from them.
        pipeline: runs them.
    """

    def __init__(self, config: Config, parts: Parts, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._keyring = parts.keyring
        self._notices = parts.notices
        self._names = dict(zip(config.sinks, parts.sinks, strict=True))
        self._read = config
        self.config = config
        """The settings in effect."""

    def take_up(self, read: Config) -> Change:
        """Let these settings be in effect, as far as they can be without a new start.

        Raises:
            ConfigError: they cannot be used. All is as it was.
        """
        check_certificate(read.http)
        is_rekeyed = read.security != self.config.security
        keyring = make_keyring(read.security) if is_rekeyed else self._keyring
        allowed = _allowed(keyring)
        source = make_source(read, keyring, self._notices)
        is_film = self.config.once or not (source.live and self._pipeline.live)
        restart = [key for key in KEYS if _differs(key, read, self.config) and _waits(key, is_film=is_film)]
        config = self._with_old(restart, read)
        # What is in effect of the hot ones may come from the page; there the two versions of the file are compared.
        now = [key for key in KEYS if _differs(key, config, self._read if _is_hot(key) else self.config)]
        sinks = self._new_sinks(config, keyring, is_rekeyed=is_rekeyed)
        hot = self._hot(config, now)
        # Until here nothing was touched. This is the only step that may still fail, and it changes all or nothing.
        self._repaint(hot)

        self._let_in(keyring, allowed)
        if any(map(_is_of_source, now)) or (is_rekeyed and not is_film and _asks_for_keys(parse_source(config.source))):
            self._pipeline.exchange_source(source, patience_s=patience_s(config))
        self._exchange_sinks(sinks)
        if any(key.startswith("log.") for key in now):
            configure_log(config.log.format, config.log.level)
        self.config, self._read = config, read
        return Change(tuple(now), tuple(restart))

    def _with_old(self, keys: list[str], config: Config) -> Config:
        """Return the settings with the old values for some of them."""
        values = {key: value_of(self.config if key in keys else config, key) for key in KEYS}
        return Config.model_validate(nested(values))

    def _new_sinks(self, config: Config, keyring: Keyring | None, *, is_rekeyed: bool) -> _Sinks:
        """Return the sinks, those that bind after a try.

        Raises:
            ConfigError: a URL names none, two are the same, or another program has an address.
        """
        made = dict(zip(config.sinks, make_sinks(config, keyring, self._notices).items(), strict=True))
        kept = {
            url: self._names[url]
            for url in config.sinks
            if url in self._names and not (is_rekeyed and _asks_for_keys(parse_sink(url)))
        }
        new = {url: made[url] for url in config.sinks if url not in kept}
        leaving = {_place(url) for url in self._names if url not in kept}
        for url, (name, sink) in new.items():
            if name in kept.values():
                raise ConfigError(Problem(f"{name} is named twice", "sinks"))
            if parse_sink(url).bind and _place(url) not in leaving:
                try:
                    bind_for_a_moment(name, sink)
                except FatalError as error:
                    raise ConfigError(Problem(str(error), "sinks")) from None
        names = {url: kept[url] if url in kept else new[url][0] for url in config.sinks}
        return _Sinks(names, {url: sink for url, (_, sink) in new.items()})

    def _hot(self, config: Config, now: list[str]) -> dict[str, object]:
        """Return what the painter is to do otherwise, paintings by their names.

        Raises:
            ConfigError: a painting cannot be used.
        """
        gallery = self._pipeline.gallery
        keys = [key.partition(".")[2] for key in now if key.startswith("paint.")]
        hot = {key: getattr(config.paint, key) for key in keys}
        for key in set(PAINTINGS) & set(keys):
            try:
                hot[key] = renamed(hot[key], gallery.admit)
            except PictureError as error:
                raise ConfigError(Problem(str(error), f"paint.{key}")) from None
        return hot

    def _repaint(self, hot: dict[str, object]) -> None:
        try:
            self._pipeline.control.change(hot)
        except ChangeError as error:
            problems = (problem.partition(": ") for problem in error.problems)
            raise ConfigError(*(Problem(reason, f"paint.{name}") for name, _, reason in problems)) from None

    def _let_in(self, keyring: Keyring | None, allowed: Mapping[str, PublicKeys]) -> None:
        """Let in who may come now, nobody else."""
        self._keyring = keyring
        if keyring is not None:
            keyring.feeders.replace(allowed["feeders"])
            keyring.viewers.replace(allowed["viewers"])

    def _exchange_sinks(self, sinks: _Sinks) -> None:
        last, self._names = self._names, dict(sinks.names)
        if not sinks.new and last.keys() == sinks.names.keys():
            return
        kept = [name for url, name in sinks.names.items() if url not in sinks.new]
        leaving = {_place(url): name for url, name in last.items() if name not in kept}
        self._pipeline.exchange_sinks(
            {sinks.names[url]: sink for url, sink in sinks.new.items()},
            kept=kept,
            after={sinks.names[url]: leaving[_place(url)] for url in sinks.new if _place(url) in leaving},
        )


def _differs(key: str, one: Config, other: Config) -> bool:
    return bool(value_of(one, key) != value_of(other, key))


def _is_hot(key: str) -> bool:
    return reload_of(KEYS[key]) == "hot"


def _waits(key: str, *, is_film: bool) -> bool:
    """Return whether a setting takes effect at the next start. A film is read to its end, whatever is to come then."""
    return reload_of(KEYS[key]) == "restart" or (is_film and _is_of_source(key))


def _is_of_source(key: str) -> bool:
    return key == "source" or (key.startswith("input.") and reload_of(KEYS[key]) == "reconnect")


def _asks_for_keys(url: Url) -> bool:
    return asks_for_keys(url, has_key=True)


def _allowed(keyring: Keyring | None) -> Mapping[str, PublicKeys]:
    """Return who may come in now, by the files that are there.

    Raises:
        ConfigError: a file holds no key.
    """
    if keyring is None:
        return {}
    try:
        return {"feeders": keyring.feeders.read(), "viewers": keyring.viewers.read()}
    except KeyFileError as error:
        raise ConfigError(Problem(str(error), "security")) from None


def _place(url: str) -> str:
    """Return what two sinks cannot have at the same time: a port, a path, a device, a stream of a server."""
    found = parse_sink(url)
    tcp = TCP.fullmatch(found.address)
    return tcp[2] if tcp and found.bind else found.address
