"""The paper's energy of a picture, E(x) = content + style + variation (+ temporal), as its readable definition.

This file is the oracle: autograd finds its gradient. `models.adjoint` computes the same faster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from models.histogram import Transfer
from models.losses import Penalty, content_loss, gram_matrix, style_loss, temporal_loss, total_variation, widen
from models.vgg import VGG

Layers = Sequence[str] | Mapping[str, float]
"""Layers of VGG-19; with their weights, or each of weight 1."""

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT_LAYERS = ("conv4_2",)


STEADIEST = 4000.0
"""The weight of the temporal term that is of use, at most. Measured on the built-in scene: it halves the temporal error
for 29 % more energy; a quarter of it takes a quarter away for 5 %; far more leaves it half painted."""


Boosts = tuple[float, float, float, float]
"""What the weights of content, style, variation and temporal term are multiplied by, see `models.shares`."""
EVEN: Boosts = (1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Balance:
    """What each term weighs, after each was divided by its own natural size (see `Objective`)."""

    content: float = 1.0
    style: float = 30.0
    variation: float = 1.0
    temporal: float = 0.0
    in_shares: bool = field(default=False, kw_only=True)
    """Each term that weighs anything shall have its share of the energy; these weights are where that begins."""

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """The weights alone."""
        return self.content, self.style, self.variation, self.temporal

    @classmethod
    def of(
        cls,
        style_strength: float,
        steadiness: float = 0.0,
        *,
        content: float = 1.0,
        style: float = 30.0,
        variation: float = 1.0,
        temporal: float | None = None,
        in_shares: bool = False,
    ) -> "Balance":
        """Return the balance for two knobs.

        Style and content are weighed by the squares of the first knob's two shares, so that 0 is the frame, 1 the
        painting's style alone, and 0.5 the given weights. The second's square weighs the temporal term.

        Args:
            style_strength: the first knob.
            steadiness: the second.
            content: weight at the middle of the first knob, and so `style`: the paper's lambdas.
            style: likewise.
            variation: weight of smoothness, whatever the knobs.
            temporal: weight of the temporal term instead of the second knob.
            in_shares: see there.

        Raises:
            ValueError: a knob is not in 0..1.
        """
        for name, knob in ("style_strength", style_strength), ("steadiness", steadiness):
            if not 0 <= knob <= 1:
                raise ValueError(f"{name} must be in 0..1, got {knob!r}")
        return cls(
            content=content * 4 * (1 - style_strength) ** 2,
            style=style * 4 * style_strength**2,
            variation=variation,
            temporal=STEADIEST * steadiness**2 if temporal is None else temporal,
            in_shares=in_shares,
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """The weighed terms of one energy, each a scalar tensor."""

    content: Tensor
    style: Tensor
    variation: Tensor
    temporal: Tensor

    @property
    def total(self) -> Tensor:
        """E, eq. 3."""
        return self.content + self.style + self.variation + self.temporal


@dataclass(frozen=True, slots=True, eq=False)
class Style:
    """What is kept of a painting: the Gram matrices of its style layers."""

    grams: dict[str, Tensor] = field(repr=False)
    grade: Transfer | None = None
    """What gives a film the painting's colors (section 7.1); None: its frames are painted in their own."""

    @classmethod
    def of(cls, network: VGG, painting: Tensor, layers: Sequence[str] = STYLE_LAYERS) -> "Style":
        """Return the style of `painting`, 1 x 3 x H x W at any size."""
        with torch.no_grad():
            return cls({name: gram_matrix(maps) for name, maps in network(painting, layers).items()})

    def toward(self, other: "Style", share: float) -> "Style":
        """Return the style that is so far on the straight way to `other`, of the same layers."""
        return replace(self, grams={name: gram.lerp(other.grams[name], share) for name, gram in self.grams.items()})

    def seen(self, frame: Tensor) -> Tensor:
        """Return the frame, 1 x 3 x H x W, in the colors in which it is painted."""
        return frame if self.grade is None else self.grade(frame)


class Objective:
    """E for one painting. Make it once per style, ask it for each frame.

    Balance: each style layer's eq. 5 is divided by the mean square of the painting's Gram matrix, each content layer's
    eq. 4 by the mean square of the frame's features; layers are averaged. So 1 means "as far as from nothing at all",
    at every size and for every painting. A layer's weight is a factor of its part of the mean.

    Args:
        network: VGG-19.
        style: the painting's; it knows the style layers.
        balance: of the terms.
        content_layers: those that hold the frame.
        style_weights: of style layers whose weight is not 1.
        penalty: what the flow loss makes of a difference.
    """

    def __init__(
        self,
        network: VGG,
        style: Style,
        *,
        balance: Balance | None = None,
        content_layers: Layers = CONTENT_LAYERS,
        style_weights: Mapping[str, float] | None = None,
        penalty: Penalty = "squared",
    ) -> None:
        self.network = network
        self.style = style
        self.balance = balance or Balance()
        self.content_layers = weighed(content_layers)
        self.style_weights = dict(style_weights or {})
        self.penalty = penalty
        self.layers = (*style.grams, *self.content_layers)
        self.style_scales = {
            name: self.style_weights.get(name, 1.0) / gram.square().mean() / len(style.grams)
            for name, gram in style.grams.items()
        }

    def restyled(self, style: Style, balance: Balance) -> "Objective":
        """Return the energy of another painting and balance, with the same network and layers."""
        return self._with(self.network, style, balance)

    def on(self, network: VGG) -> "Objective":
        """Return the same energy on another network of the same weights: in another precision, on another device."""
        return self._with(network, self.style, self.balance)

    def _with(self, network: VGG, style: Style, balance: Balance) -> "Objective":
        return Objective(
            network,
            style,
            balance=balance,
            content_layers=self.content_layers,
            style_weights=self.style_weights,
            penalty=self.penalty,
        )

    def content_scale(self, name: str, target: Tensor) -> Tensor:
        """Return what makes 1 of eq. 4 if a picture has nothing in a content layer, times the layer's weight."""
        return self.content_layers[name] / mean_square(target) / len(self.content_layers)

    def seen(self, frame: Tensor) -> Tensor:
        """Return a frame, 1 x 3 x H x W, in the colors in which it is painted."""
        return self.style.seen(frame)

    def at(self, content: Tensor, *, warped: Tensor | None = None, visible: Tensor | None = None) -> "Energy":
        """Return the energy for one frame.

        Args:
            content: the frame, 1 x 3 x H x W, RGB in [0, 1].
            warped: the painted neighbors in present coordinates, N x 3 x H x W, for the temporal term: the last
                frame's, and the next one's where that is known; None: no such term.
            visible: where `warped` is valid, N x 1 x H x W.
        """
        with torch.no_grad():
            targets = self.network(self.seen(content), self.content_layers)
        return Energy(self, targets, warped, visible)


class Energy:
    """E for one frame: a function of the picture."""

    def __init__(
        self,
        objective: Objective,
        targets: dict[str, Tensor],
        warped: Tensor | None,
        visible: Tensor | None,
        *,
        boosts: Boosts = EVEN,
    ) -> None:
        self.objective = objective
        self.targets = targets
        self.warped = warped
        self.visible = visible
        self.boosts = boosts

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """What the terms weigh by the balance; 0: there is no such term."""
        *others, temporal = self.objective.balance.weights
        return others[0], others[1], others[2], 0.0 if self.warped is None else temporal

    @property
    def in_shares(self) -> bool:
        """Whether each term shall have its share."""
        return self.objective.balance.in_shares

    def boosted(self, boosts: Boosts) -> "Energy":
        """Return the same energy with its weights multiplied by these."""
        return Energy(self.objective, self.targets, self.warped, self.visible, boosts=boosts)

    def __call__(self, image: Tensor) -> Terms:
        """Return the terms at `image`, 1 x 3 x H x W."""
        content, style, variation, temporal = (
            weight * boost for weight, boost in zip(self.weights, self.boosts, strict=True)
        )
        features = self.objective.network(image, self.objective.layers)
        return Terms(
            content=content * self._content(features),
            style=style * self._style(features),
            variation=variation * total_variation(image),
            temporal=temporal * self._temporal(image),
        )

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        """Return the terms at `image` and the gradient of their sum, 1 x 3 x H x W."""
        variable = image.detach().requires_grad_()
        terms = self(variable)
        (gradient,) = torch.autograd.grad(terms.total, variable)
        return Terms(
            *(term.detach() for term in (terms.content, terms.style, terms.variation, terms.temporal))
        ), gradient

    def _content(self, features: dict[str, Tensor]) -> Tensor:
        scale = self.objective.content_scale
        distances = [
            content_loss(features[name], target) * scale(name, target) for name, target in self.targets.items()
        ]
        return torch.stack(distances).sum()

    def _style(self, features: dict[str, Tensor]) -> Tensor:
        grams, scales = self.objective.style.grams, self.objective.style_scales
        distances = [style_loss(gram_matrix(features[name]), gram) * scales[name] for name, gram in grams.items()]
        return torch.stack(distances).sum()

    def _temporal(self, image: Tensor) -> Tensor:
        if self.warped is None or self.visible is None:
            return image.new_zeros(())
        return temporal_loss(image, self.warped, self.visible, penalty=self.objective.penalty)


def weighed(layers: Layers) -> dict[str, float]:
    """Return layers with their weights."""
    return dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)


def mean_square(features: Tensor) -> Tensor:
    """Return the mean square of `features`, kept above zero: a black frame may have no features at all."""
    return widen(features).square().mean().clamp(min=1e-6)
