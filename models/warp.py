"""Moves pictures along the optical flow. The only home of coordinate conventions.

A flow is 1 x 2 x H x W, (dx, dy) in pixels, x to the right and y down: the pixel p of *origin* lies at p + flow(p) in
*target*. Pixel centers have whole coordinates. To bring the last painting to the present frame, use the flow from the
present frame (origin) to the last one (target).
"""

import torch
from torch import Tensor


def warp(image: Tensor, flow: Tensor, *, sharp: bool = False) -> Tensor:
    """Return `image`, given in target coordinates, as seen from origin: out(p) = image(p + flow(p)).

    Works in pixel coordinates and not in ``grid_sample``'s normalized ones, so that a zero flow is the identity bit for
    bit and a whole-pixel flow moves exactly. What lies outside is taken from the nearest edge.

    Args:
        image: 1 x C x H x W.
        flow: 1 x 2 x H x W.
        sharp: cubic (Catmull-Rom) instead of linear interpolation. Strokes that are moved again and again stay crisp;
            the result may overshoot the range of `image` a little.

    Returns:
        1 x C x H x W.
    """
    channels, height, width = image.shape[1:]
    x, y = _positions(flow)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = x.floor(), y.floor()
    weigh = _cubic if sharp else _linear
    columns = [((left + step).clamp(0, width - 1).long(), weight) for step, weight in weigh(x - left)]
    rows = [((top + step).clamp(0, height - 1).long() * width, weight) for step, weight in weigh(y - top)]
    # One pixel's channels beside each other: a gather of rows is ten times as fast as one along the last axis.
    pixels = image[0].flatten(1).T.contiguous()
    moved = torch.zeros_like(pixels)
    for row, row_weight in rows:
        for column, column_weight in columns:
            weight = (row_weight * column_weight).to(image.dtype).reshape(-1, 1)
            moved.addcmul_(pixels.index_select(0, (row + column).flatten()), weight)
    return moved.view(height, width, channels).permute(2, 0, 1)[None].contiguous()


def visible_mask(there: Tensor, back: Tensor) -> Tensor:
    """Return which pixels of origin are also seen in target, by the forward-backward check.

    A pixel that follows `there` and then `back` must come home. The tolerance grows with the length of the flow, as in
    Sundaram, Brox and Keutzer (2010): |there + back|^2 < 0.01 (|there|^2 + |back|^2) + 0.03. Their constant is 0.5,
    which does not notice what slow things reveal: their paint smears over it. What leaves the picture is not visible.

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
    return (astray < 0.01 * length + 0.03) & inside


def _positions(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each pixel of origin lies in target: x and y, each H x W."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)
    return x + flow[0, 0], y[:, None] + flow[0, 1]


def _linear(share: Tensor) -> list[tuple[int, Tensor]]:
    """Return which neighbors count and how much, for pixels that lie `share` of the way to the next one."""
    return [(0, 1 - share), (1, share)]


def _cubic(share: Tensor) -> list[tuple[int, Tensor]]:
    """Return the same for Catmull and Rom's spline (Keys 1981, a = -1/2)."""
    square, cube = share**2, share**3
    return [
        (-1, square - (share + cube) / 2),
        (0, 1 - 2.5 * square + 1.5 * cube),
        (1, share / 2 + 2 * square - 1.5 * cube),
        (2, (cube - square) / 2),
    ]
