"""A network in an ONNX file, run by onnxruntime on tensors where they lie."""

import contextlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as native
from torch import Tensor

from models.errors import NetworkError

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
QUIET = 4
"""onnxruntime writes to standard error what is worse than this, which is nothing; all of it comes as an error, too."""
TYPES = {"tensor(float)": (torch.float32, np.float32), "tensor(float16)": (torch.float16, np.float16)}

# They have no base of their own. What an operator does wrong while it runs comes as a RuntimeError.
_ERRORS = (
    RuntimeError,
    native.EPFail,
    native.EngineError,
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.NoModel,
    native.NoSuchFile,
    native.NotImplemented,
    native.RuntimeException,
)


class Node(Protocol):
    """What onnxruntime tells of an input or an output."""

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def shape(self) -> Sequence[int | str | None]:
        """A side that is free has a name, or none."""
        ...


class OnnxNetwork:
    """A network from pictures to a map of their size. Any thread may run it.

    Each input is 1 x 3 x H x W, the output is 1 x C x H x W; all are float32 or float16. A side is fixed or free.

    Args:
        path: the file; what it keeps in files of its own lies beside it.
        inputs: what the inputs are called. In a file that calls them otherwise they are taken in its order.
        output: what the output is called. In a file that has only one it may be called otherwise.
        channels: C.
        device: where to run it. Without CUDA in onnxruntime it runs on the CPU: see `device`.

    Raises:
        NetworkError: the file cannot be used.
    """

    def __init__(self, path: Path, *, inputs: Sequence[str], output: str, channels: int, device: torch.device) -> None:
        self.path = path
        if not path.is_file():
            raise NetworkError(f"no network at {path.absolute()}")
        try:
            self._session = open_session(str(path), device)
        except _ERRORS as error:
            raise NetworkError(f"{path}: onnxruntime cannot load it: {_told(error)}") from None
        self.device = device if provider(self._session) == CUDA else torch.device("cpu")
        """Where it runs, whatever was wanted."""
        self._inputs = _in_order(path, self._session.get_inputs(), inputs)
        self._output = _one_of(path, self._session.get_outputs(), output)
        self._channels = channels
        for each in self._inputs:
            _check(path, f"input {each.name}", each, channels=3)
        if self._output.shape:  # a file need not tell; what comes is looked at in any case
            _check(path, f"output {self._output.name}", self._output, channels=channels)
        if len({_sides(each) for each in self._inputs}) > 1:
            raise NetworkError(f"{path}: the inputs must be of one size, got {' and '.join(map(_shown, self._inputs))}")

    @property
    def sides(self) -> tuple[int | None, int | None]:
        """Height and width of the pictures; None where any will do."""
        return _sides(self._inputs[0])

    def __call__(self, *pictures: Tensor) -> Tensor:
        """Return what it makes of pictures, 1 x 3 x H x W each: 1 x C x H x W, float32, on `device`.

        The tensors are handed over by their place in memory: on CUDA nothing takes the way over the processor's.

        Raises:
            NetworkError: it failed.
        """
        binding = self._session.io_binding()
        given = [self._placed(picture, each) for picture, each in zip(pictures, self._inputs, strict=True)]
        dtype, _ = TYPES[self._output.type]
        answer = torch.empty((1, self._channels, *pictures[0].shape[-2:]), dtype=dtype, device=self.device)
        for tensor, each in zip(given, self._inputs, strict=True):
            binding.bind_input(*_place(tensor, each))
        binding.bind_output(*_place(answer, self._output))
        if self.device.type == "cuda":  # onnxruntime works in a stream of its own
            torch.cuda.current_stream(self.device).synchronize()
        try:
            self._session.run_with_iobinding(binding)
            binding.synchronize_outputs()
        except _ERRORS as error:
            raise NetworkError(f"{self.path}: {_told(error)}") from None
        return answer.float()

    def _placed(self, picture: Tensor, node: Node) -> Tensor:
        dtype, _ = TYPES[node.type]
        return picture.detach().to(self.device, dtype).contiguous()


def open_session(model: str | bytes, device: torch.device) -> onnxruntime.InferenceSession:
    """Return a session on ``device``, or on the CPU without a word: `provider` tells.

    It takes as many threads as PyTorch does, as the two work in turns, and lets them sleep in between. The same input
    gives the same output.
    """
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(QUIET)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    options.use_deterministic_compute = True
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=_providers(device))


def preload() -> str:
    """Let onnxruntime find CUDA's libraries among those of PyTorch; return what it says of those that are missing."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        onnxruntime.preload_dlls()
    return said.getvalue().strip()


def provider(session: onnxruntime.InferenceSession) -> str:
    """Return what really runs a session."""
    return str(session.get_providers()[0])


def _providers(device: torch.device) -> list[object]:
    if device.type != "cuda" or CUDA not in onnxruntime.get_available_providers():
        return [CPU]
    preload()
    # The usual search for the fastest convolution tries all of them at each new size, and may choose another each time.
    options = {"device_id": device.index or 0, "cudnn_conv_algo_search": "HEURISTIC"}
    return [(CUDA, options), CPU]


def _in_order(path: Path, found: Sequence[Node], names: Sequence[str]) -> list[Node]:
    if len(found) != len(names):
        expected = "1 input" if len(names) == 1 else f"{len(names)} inputs"
        raise NetworkError(f"{path}: expected {expected} ({', '.join(names)}), got {_listed(found)}")
    by_name = {each.name: each for each in found}
    return [by_name[name] for name in names] if set(by_name) == set(names) else list(found)


def _one_of(path: Path, found: Sequence[Node], name: str) -> Node:
    named = [each for each in found if each.name == name]
    if not named and len(found) != 1:
        raise NetworkError(f"{path}: expected one output, or one that is called {name}, got {_listed(found)}")
    return (named or found)[0]


def _check(path: Path, what: str, node: Node, *, channels: int) -> None:
    if node.type not in TYPES:
        raise NetworkError(f"{path}: {what} must be float32 or float16, got {node.type}")
    expected = (1, channels)
    sides = zip(node.shape[:2], expected, strict=True)
    if len(node.shape) != 4 or any(_fixed(side) not in (None, wanted) for side, wanted in sides):
        raise NetworkError(f"{path}: {what} must be 1 x {channels} x H x W, got {_shape(node)}")


def _sides(node: Node) -> tuple[int | None, int | None]:
    return _fixed(node.shape[2]), _fixed(node.shape[3])


def _fixed(side: int | str | None) -> int | None:
    return side if isinstance(side, int) and side > 0 else None


def _place(tensor: Tensor, node: Node) -> tuple[object, ...]:
    device, number = tensor.device.type, tensor.device.index or 0
    return node.name, device, number, TYPES[node.type][1], list(tensor.shape), tensor.data_ptr()


def _listed(nodes: Sequence[Node]) -> str:
    return ", ".join(each.name for each in nodes) or "none"


def _shown(node: Node) -> str:
    return f"{node.name} {_shape(node)}"


def _shape(node: Node) -> str:
    return " x ".join(str(side) for side in node.shape) or "a single number"


def _told(error: BaseException) -> str:
    """Return the last, and most telling, thing that onnxruntime says, on one line."""
    text = _BEFORE_IT.sub("", " ".join(str(error).split()))
    return text[:300] or type(error).__name__


_BEFORE_IT = re.compile(
    r".*Status Message: (/\S+\.cc:\d+ [^(]*\([^)]*\) )?"
    r"|\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .* failed:)?"
)
"""What onnxruntime says before the point: numbers, places in its source, and the path that we say, too."""
