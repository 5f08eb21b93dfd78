"""Small networks in ONNX files that truly do what they are for: they find a shift, and turn colors around."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REACH = 3
"""The longest shift that is looked for, pixels."""
PATCH = 7
"""Side of the patches that are compared."""
SIZE = 48, 64
"""Height and width of a network that takes no other."""

Side = int | str


def shift_finder(
    path: Path,
    *,
    size: tuple[Side, Side] = ("height", "width"),
    inputs: Sequence[str] = ("origin", "target"),
    kind: int = TensorProto.FLOAT,
    extra: Sequence[onnx.NodeProto] = (),
    output: str = "flow",
) -> Path:
    """Write a network that compares patches of two pictures at all shifts up to `REACH`, and return its path.

    Args:
        path: the file.
        size: height and width, numbers or names.
        inputs: what the pictures are called, in their order in the file.
        kind: of the inputs and the output.
        extra: further nodes, which make `output` of `flow`.
        output: what it gives.
    """
    side = 2 * REACH + 1
    shifts = [(dx - REACH, dy - REACH) for dy in range(side) for dx in range(side)]
    pick = np.eye(side * side).reshape(side * side, 1, side, side)
    constants = {
        "shifts": pick,
        "dx": np.array([dx for dx, _ in shifts]),
        "dy": np.array([dy for _, dy in shifts]),
    }
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    node = helper.make_node
    nodes = [
        node("ReduceMean", [inputs[0]], ["gray origin"], axes=[1]),
        node("ReduceMean", [inputs[1]], ["gray target"], axes=[1]),
        node("Pad", ["gray target", "margin"], ["wide"], mode="edge"),
        node("Conv", ["wide", "shifts"], ["shifted"]),
        node("Sub", ["shifted", "gray origin"], ["difference"]),
        node("Abs", ["difference"], ["distance"]),
        node(
            "AveragePool",
            ["distance"],
            ["cost"],
            kernel_shape=[PATCH, PATCH],
            pads=[PATCH // 2] * 4,
        ),
        node("ArgMin", ["cost"], ["best"], axis=1),
        node("Gather", ["dx", "best"], ["to the right"]),
        node("Gather", ["dy", "best"], ["down"]),
        node("Concat", ["to the right", "down"], ["flow"], axis=1),
        *extra,
    ]
    initializers = [numpy_helper.from_array(value.astype(dtype), name) for name, value in constants.items()]
    initializers.append(numpy_helper.from_array(np.array([0, 0, REACH, REACH] * 2, np.int64), "margin"))
    given = [helper.make_tensor_value_info(name, kind, [1, 3, *size]) for name in inputs]
    return write_network(path, nodes, given, [helper.make_tensor_value_info(output, kind, [1, 2, *size])], initializers)


def color_inverter(
    path: Path, *, white: float = 1.0, size: tuple[Side, Side] = ("height", "width"), block: int = 1
) -> Path:
    """Write a network that turns the colors of a picture around, and return its path.

    Args:
        path: the file.
        white: the picture is 0 to this.
        size: height and width, numbers or names.
        block: it fails on pictures whose sides are no multiples of this.
    """
    shape = [1, 3, *size]
    return write_network(
        path,
        [
            helper.make_node("SpaceToDepth", ["picture"], ["blocks"], blocksize=block),
            helper.make_node("Sub", ["white", "blocks"], ["turned"]),
            helper.make_node("DepthToSpace", ["turned"], ["negative"], blocksize=block),
        ],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("negative", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(white, np.float32), "white")],
    )


def coarse_gray(path: Path) -> Path:
    """Write a network that looks at squares of 4 x 4 and leaves out, without a word, what is none."""
    node = helper.make_node
    return write_network(
        path,
        [
            node("AveragePool", ["picture"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
            node("Resize", ["small", "", "scales"], ["coarse"], mode="nearest"),
        ],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("coarse", TensorProto.FLOAT, [1, 3, "h4", "w4"])],
        [numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "scales")],
    )


def not_finite_in_the_dark(path: Path) -> Path:
    """Write a `shift_finder` whose flow is not a number where the first picture is darker than a fifth."""
    nodes = [
        helper.make_node("ReduceMean", ["origin"], ["light"], axes=[1, 2, 3]),
        helper.make_node("Constant", [], ["fifth"], value_float=0.2),
        helper.make_node("Sub", ["light", "fifth"], ["spare light"]),
        helper.make_node("Sqrt", ["spare light"], ["root"]),
        helper.make_node("Sub", ["root", "root"], ["nothing"]),
        helper.make_node("Add", ["flow", "nothing"], ["checked"]),
    ]
    return shift_finder(path, extra=nodes, output="checked")


def failing_in_the_dark(path: Path) -> Path:
    """Write a `shift_finder` that fails while it runs where the first picture is darker than a fifth."""
    return _failing(
        path,
        helper.make_node("ReduceMean", ["origin"], ["light"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Constant", [], ["fifth"], value_float=0.2),
        helper.make_node("Less", ["light", "fifth"], ["fails"]),
    )


def failing_on_wide_pictures(path: Path) -> Path:
    """Write a `shift_finder` that fails while it runs on pictures of more than 200 columns."""
    return _failing(
        path,
        helper.make_node("Shape", ["origin"], ["columns"], start=3),
        helper.make_node("Constant", [], ["most"], value_ints=[200]),
        helper.make_node("Greater", ["columns", "most"], ["fails"]),
    )


def _failing(path: Path, *nodes: onnx.NodeProto) -> Path:
    """Write a `shift_finder` that fails while it runs where these nodes give `fails`."""
    trap = [
        helper.make_node("Cast", ["fails"], ["place"], to=TensorProto.INT64),
        helper.make_node("Constant", [], ["only one"], value_floats=[0.0]),
        helper.make_node("Gather", ["only one", "place"], ["nothing"]),  # there is no second one
        helper.make_node("Add", ["flow", "nothing"], ["checked"]),
    ]
    return shift_finder(path, extra=[*nodes, *trap], output="checked")


def write_network(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    given: Sequence[onnx.ValueInfoProto],
    made: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[onnx.TensorProto] = (),
) -> Path:
    """Write a network of these nodes, inputs, outputs and constants, and return its path."""
    graph = helper.make_graph(list(nodes), "tiny", list(given), list(made), list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save_model(model, path)
    return path
