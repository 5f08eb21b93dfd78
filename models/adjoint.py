"""The energy of `models.objective` with its gradient written out: the fast twin of that file.

One iteration is one walk up the network and one walk down. On the way up each convolution is fused with its ReLU. On
the way down

* the gradient of a convolution is a convolution with the flipped, transposed kernel;
* the gradient of a style layer, 4 w / (J^2 I) F (G - A), is one matrix product on the channels-last view, added to
  the gradient that comes from above in the same call;
* a ReLU lets the gradient through where its output is positive. Below a pooling of the largest this is asked of the
  pooled maps, a quarter of the pixels: the largest of four is positive, or there is no gradient. Below a pooling of
  means it is asked of every pixel.

Maps and their gradients are in the network's precision; sums over pixels and everything at the image are wider.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.kernels import Kernels, Pooled
from models.losses import temporal_loss, total_variation, widen
from models.objective import EVEN, Boosts, Objective, Terms
from models.pixel_terms import temporal_gradient, variation_gradient
from models.vgg import starts_block
from models.weights import CONVOLUTIONS


@dataclass(frozen=True, slots=True, eq=False)
class Aims:
    """What a picture is measured against: every tensor that may be another one for the next frame."""

    features: dict[str, Tensor]
    """Of the frame, by content layer."""
    content: dict[str, Tensor]
    """What each content layer's eq. 4 weighs in all, scalars."""
    grams: dict[str, Tensor]
    """Of the painting, by style layer."""
    style: dict[str, Tensor]
    """What each style layer's eq. 5 weighs in all, scalars."""
    variation: Tensor
    """What eq. 6 weighs, a scalar."""
    temporal: Tensor
    """What eq. 7 weighs, a scalar."""
    warped: Tensor | None
    """The painted neighbors in present coordinates, N x 3 x H x W."""
    visible: Tensor | None
    """Where they are valid, N x 1 x H x W."""

    def tensors(self) -> Iterator[Tensor]:
        """Yield them all, always in the same order."""
        for layers in (self.features, self.content, self.grams, self.style):
            yield from layers.values()
        yield from (self.variation, self.temporal)
        yield from (tensor for tensor in (self.warped, self.visible) if tensor is not None)

    def reweighed(self, content: float, style: float, variation: float, temporal: float) -> "Aims":
        """Return the same with the weights of the terms multiplied by these."""
        return replace(
            self,
            content={name: weight * content for name, weight in self.content.items()},
            style={name: weight * style for name, weight in self.style.items()},
            variation=self.variation * variation,
            temporal=self.temporal * temporal,
        )

    def copy(self) -> "Aims":
        """Return the same in memory of its own."""

        def copied(layers: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: tensor.clone() for name, tensor in layers.items()}

        return Aims(
            copied(self.features),
            copied(self.content),
            copied(self.grams),
            copied(self.style),
            self.variation.clone(),
            self.temporal.clone(),
            None if self.warped is None else self.warped.clone(),
            None if self.visible is None else self.visible.clone(),
        )


class AdjointObjective:
    """An `Objective` whose energies know their gradient. Make it once per network, ask it for each frame."""

    def __init__(self, objective: Objective, *, kernels: Kernels | None = None) -> None:
        self.objective = objective
        self.kernels = kernels or Kernels(objective.network, max(objective.layers, key=CONVOLUTIONS.index))
        network = objective.network
        wide = torch.promote_types(network.dtype, torch.float32)
        self._weights = torch.tensor(objective.balance.weights, dtype=wide, device=network.device)

    def restyled(self, objective: Objective) -> "AdjointObjective":
        """Return the energy of another painting or balance, with the same network, layers and packed kernels."""
        return AdjointObjective(objective, kernels=self.kernels)

    def seen(self, frame: Tensor) -> Tensor:
        """Return a frame in the colors in which it is painted; see `Objective.seen`."""
        return self.objective.seen(frame)

    def at(self, content: Tensor, *, warped: Tensor | None = None, visible: Tensor | None = None) -> "AdjointEnergy":
        """Return the energy for one frame; see `Objective.at`."""
        names, wanted = self.kernels.names, self.objective.content_layers
        maps, found = self.enter(self.seen(content)), dict[str, Tensor]()
        with torch.inference_mode():
            for name in names[: max(names.index(name) for name in wanted) + 1]:
                if starts_block(name) and name != names[0]:
                    maps = self.kernels.pool(maps)
                maps = self.kernels.up[name](maps)
                if name in wanted:
                    found[name] = maps
        if not self.objective.balance.temporal:
            warped = visible = None
        return AdjointEnergy(self, self._aims(found, warped, visible))

    def _aims(self, targets: dict[str, Tensor], warped: Tensor | None, visible: Tensor | None) -> Aims:
        content, style, variation, temporal = self._weights.unbind()
        scale, scales = self.objective.content_scale, self.objective.style_scales
        return Aims(
            features=targets,
            content={name: content * scale(name, target) for name, target in targets.items()},
            grams=self.objective.style.grams,
            style={name: style * each for name, each in scales.items()},
            variation=variation,
            temporal=temporal,
            warped=warped,
            visible=visible,
        )

    def enter(self, image: Tensor) -> Tensor:
        """Return what the first convolution takes: normalized, in the network's precision and layout."""
        network = self.objective.network
        return (image - network.mean).to(network.dtype, memory_format=torch.channels_last)


class AdjointEnergy:
    """E for one frame: a function of the picture that gives its gradient along with its value."""

    def __init__(self, fast: AdjointObjective, aims: Aims, *, boosts: Boosts = EVEN) -> None:
        self._fast = fast
        self.aims = aims
        self.boosts = boosts

    def aimed_at(self, aims: Aims) -> "AdjointEnergy":
        """Return the same function of the picture and of other aims of the same shapes."""
        return AdjointEnergy(self._fast, aims, boosts=self.boosts)

    @property
    def weights(self) -> Boosts:
        """What the terms weigh by the balance; 0: there is no such term."""
        content, style, variation, temporal = self._fast.objective.balance.weights
        return content, style, variation, 0.0 if self.aims.warped is None else temporal

    @property
    def in_shares(self) -> bool:
        """Whether each term shall have its share."""
        return self._fast.objective.balance.in_shares

    def boosted(self, boosts: Boosts) -> "AdjointEnergy":
        """Return the same energy with its weights multiplied by these."""
        factors = tuple(new / old for new, old in zip(boosts, self.boosts, strict=True))
        return AdjointEnergy(self._fast, self.aims.reweighed(*factors), boosts=boosts)

    @property
    def signature(self) -> Hashable:
        """What two energies have in common if they compute the same with their aims."""
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in self.aims.tensors())
        layers = tuple(self.aims.features), tuple(self.aims.grams)
        penalty = self._fast.objective.penalty
        return self._fast.kernels, penalty, layers, self.aims.warped is not None, shapes

    @torch.inference_mode()
    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        """Return the terms at `image` and the gradient of their sum, both as `Energy.value_and_grad`."""
        kernels = self._fast.kernels
        maps, pooled = self._up(image)
        content, style = image.new_zeros(()), image.new_zeros(())
        gradient = torch.zeros_like(maps[kernels.names[-1]])
        for name in reversed(kernels.names):
            features = maps[name]
            is_masked = name in pooled and kernels.pooling == "max"
            if name in pooled:
                gradient = kernels.spread(gradient, features, pooled[name])
            if name in self.aims.grams:
                value, gradient = self._style(name, features, gradient)
                style, is_masked = style + value, False
            if name in self.aims.features:
                value, gradient = self._content(name, features, gradient)
                content, is_masked = content + value, False
            if not is_masked:
                gradient = torch.ops.aten.threshold_backward(gradient, features, 0)
            gradient = kernels.down[name](gradient)
        return self._with_pixel_terms(image, gradient, content, style)

    def _up(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Pooled]]:
        """Return all maps after their ReLU; and by the layer below each pooling, what is needed on the way down."""
        maps, pooled = dict[str, Tensor](), dict[str, Pooled]()
        current, below = self._fast.enter(image), ""
        for name in self._fast.kernels.names:
            if starts_block(name) and below:
                current, pooled[below] = self._fast.kernels.pool_to_return(current)
            current = maps[name] = self._fast.kernels.up[name](current)
            below = name
        return maps, pooled

    def _style(self, name: str, features: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return a style layer's weighed term (eq. 5), and the gradient at the layer's output with its share."""
        rows = _pixels_by_maps(features)
        pixels, maps = rows.shape
        difference = widen(rows.T @ rows) / pixels - self.aims.grams[name][0]
        weight = self.aims.style[name]
        factor = (difference * (4 * weight / (maps * maps * pixels))).to(features.dtype)
        share = _pixels_by_maps(gradient).addmm_(rows, factor)
        return weight * difference.square().mean(), _as_maps(share, features)

    def _content(self, name: str, features: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return a content layer's weighed term (eq. 4), and the gradient at the layer's output with its share."""
        weight = self.aims.content[name]
        difference = features - self.aims.features[name]
        value = weight * widen(difference).square().mean()
        share = difference.mul_((2 * weight / features.numel()).to(features.dtype))
        return value, share.add_(gradient)

    def _with_pixel_terms(
        self, image: Tensor, gradient: Tensor, content: Tensor, style: Tensor
    ) -> tuple[Terms, Tensor]:
        """Return everything together with the terms that look at pixels, in the image's precision."""
        aims, penalty = self.aims, self._fast.objective.penalty
        total = widen(gradient).to(image.dtype, memory_format=torch.contiguous_format)
        total = total + aims.variation * variation_gradient(image)
        temporal = image.new_zeros(())
        if aims.warped is not None and aims.visible is not None:
            temporal = aims.temporal * temporal_loss(image, aims.warped, aims.visible, penalty=penalty)
            total = total + temporal_gradient(image, aims.warped, aims.visible, aims.temporal, penalty=penalty)
        variation = aims.variation * total_variation(image)
        return Terms(content=content, style=style, variation=variation, temporal=temporal), total


def _pixels_by_maps(maps: Tensor) -> Tensor:
    """Return a view of channels-last maps, 1 x J x H x W, as a matrix: I pixels x J maps."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _as_maps(rows: Tensor, like: Tensor) -> Tensor:
    """Return the view that undoes `_pixels_by_maps`."""
    height, width = like.shape[-2:]
    return rows.view(1, height, width, -1).permute(0, 3, 1, 2)
