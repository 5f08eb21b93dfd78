"""What networks in ONNX files are asked for: the optical flow, and a first painting of a frame.

Whoever exports such a network keeps to this, which is looked at, and tried, when the file is loaded:

========  =====================================  ========================================
..        flow                                   fill
========  =====================================  ========================================
inputs    two pictures: ``origin``, ``target``   one picture
output    ``flow``, 1 x 2 x H x W: (dx, dy) in   ``image``, 1 x 3 x H x W: the picture,
          pixels, where what origin shows lies   painted, in the range of the input
          in target
========  =====================================  ========================================

A picture is 1 x 3 x H x W, RGB, in one of `RANGES`. Inputs of other names are taken in their order, and an output that
is the only one may have any. Numbers are float32 or float16. H and W may be fixed: then frames are scaled to them, and
the answer back. If they are free, frames are padded to the smallest multiple that the network takes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.errors import NetworkError
from models.fitting import Fitting, up_to_multiple
from models.onnx_network import OnnxNetwork

RANGES: Mapping[str, tuple[float, float]] = {"0..1": (1.0, 0.0), "0..255": (255.0, 0.0), "-1..1": (2.0, -1.0)}
"""What a picture in [0, 1] is multiplied by, and what is added, for a network that was trained on other numbers."""
TRIALS: Mapping[int, tuple[int, int]] = {1: (131, 197), 8: (136, 200), 32: (160, 224), 64: (192, 320)}
"""By multiples to which pictures may have to be padded: height and width of a picture that is one of no other."""


class OnnxFlow:
    """The optical flow that a network finds: see the table above, and `models.flow.FlowEstimator`.

    Raises:
        NetworkError: the file cannot be used, or, when it is called, the network failed.
    """

    def __init__(self, path: Path, *, range_name: str = "0..1", device: torch.device) -> None:
        network = OnnxNetwork(path, inputs=("origin", "target"), output="flow", channels=2, device=device)
        self._network = _Fitted(network, range_name, pictures=2)
        self.device = network.device
        """Where it runs, whatever was wanted."""
        self.multiple = self._network.multiple
        """To multiples of this are frames padded where a side is free."""

    def __call__(self, origin: Tensor, target: Tensor) -> Tensor:
        """Return the flow, on origin's device; what the network says, be it finite or not."""
        flow, fitting = self._network(origin, target)
        return fitting.flow_back(flow).to(origin.device)


class OnnxFill:
    """What a feed-forward network makes of a frame: see the table above.

    Raises:
        NetworkError: the file cannot be used, or, when it is called, the network failed.
    """

    def __init__(self, path: Path, *, range_name: str = "0..1", device: torch.device) -> None:
        network = OnnxNetwork(path, inputs=("image",), output="image", channels=3, device=device)
        self._network = _Fitted(network, range_name, pictures=1)
        self._gain, self._offset = RANGES[range_name]
        self.device = network.device
        """Where it runs, whatever was wanted."""
        self.multiple = self._network.multiple
        """To multiples of this are frames padded where a side is free."""

    def __call__(self, frame: Tensor) -> Tensor:
        """Return the painted frame in [0, 1], on the frame's device; what is not finite stays so."""
        answer, fitting = self._network(frame)
        return ((fitting.back(answer) - self._offset) / self._gain).clamp(0, 1).to(frame.device)


class _Fitted:
    """A network that is given frames of any size, in the numbers that it was trained on."""

    def __init__(self, network: OnnxNetwork, range_name: str, *, pictures: int) -> None:
        self._network = network
        self._gain, self._offset = RANGES[range_name]
        self.multiple = self._tried(pictures)

    def __call__(self, *pictures: Tensor) -> tuple[Tensor, Fitting]:
        """Return the answer, as large as the network saw the pictures, and the way back."""
        fitting = self._fitting(pictures[0], self.multiple)
        return self._network(*self._seen(pictures, fitting)), fitting

    def _seen(self, pictures: Sequence[Tensor], fitting: Fitting) -> list[Tensor]:
        device = self._network.device
        return [fitting.into(picture.to(device)) * self._gain + self._offset for picture in pictures]

    def _fitting(self, picture: Tensor, multiple: int) -> Fitting:
        height, width = picture.shape[-2:]
        fixed_height, fixed_width = self._network.sides
        scaled = fixed_height or height, fixed_width or width
        padded = (
            fixed_height or up_to_multiple(height, multiple),
            fixed_width or up_to_multiple(width, multiple),
        )
        return Fitting((height, width), scaled, padded)

    def _tried(self, pictures: int) -> int:
        """Return the smallest multiple to whose pictures the network gives an answer that can be used."""
        trials = dict(TRIALS) if None in self._network.sides else {1: TRIALS[1]}
        problems: list[NetworkError] = []
        for multiple, size in trials.items():
            try:
                self._try(pictures, multiple, size)
            except NetworkError as error:
                problems.append(error)
            else:
                return multiple
        tried = ", ".join(f"{height}x{width}" for height, width in trials.values())
        raise NetworkError(f"{problems[-1]}; pictures of {tried} were tried")

    def _try(self, pictures: int, multiple: int, size: tuple[int, int]) -> None:
        generator = torch.Generator().manual_seed(0)
        noise = [torch.rand(1, 3, *size, generator=generator) for _ in range(pictures)]
        answer = self._network(*self._seen(noise, self._fitting(noise[0], multiple)))
        if not bool(torch.isfinite(answer).all()):
            raise NetworkError(f"{self._network.path}: gives numbers that are not finite")
