"""What stands still comes to rest: its steps shrink from frame to frame, and no flow moves it.

Adam's steps have about the same size for ever, so a picture of something that stands still would swarm for ever, and
the small errors of the flow would blur it away. Where nothing moves, the steps cool down like metal (simulated
annealing's schedule); where something does, they are hot again at once.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

COOLING = 0.985
"""What is left of a step's size after each frame at rest."""
STILL_FLOW_PX = 0.3
SAME_LIGHT = 0.02
"""Five 8-bit levels, as a mean over 5 x 5 pixels, in which a camera's noise cancels out."""


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """How much each place is at rest, and since which content."""

    heat: Tensor
    """Share of the full step, 1 x 1 x H x W in [0, 1]."""
    content: Tensor
    """What was there when it came to rest, 1 x 3 x H x W: light that changes slowly breaks the rest in the end too."""

    @classmethod
    def broken_by(cls, content: Tensor) -> "Rest":
        """Return the state in which everything is hot: a new scene."""
        return cls(torch.ones_like(content[:, :1]), content)

    def settle(self, flow: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
        """Return the flow, exactly zero where nothing moves, and where that is.

        Args:
            flow: from the present frame to the last one, 1 x 2 x H x W.
            content: the present frame, 1 x 3 x H x W.

        Returns:
            The flow, and a mask, 1 x 1 x H x W, bool.
        """
        slow = flow.square().sum(1, keepdim=True) < STILL_FLOW_PX**2
        change = F.avg_pool2d((content - self.content).abs(), 5, stride=1, padding=2, count_include_pad=False)
        still = slow & (change.amax(1, keepdim=True) < SAME_LIGHT)
        return flow * ~still, still

    def cooled(self, still: Tensor, content: Tensor) -> "Rest":
        """Return the rest of the next frame, already moved there: cooler where it is still, broken elsewhere."""
        heat = torch.where(still, COOLING * self.heat, torch.ones_like(self.heat))
        return Rest(heat, torch.where(still, self.content, content))
