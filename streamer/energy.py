"""What frames are painted towards: the energy that the settings ask for, of a look."""

from collections.abc import Iterable

from models.adjoint import AdjointObjective
from models.look import Look
from models.objective import Balance, Objective
from models.vgg import VGG
from streamer.paint import Hot, Method, Paint


def make_objective(network: VGG, look: Look, paint: Paint) -> AdjointObjective:
    """Return the energy of a look, which was taken from these `style_layers`."""
    return AdjointObjective(readable_objective(network, look, paint))


def readable_objective(network: VGG, look: Look, paint: Paint) -> Objective:
    """Return the same in its readable form; another fast one can take its place, and keeps its packed kernels."""
    return Objective(
        network,
        look.style,
        balance=balance_of(paint, paint),
        content_layers=weights_of(paint.content_layers),
        style_weights=weights_of(paint.style_layers),
        penalty=paint.temporal_loss,
    )


def balance_of(method: Method, hot: Hot) -> Balance:
    """Return what each term weighs: the weights of the start, and the knobs of now."""
    return Balance.of(
        hot.style_strength,
        hot.steadiness,
        content=method.content_weight,
        style=method.style_weight,
        variation=method.variation_weight,
        temporal=method.temporal_weight,
        in_shares=method.balance == "shares",
    )


def style_layers(paint: Paint) -> tuple[str, ...]:
    """Return the names of the layers that hold the painting."""
    return tuple(weights_of(paint.style_layers))


def weights_of(layers: Iterable[str]) -> dict[str, float]:
    """Return the weights of layers by their names, of texts like ``conv3_2=0.5``."""
    parted = (layer.partition("=") for layer in layers)
    return {name: float(weight or 1) for name, _, weight in parted}
