"""The files that the settings of painting name: paintings, weights, networks, a mask."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from streamer.paint import Paint

UNUSED = ("fps", "fade_s", "lag", "styles_folder", "iterations", "size")
"""Settings of painting that films do not heed, or that a job has of its own."""


def files_named(paint: Paint) -> dict[str, Path]:
    """Return the files that the settings name, by the name there."""
    values = paint.model_dump(exclude=set(UNUSED)).values()
    parted = (_parted(text, _is_file) for value in values for text in _texts(value))
    return {each[1]: Path(each[1]).expanduser() for each in parted if each}


def with_files(paint: Paint, places: Mapping[str, Path]) -> Paint:
    """Return the settings with other places for the files that they name."""

    def moved(value: Any) -> Any:  # noqa: ANN401 - each setting has a type of its own
        if isinstance(value, tuple):
            return tuple(moved(item) for item in value)
        parted = _parted(value, lambda name: name in places) if isinstance(value, str) else None
        return value if parted is None else f"{parted[0]}{places[parted[1]]}{parted[2]}"

    return Paint.model_validate({key: moved(value) for key, value in paint.model_dump().items()})


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of each file.

    Raises:
        OSError: one cannot be read.
    """
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def _parted(text: str, is_name: Callable[[str], bool]) -> tuple[str, str, str] | None:
    """Return what stands before a file's name, the name, and what stands behind it; None if there is no file.

    A painting may have a weight behind it (storm.jpg=0.5), a network its kind before it (onnx:flow.onnx#range=0..255).
    """
    if is_name(text):
        return "", text, ""
    name, sign, weight = text.rpartition("=")
    if sign and is_name(name):
        return "", name, sign + weight
    kind, colon, rest = text.partition(":")
    name, number, options = rest.partition("#")
    return (kind + colon, name, number + options) if colon and is_name(name) else None


def _is_file(name: str) -> bool:
    try:
        return bool(name) and Path(name).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # as no file's name can be
        return False


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        yield from (text for item in value for text in _texts(item))
