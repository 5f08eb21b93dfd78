"""The gradients of the terms that look at pixels, not at maps, written out."""

import torch
from torch import Tensor

from models.losses import ROBUST_FROM, Penalty


def variation_gradient(image: Tensor) -> Tensor:
    """Return the gradient of `total_variation`, of image's shape."""
    right = image[..., :, 1:] - image[..., :, :-1]
    down = image[..., 1:, :] - image[..., :-1, :]
    gradient = torch.zeros_like(image)
    right, down = right * (2 / right.numel()), down * (2 / down.numel())
    gradient[..., :, 1:] += right
    gradient[..., :, :-1] -= right
    gradient[..., 1:, :] += down
    gradient[..., :-1, :] -= down
    return gradient


def temporal_gradient(
    image: Tensor, warped: Tensor, visible: Tensor, weight: float | Tensor = 1.0, *, penalty: Penalty = "squared"
) -> Tensor:
    """Return the gradient of so many times `temporal_loss`, of image's shape; the arguments are those of that."""
    pull = image - warped
    if penalty == "robust":
        pull = pull / (1 + (pull / ROBUST_FROM).square()).sqrt()
    return (weight * 2 / image.numel() * pull * visible).sum(0, keepdim=True)
