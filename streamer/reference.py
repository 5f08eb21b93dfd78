"""Every key with its default, made from the models that define them: as a settings file, and as a page to read."""

import json
import textwrap
from collections.abc import Mapping

from pydantic.fields import FieldInfo

from streamer.section import word_for_none
from streamer.settings import KEYS, SECTIONS, allowed, reload_of

INTRODUCTION = """\
Settings of deepmovie. Each key stands here with its default, commented out; take the "#" away to change it.

A value on the command line (--fps 5, --set input.stall_timeout_s=2) comes before the environment
(DEEPMOVIE_INPUT__STALL_TIMEOUT_S=2), which comes before this file. "deepmovie check -c FILE" shows what is in
effect and why.

A password belongs elsewhere: "rtsp://joe:${CAMERA_PASSWORD}@camera/live" takes it from a credential of systemd
(LoadCredential=CAMERA_PASSWORD:FILE) or else from the environment. "$${" is a "${" of its own.

SIGHUP ("systemctl reload") and POST /api/v1/reload read this file again while the stream goes on. [hot] takes effect
with the next frame, [reconnect] as soon as the source or the sink was closed and opened again, [restart] when the
daemon is started again. A file with a mistake in it changes nothing."""

PAGE = """\
# Settings

Made by `deepmovie schema --markdown`. A value on the command line (`--set input.stall_timeout_s=2`) comes before the
environment (`DEEPMOVIE_INPUT__STALL_TIMEOUT_S=2`), which comes before the file (`-c FILE`). `deepmovie check -c FILE`
shows what is in effect and why; `deepmovie check --template` prints a file to begin with, `deepmovie schema` a JSON
schema for editors.

## Secrets

`${NAME}` in a value stands for a secret that is kept elsewhere: in a credential of systemd
(`LoadCredential=NAME:/etc/deepmovie/secret`), or else in the environment. It is put in when the settings are read, in
the login and the query of a URL percent-encoded, and masked from then on wherever it turns up: log, page, API, metrics,
errors. A secret that is missing stops the start, and so does a file that others can read. `$${` means `${` itself.

## When a change takes effect

SIGHUP (`systemctl reload deepmovie@door`) and `POST /api/v1/reload` read the file again while the stream goes on, with
the same environment and command line. The whole file is checked first: a mistake changes nothing, and is told in the
log, in `/metrics` and in the answer. Only what differs between the two versions of the file is touched, so what people
changed on the page stays until the file says otherwise. Key files are read again, too.

* **hot**: with the next frame.
* **reconnect**: the source, or those sinks that differ, are closed and opened again; all else goes on. A film is read
  to its end, so there it takes a restart.
* **restart**: when the daemon is started again; the log names such keys as `restart_needed`.
"""


def reference() -> str:
    """Return the text of ``systemd/deepmovie.toml``."""
    parts = [_comment(INTRODUCTION)]
    parts += [_entry(key, field) for key, field in KEYS.items() if "." not in key]
    for section, model in SECTIONS.items():
        parts.append(f"{_comment(model.__doc__ or '')}\n[{section}]")
        parts += [_entry(name, field) for name, field in model.model_fields.items()]
    return "\n\n".join(parts) + "\n"


def page() -> str:
    """Return the text of ``docs/settings.md``."""
    parts = [PAGE, "## Keys", _table({key: field for key, field in KEYS.items() if "." not in key})]
    for section, model in SECTIONS.items():
        fields = {f"{section}.{name}": field for name, field in model.model_fields.items()}
        parts += [f"### {section}", (model.__doc__ or "").strip().replace("``", "`"), _table(fields)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _table(fields: Mapping[str, FieldInfo]) -> str:
    rows = [
        (f"`{key}`", field.description or "", allowed(field), f"`{as_toml(field.default, field)}`", reload_of(field))
        for key, field in fields.items()
    ]
    cells = [("key", "what", "takes", "default", "change"), ("---",) * 5, *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in cells)


def as_toml(value: object, field: FieldInfo) -> str:
    """Return the value of the setting ``field`` as TOML writes it, a word for None."""
    return json.dumps(word_for_none(field) if value is None else value, ensure_ascii=False)


def _entry(name: str, field: FieldInfo) -> str:
    values = "" if _speaks_for_itself(field) else f" ({allowed(field)})"
    return (
        f"{_comment(f'{field.description}{values} [{reload_of(field)}]')}\n# {name} = {as_toml(field.default, field)}"
    )


def _speaks_for_itself(field: FieldInfo) -> bool:
    return field.annotation is str or isinstance(field.default, tuple)


def _comment(text: str) -> str:
    lines = [line for paragraph in text.split("\n") for line in textwrap.wrap(paragraph, 117) or [""]]
    return "\n".join(f"## {line}".rstrip() for line in lines)
