"""The settings file with every key at its default, made from the models that define them."""

import json
import textwrap

from pydantic.fields import FieldInfo

from streamer.config import word_for_none
from streamer.settings import KEYS, SECTIONS, allowed

INTRODUCTION = """\
Settings of deepmovie. Each key stands here with its default, commented out; take the "#" away to change it.

A value on the command line (--fps 5, --set input.stall_timeout_s=2) comes before the environment
(DEEPMOVIE_INPUT__STALL_TIMEOUT_S=2), which comes before this file. "deepmovie check -c FILE" shows what is in
effect and why. A URL with a password belongs into the environment: DEEPMOVIE_SOURCE, DEEPMOVIE_SINKS."""


def reference() -> str:
    """Return the text of ``systemd/deepmovie.toml``."""
    parts = [_comment(INTRODUCTION)]
    parts += [_entry(key, field) for key, field in KEYS.items() if "." not in key]
    for section, model in SECTIONS.items():
        parts.append(f"{_comment(model.__doc__ or '')}\n[{section}]")
        parts += [_entry(name, field) for name, field in model.model_fields.items()]
    return "\n\n".join(parts) + "\n"


def as_toml(value: object, field: FieldInfo) -> str:
    """Return the value of the setting ``field`` as TOML writes it, a word for None."""
    return json.dumps(word_for_none(field) if value is None else value, ensure_ascii=False)


def _entry(name: str, field: FieldInfo) -> str:
    values = "" if _speaks_for_itself(field) else f" ({allowed(field)})"
    return f"{_comment((field.description or '') + values)}\n# {name} = {as_toml(field.default, field)}"


def _speaks_for_itself(field: FieldInfo) -> bool:
    return field.annotation is str or isinstance(field.default, tuple)


def _comment(text: str) -> str:
    lines = [line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, 116) or [""]]
    return "\n".join(f"## {line}".rstrip() for line in lines)
