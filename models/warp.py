"""Moves pictures along the optical flow. The only home of coordinate conventions.

A flow is 1 x 2 x H x W, (dx, dy) in pixels, x to the right and y down: the pixel p of *origin* lies at p + flow(p) in
*target*. Pixel centers have whole coordinates. To bring the last painting to the present frame, use the flow from the
present frame (origin) to the last one (target).
"""

import torch
from torch import Tensor


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Return `image`, given in target coordinates, as seen from origin: out(p) = image(p + flow(p)).

    Bilinear, in pixel coordinates and not in ``grid_sample``'s normalized ones, so that a zero flow is the identity
    bit for bit and a whole-pixel flow moves exactly. What lies outside is taken from the nearest edge.

    Args:
        image: B x C x H x W.
        flow: 1 x 2 x H x W.

    Returns:
        B x C x H x W.
    """
    batch, channels, height, width = image.shape
    x, y = _positions(flow)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = x.floor().clamp(max=max(width - 2, 0)), y.floor().clamp(max=max(height - 2, 0))
    right_share, bottom_share = x - left, y - top
    corner = (top * width + left).long().flatten()
    step_x, step_y = int(width > 1), width * int(height > 1)
    pixels = image.flatten(2)

    def corners(offset: int) -> Tensor:
        return pixels.index_select(2, corner + offset).view(batch, channels, height, width)

    upper = torch.lerp(corners(0), corners(step_x), right_share.to(image.dtype))
    lower = torch.lerp(corners(step_y), corners(step_y + step_x), right_share.to(image.dtype))
    return torch.lerp(upper, lower, bottom_share.to(image.dtype))


def visible_mask(there: Tensor, back: Tensor) -> Tensor:
    """Return which pixels of origin are also seen in target, by the forward-backward check.

    A pixel that follows `there` and then `back` must come home. The tolerance grows with the length of the flow, as in
    Sundaram, Brox and Keutzer (2010): |there + back|^2 < 0.01 (|there|^2 + |back|^2) + 0.5. What leaves the picture is
    not visible.

    Args:
        there: flow from origin to target, 1 x 2 x H x W.
        back: flow from target to origin, 1 x 2 x H x W.

    Returns:
        1 x 1 x H x W, bool.
    """
    height, width = there.shape[-2:]
    back_home = warp(back, there)
    astray = (there + back_home).square().sum(1, keepdim=True)
    length = there.square().sum(1, keepdim=True) + back_home.square().sum(1, keepdim=True)
    x, y = _positions(there)
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return (astray < 0.01 * length + 0.5) & inside


def _positions(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each pixel of origin lies in target: x and y, each H x W."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)
    return x + flow[0, 0], y[:, None] + flow[0, 1]
