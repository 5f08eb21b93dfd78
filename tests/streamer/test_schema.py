"""What editors and readers are told of the settings: the whole truth."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from streamer.cli import main
from streamer.reference import page, reference
from streamer.schema import schema
from streamer.settings import KEYS, SECTIONS, reload_of

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
TEMPLATE = tomllib.loads("\n".join(line.removeprefix("# ") for line in reference().splitlines()))


def of_key(key: str) -> dict[str, Any]:
    """Return what the schema says of a setting."""
    section, _, name = key.rpartition(".")
    made = schema()
    table = made["$defs"][SECTIONS[section].__name__] if section else made
    found: dict[str, Any] = table["properties"][name]
    return found


@pytest.mark.parametrize("key", KEYS)
def test_the_schema_knows_each_setting_with_its_meaning_its_default_and_when_a_change_takes_effect(key: str) -> None:
    found = of_key(key)
    assert found["description"] == KEYS[key].description
    assert found["reload"] == reload_of(KEYS[key])
    section, _, name = key.rpartition(".")
    assert found["default"] == (TEMPLATE[section] if section else TEMPLATE)[name]


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == schema()
    jsonschema_rs.meta.validate(printed)


def test_a_file_with_every_default_fits_the_schema() -> None:
    jsonschema_rs.validate(schema(), TEMPLATE)


@pytest.mark.parametrize(
    "settings",
    [
        {"sinks": "null:"},
        {"sinks": ["null:", "painted.mp4"]},
        {"paint": {"size": 640, "blend": "storm"}},
        {"paint": {"size": "auto", "blend": "none"}},
    ],
)
def test_what_people_write_fits_the_schema(settings: dict[str, object]) -> None:
    jsonschema_rs.validate(schema(), settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"colour": "red"},
        {"paint": {"fsp": 5}},
        {"paint": {"fps": 1000}},
        {"paint": {"size": "large"}},
        {"paint": {"color": "blue"}},
        {"paint": 3},
        {"once": "perhaps"},
        {"sinks": [5]},
    ],
)
def test_what_the_daemon_refuses_does_not_fit_the_schema(settings: dict[str, object]) -> None:
    assert not jsonschema_rs.is_valid(schema(), settings)


def test_each_setting_says_when_a_change_takes_effect() -> None:
    assert {reload_of(field) for field in KEYS.values()} == {"hot", "reconnect", "restart"}
    told = re.findall(r"\[(hot|reconnect|restart)\]\n# (\w+) = ", reference())
    assert told == [(reload_of(field), key.rpartition(".")[2]) for key, field in KEYS.items()]


def test_the_page_of_all_settings_is_that_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert PAGE.read_text() == page(), "run: deepmovie schema --markdown > docs/settings.md"
    assert main(["schema", "--markdown"]) == 0
    assert capsys.readouterr().out == page()
    assert re.findall(r"^\| `([a-z_.]+)` ", page(), re.MULTILINE) == list(KEYS)
