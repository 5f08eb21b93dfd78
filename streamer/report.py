"""The effective settings, shown: each with its value, passwords masked, and where it comes from."""

import json

from streamer.redaction import presentable
from streamer.reference import as_toml
from streamer.settings import KEYS, Loaded


def as_table(loaded: Loaded) -> str:
    """Return three columns for people: key, value as TOML, origin."""
    rows = [(key, as_toml(presentable(value), KEYS[key]), origin) for key, value, origin in loaded.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}" for key, value, origin in rows)


def as_json(loaded: Loaded) -> str:
    """Return an object: dotted key -> ``{"value": ..., "origin": ...}``; null is ``auto`` or ``none``."""
    rows = {key: {"value": presentable(value), "origin": origin} for key, value, origin in loaded.items()}
    return json.dumps(rows, indent=2, ensure_ascii=False)
