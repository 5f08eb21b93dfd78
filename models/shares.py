"""Gives each term its share: "weights such that each term contributes at least five percent of the cost" (the paper).

The weights of the settings are multiplied by boosts, which are found from what the terms were where a descent ended:
terms that are large keep their weights, those that are small are raised. So it costs no look of its own at the picture,
but for a descent of which nothing is known, the first one of a scene, which looks up a few times on its way. Later ones
change the boosts by little, so that a picture does not pump.
"""

import math
from collections.abc import Sequence
from typing import Protocol, TypeGuard, runtime_checkable

from torch import Tensor

from models.objective import Boosts, Terms

AIM = 0.08
"""The least share that is aimed at, so that what moves around it stays above five percent."""
RAISED, LOWERED = 0.5, 0.1
"""How much of the way up or down to its aim, in octaves, a boost goes with a frame."""
FAR = 4.0
"""A boost that is to become so many times larger does so at once: the weights of the settings were far off."""
LEAST = (1e-2, 1e-3, 1e-4, 1e-4)
"""A term that is less than this at weight 1 is raised as if it were this: a flat picture has no variation, and one that
was moved without error no temporal term, whatever they weigh. Such a term stays below its share. The more the temporal
term weighs the smaller it gets: at an error of 0.01 it is held to be steady enough, as the picture would freeze."""
PAUSES = frozenset((1, 8, 24, 56, 120, 248, 504))
"""After so many iterations a descent of which nothing is known looks up."""


@runtime_checkable
class Boostable(Protocol):
    """An energy whose terms can be given other weights."""

    @property
    def weights(self) -> Boosts:
        """What the terms weigh by the settings, in the order of `Boosts`; 0: there is no such term."""
        ...

    @property
    def boosts(self) -> Boosts:
        """What these are multiplied by."""
        ...

    @property
    def in_shares(self) -> bool:
        """Whether each term shall have its share."""
        ...

    def boosted(self, boosts: Boosts) -> "Boostable":
        """Return the same energy with these boosts instead."""
        ...

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        """Return the terms at `image` and the gradient of their sum."""
        ...


def keeps_shares(energy: object) -> TypeGuard[Boostable]:
    """Return whether each term of this energy shall have its share."""
    return isinstance(energy, Boostable) and energy.in_shares


def adjusted(energy: Boostable, terms: Terms, *, at_once: bool) -> Boosts:
    """Return the boosts to go on with, after `terms`, on the CPU, was what became of a descent on `energy`.

    Args:
        energy: what was descended.
        terms: the last ones that are known.
        at_once: nothing was known before, so go all the way.
    """
    values = [float(term) for term in (terms.content, terms.style, terms.variation, terms.temporal)]
    if not all(math.isfinite(value) for value in values):
        return energy.boosts
    plain = [value / boost for value, boost in zip(values, energy.boosts, strict=True)]
    found = [
        _toward(boost, aim, at_once=at_once) if weight else boost
        for boost, aim, weight in zip(energy.boosts, _aims(plain, energy.weights), energy.weights, strict=True)
    ]
    return found[0], found[1], found[2], found[3]


def _aims(terms: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the boosts with which each term has its share, none of them below 1, if the picture stays as it is.

    The terms that are too small get `AIM` each, so that the others, as they are, are the rest of the whole.
    """
    present = {place for place, weight in enumerate(weights) if weight}
    small: set[int] = set()
    while True:
        whole = sum(terms[place] for place in present - small) / (1 - AIM * len(small))
        smaller = {place for place in present - small if terms[place] < AIM * whole}
        if not smaller:
            break
        small |= smaller
    least = [weight * each for weight, each in zip(weights, LEAST, strict=True)]
    return [max(1.0, AIM * whole / max(terms[i], least[i])) if i in small else 1.0 for i in range(len(terms))]


def _toward(boost: float, aim: float, *, at_once: bool) -> float:
    if at_once or aim > FAR * boost:
        return aim
    return boost * math.pow(aim / boost, RAISED if aim > boost else LOWERED)
