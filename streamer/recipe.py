"""Which paintings the settings name, and how much of each they ask for."""

from collections.abc import Callable, Mapping

from streamer.paint import Hot

PAINTINGS = ("style", "blend", "mix")
"""The settings that name paintings."""


def recipe(hot: Hot) -> Mapping[str, float]:
    """Return the share of each painting, by name: all above 0, and together 1.

    The first painting and its blend weigh 1 together, each further one its own weight.
    """
    weights: dict[str, float] = {}
    blend_weight = 0.0 if hot.blend is None else hot.blend_weight
    parts = ((hot.style, 1 - blend_weight), (hot.blend, blend_weight), *map(_parted, hot.mix))
    for name, weight in parts:
        if name is not None and weight:
            weights[name] = weights.get(name, 0.0) + weight
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def names(value: object) -> tuple[str, ...]:
    """Return the paintings that a setting of `Hot` names."""
    if isinstance(value, tuple):
        return tuple(_parted(part)[0] for part in value)
    return () if value is None else (str(value),)


def renamed(value: object, rename: Callable[[str], str]) -> object:
    """Return the value of a setting in which each painting has another name."""
    if isinstance(value, tuple):
        return tuple(f"{rename(name)}={weight}" for name, _, weight in (part.rpartition("=") for part in value))
    return None if value is None else rename(str(value))


def _parted(part: str) -> tuple[str, float]:
    name, _, weight = part.rpartition("=")
    return name, float(weight)
