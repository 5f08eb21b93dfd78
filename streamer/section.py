"""What every table of the settings is made of: how people write values, and what a changed one takes."""

import json
from typing import Annotated, Final, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from streamer.redaction import text as redacted

AUTO: Final = "auto"
"""How a number that is chosen at the start (None in here) is written by people."""

NONE: Final = "none"
"""How a text that is not there (None in here) is written by people."""

OFF: Final = "off"
"""How a part that can be switched off is, by people."""

HOT: JsonDict = {"reload": "hot"}
RECONNECT: JsonDict = {"reload": "reconnect"}
RESTART: JsonDict = {"reload": "restart"}
"""When a changed value takes effect after the file was read again: with the next frame, as soon as the ends that it is
about were closed and opened again, or when the daemon is started again. Each setting has one of these marks."""


def shown(value: object) -> str:
    """Return ``value`` for a message: short, on one line, without passwords."""
    text = redacted(repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _name_or_path(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError(f"expected a name or a path, got {shown(text)}")
    return text


def as_list(text: str) -> list[object]:
    """Return the list that ``text`` writes (``["a", "b"]``), or else itself as the only item."""
    if not text.startswith("["):
        return [text]
    try:
        items: list[object] = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f'expected one item or a list like ["a", "b"], got {shown(text)}') from None
    return items


NameOrPath = Annotated[str, AfterValidator(_name_or_path)]


def word_for_none(field: FieldInfo) -> str:
    """Return how people write None for ``field``: a number is chosen, a text is not there."""
    return AUTO if {int, float} & set(get_args(field.annotation)) else NONE


class Section(BaseModel):
    """One table of the file: nothing unknown, nothing changed later, no value shown in an exception."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_people_write(cls, value: object, info: ValidationInfo) -> object:
        """Read the word for None and a text as a list where one is due; refuse true and false for a number."""
        field = cls.model_fields[info.field_name or ""]
        if field.default is None and value == word_for_none(field):
            return None
        if isinstance(value, str) and isinstance(field.default, tuple):
            return as_list(value)
        if isinstance(value, bool) and not isinstance(field.default, bool):
            raise PydanticCustomError("not_a_bool", "true and false are for switches")
        return value
