"""The unit as it is installed."""

from pathlib import Path

from streamer.pack import UNIT, shipped
from streamer.places import at, system_place, user_place
from streamer.units import NEEDS_ROOT, unit_text

SHIPPED = shipped()[UNIT].decode()
USER = user_place({"HOME": "/home/joe", "XDG_DATA_HOME": "/home/joe/data"})


def settings(text: str) -> dict[str, str]:
    """Return the directives of a unit; of a repeated one the last."""
    lines = (line.partition("=") for line in text.splitlines() if line[:1].isalpha())
    return {key: value for key, _, value in lines}


def test_the_machines_unit_is_the_shipped_one() -> None:
    assert unit_text(SHIPPED, system_place()) == SHIPPED


def test_another_environment_is_another_command_and_nothing_else() -> None:
    text = unit_text(SHIPPED, at(system_place(), Path("/srv/painter")))
    assert settings(text)["ExecStart"] == "/srv/painter/bin/deepmovie run --config %E/deepmovie/%i.toml"
    changed = [old for old, new in zip(SHIPPED.splitlines(), text.splitlines(), strict=True) if old != new]
    assert len(changed) == 1


def test_a_users_unit_asks_for_nothing_that_needs_root() -> None:
    text = unit_text(SHIPPED, USER)
    needs_root = {key for keys in NEEDS_ROOT.values() for key in keys.split()}
    assert needs_root <= set(settings(SHIPPED)), "a directive that the shipped unit no longer has"
    assert not needs_root & set(settings(text))
    assert all(key in text for key in needs_root), "what is left out is named"


def test_a_users_unit_keeps_everything_else() -> None:
    text = settings(unit_text(SHIPPED, USER))
    for key in ("Type", "WatchdogSec", "Restart", "NoNewPrivileges", "SystemCallFilter", "RestrictAddressFamilies"):
        assert text[key] == settings(SHIPPED)[key]
    assert text["ExecStart"].startswith("/home/joe/data/deepmovie/venv/bin/deepmovie run")
    assert text["WantedBy"] == "default.target"
    assert "HOME=" not in text["Environment"]
