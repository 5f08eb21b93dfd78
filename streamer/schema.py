"""The settings as a JSON schema: what an editor needs to complete and check a file while it is written."""

import json
from typing import Any

from pydantic.fields import FieldInfo

from streamer.config import Config
from streamer.section import word_for_none
from streamer.settings import KEYS, SECTIONS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the schema of a settings file; ``reload`` of each key says when a change takes effect."""
    made = Config.model_json_schema()
    for key, field in KEYS.items():
        section, _, name = key.rpartition(".")
        table = made["$defs"][SECTIONS[section].__name__] if section else made
        table["properties"][name] = _as_people_write(table["properties"][name], field)
    for section in SECTIONS:
        del made["properties"][section]["default"]  # it is that of its keys
    return {"$schema": DIALECT, **made, "title": "Settings of deepmovie"}


def as_json() -> str:
    """Return the schema as text."""
    return json.dumps(schema(), indent=2, ensure_ascii=False)


def _as_people_write(found: dict[str, Any], field: FieldInfo) -> dict[str, Any]:
    """Return what a key takes in a file: a word for None, which TOML does not know; a text for a list of one."""
    if field.default is None:
        word = word_for_none(field)
        kinds = [{"const": word} if kind == {"type": "null"} else kind for kind in found["anyOf"]]
        return {**found, "anyOf": kinds, "default": word}
    if isinstance(field.default, tuple):
        rest = {name: value for name, value in found.items() if name not in ("type", "items")}
        return {**rest, "anyOf": [{"type": "array", "items": found["items"]}, found["items"]]}
    return found
