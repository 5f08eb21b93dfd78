"""Temporal error: how steady a film is, as the paper measures it.

The paper sums the squared differences between the last frame, moved along the optical flow, and the present one. Here
it is the root of their *mean* over the pixels that were visible before and over the three channels, so that it does
not depend on the size of the picture or on how much was hidden. Its unit is that of the channels: 0 is steady, 1 is
black turned white. Apply it to the input too: what a perfect flow cannot explain there (noise, light) no painter can
remove.
"""

from torch import Tensor

from models.warp import warp


def temporal_error(image: Tensor, warped: Tensor, visible: Tensor) -> float | None:
    """Return the RMSE between `image` and the last image moved to it, or None where no pixel was visible before.

    Args:
        image: 1 x 3 x H x W, RGB in [0, 1].
        warped: the last image as seen from this one, 1 x 3 x H x W.
        visible: 1 x 1 x H x W, bool: which pixels were visible in the last image.
    """
    count = int(visible.sum())
    if not count:
        return None
    squares = (image.float() - warped.float()).square() * visible
    return float((squares.sum() / (count * image.shape[1])).sqrt())


def temporal_error_along(previous: Tensor, current: Tensor, flow: Tensor, visible: Tensor) -> float | None:
    """Return `temporal_error` of two neighboring images, the first moved along the flow as the painter moves it.

    Args:
        previous: 1 x 3 x H x W, RGB in [0, 1].
        current: as `previous`.
        flow: from current (origin) to previous (target), 1 x 2 x H x W, pixels.
        visible: 1 x 1 x H x W, bool: which pixels of current were visible in previous.
    """
    return temporal_error(current, warp(previous, flow, sharp=True).clamp(0, 1), visible)
