"""Networks in ONNX files, made here, really run: what they find is right, what they must be is looked at."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from models.errors import NetworkError
from models.onnx_network import open_session
from models.onnx_pictures import OnnxFill, OnnxFlow
from tests.onnx_files import (
    REACH,
    SIZE,
    Side,
    coarse_gray,
    color_inverter,
    failing_in_the_dark,
    not_finite_in_the_dark,
    shift_finder,
    write_network,
)
from tests.tiny import random_image

CPU = torch.device("cpu")
MARGIN = 8


def shifted(dx: int, dy: int, *, height: int = 48, width: int = 64) -> tuple[Tensor, Tensor]:
    """Return two views of something with many details; what is in the first lies by (dx, dy) elsewhere in the other."""
    generator = torch.Generator().manual_seed(0)
    wide = torch.rand(1, 3, height + 2 * MARGIN, width + 2 * MARGIN, generator=generator)
    wide = torch.nn.functional.avg_pool2d(wide, 3, stride=1, padding=1)
    views = [wide[..., MARGIN - y :, MARGIN - x :][..., :height, :width] for x, y in ((0, 0), (dx, dy))]
    return views[0], views[1]


def inner(flow: Tensor) -> Tensor:
    """Return the flow where nothing comes in from outside."""
    return flow[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def vector(dx: float, dy: float) -> Tensor:
    return torch.tensor([dx, dy]).view(1, 2, 1, 1)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (REACH, 0), (0, -REACH), (-2, 3)])
def test_a_flow_network_finds_a_shift_of_whole_pixels_exactly(tmp_path: Path, dx: int, dy: int) -> None:
    flow = OnnxFlow(shift_finder(tmp_path / "flow.onnx"), device=CPU)(*shifted(dx, dy))
    assert flow.shape == (1, 2, 48, 64)
    assert flow.dtype == torch.float32
    assert torch.equal(inner(flow), vector(dx, dy).expand_as(inner(flow)))


def test_pictures_go_where_their_names_say_or_else_in_their_order(tmp_path: Path) -> None:
    frames = shifted(2, -1)
    for inputs, sign in ((("origin", "target"), 1), (("target", "origin"), -1), (("left", "right"), 1)):
        # The finder looks for its first input in its second one: those of our names say which is which.
        flow = OnnxFlow(shift_finder(tmp_path / "flow.onnx", inputs=inputs), device=CPU)(*frames)
        assert torch.equal(inner(flow), sign * vector(2, -1).expand_as(inner(flow)))


def test_half_precision_is_given_and_taken(tmp_path: Path) -> None:
    path = shift_finder(tmp_path / "flow.onnx", kind=TensorProto.FLOAT16)
    flow = OnnxFlow(path, device=CPU)(*shifted(-3, 1))
    assert flow.dtype == torch.float32
    assert torch.equal(inner(flow), vector(-3, 1).expand_as(inner(flow)))


@pytest.mark.parametrize("sides", [SIZE, (48, "width"), ("height", 64)])
def test_a_network_of_a_fixed_size_is_shown_scaled_frames_and_its_flow_is_scaled_back(
    tmp_path: Path, sides: tuple[Side, Side]
) -> None:
    """A frame of twice the size, in which everything moved twice as far."""
    origin, target = (frame.repeat_interleave(2, 2).repeat_interleave(2, 3) for frame in shifted(1, -1))
    flow = OnnxFlow(shift_finder(tmp_path / "flow.onnx", size=sides), device=CPU)(origin, target)
    assert flow.shape == (1, 2, 96, 128)
    assert float((flow[..., 16:-16, 16:-16] - vector(2, -2)).abs().mean()) < 0.1


@pytest.mark.parametrize(("block", "multiple"), [(1, 1), (2, 8), (8, 8), (16, 32), (64, 64)])
def test_frames_are_padded_to_the_smallest_multiple_that_the_network_takes(
    tmp_path: Path, block: int, multiple: int
) -> None:
    fill = OnnxFill(color_inverter(tmp_path / "fill.onnx", block=block), device=CPU)
    assert fill.multiple == multiple
    frame = random_image(45, 67)
    torch.testing.assert_close(fill(frame), 1 - frame)


def test_a_network_whose_answer_is_smaller_than_the_picture_is_shown_a_multiple(tmp_path: Path) -> None:
    fill = OnnxFill(coarse_gray(tmp_path / "fill.onnx"), device=CPU)
    assert fill.multiple == 8
    frame = random_image(45, 67)
    assert fill(frame).shape == frame.shape
    torch.testing.assert_close(fill(frame)[..., 3, 3], frame[..., :4, :4].mean((2, 3)))


@pytest.mark.parametrize(("range_name", "white"), [("0..1", 1.0), ("0..255", 255.0), ("-1..1", 0.0)])
def test_a_network_is_given_the_numbers_that_it_was_trained_on(tmp_path: Path, range_name: str, white: float) -> None:
    fill = OnnxFill(color_inverter(tmp_path / "fill.onnx", white=white), range_name=range_name, device=CPU)
    frame = random_image()
    torch.testing.assert_close(fill(frame), 1 - frame, atol=1e-6, rtol=0)


def test_what_a_fill_paints_beyond_black_and_white_is_cut_off(tmp_path: Path) -> None:
    fill = OnnxFill(color_inverter(tmp_path / "fill.onnx", white=1.5), device=CPU)
    frame = random_image()
    torch.testing.assert_close(fill(frame), (1.5 - frame).clamp(0, 1))


def test_the_same_frames_give_the_same_flow_bit_for_bit(tmp_path: Path) -> None:
    path, frames = shift_finder(tmp_path / "flow.onnx"), (random_image(seed=1), random_image(seed=2))
    first, second = (OnnxFlow(path, device=CPU) for _ in range(2))
    assert torch.equal(first(*frames), first(*frames))
    assert torch.equal(first(*frames), second(*frames))


def test_two_threads_can_ask_at_once(tmp_path: Path) -> None:
    """As the scout and the painter do, of frames of two sizes."""
    flow, wrong = OnnxFlow(shift_finder(tmp_path / "flow.onnx"), device=CPU), []

    def ask(dx: int, height: int) -> None:
        frames = shifted(dx, 0, height=height)
        for _ in range(20):
            found = inner(flow(*frames))
            if not torch.equal(found, vector(dx, 0).expand_as(found)):
                wrong.append(dx)

    threads = [Thread(target=ask, args=each) for each in ((2, 48), (-1, 56))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong


def test_a_session_takes_as_many_threads_as_pytorch_and_lets_them_sleep(tmp_path: Path) -> None:
    options = open_session(str(color_inverter(tmp_path / "fill.onnx")), CPU).get_session_options()
    assert options.intra_op_num_threads == torch.get_num_threads()
    assert options.inter_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.use_deterministic_compute


def test_where_onnxruntime_has_no_cuda_a_network_runs_on_the_cpu_and_says_so(tmp_path: Path) -> None:
    flow = OnnxFlow(shift_finder(tmp_path / "flow.onnx"), device=torch.device("cuda"))
    assert flow.device == torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert torch.equal(inner(flow(*shifted(1, 2))), vector(1, 2).expand_as(inner(flow(*shifted(1, 2)))))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that works")
def test_on_a_gpu_frames_stay_there(tmp_path: Path) -> None:
    device = torch.device("cuda")
    flow = OnnxFlow(shift_finder(tmp_path / "flow.onnx"), device=device)
    assert flow.device == device, "onnxruntime has no CUDA here"
    found = flow(*(frame.to(device) for frame in shifted(-2, 3)))
    assert found.device.type == "cuda"
    assert torch.equal(inner(found).cpu(), vector(-2, 3).expand_as(inner(found)))


@pytest.mark.parametrize("write", [not_finite_in_the_dark, failing_in_the_dark])
def test_a_network_that_fails_as_it_runs_says_so_and_works_again(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    flow = OnnxFlow(write(tmp_path / "flow.onnx"), device=CPU)
    origin, target = shifted(2, 0)
    if write is failing_in_the_dark:
        with pytest.raises(NetworkError, match=r"flow\.onnx: .*out of data bounds"):
            flow(0.1 * origin, target)
    else:
        assert not torch.isfinite(flow(0.1 * origin, target)).any()
    assert torch.equal(inner(flow(origin, target)), vector(2, 0).expand_as(inner(flow(origin, target))))


def value(name: str, *shape: Side, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def network(path: Path, given: Sequence[onnx.ValueInfoProto], made: Sequence[onnx.ValueInfoProto]) -> None:
    """Write a network that gives its first input for each of its outputs."""
    write_network(path, [helper.make_node("Identity", [given[0].name], [each.name]) for each in made], given, made)


def wrong_rank(path: Path) -> Path:
    """Write a flow without the dimension of the batch."""
    squeeze = helper.make_node("Squeeze", ["flow"], ["flat"])
    return shift_finder(path, extra=[squeeze], output="flat")


PICTURE = (1, 3, "h", "w")
FLOW = (1, 2, "h", "w")


@pytest.mark.parametrize(
    ("given", "made", "complaint"),
    [
        ([value("x", *PICTURE)], [value("flow", *FLOW)], r"expected 2 inputs \(origin, target\), got x"),
        (
            [value("x", *PICTURE), value("y", *PICTURE), value("z", 1)],
            [value("flow", *FLOW)],
            r"expected 2 inputs \(origin, target\), got x, y, z",
        ),
        (
            [value("x", 3, "h", "w"), value("y", *PICTURE)],
            [value("flow", 3, "h", "w")],
            "input x must be 1 x 3 x H x W, got 3 x h x w",
        ),
        (
            [value("x", 1, 1, "h", "w"), value("y", *PICTURE)],
            [value("flow", 1, 1, "h", "w")],
            "input x must be 1 x 3 x H x W, got 1 x 1 x h x w",
        ),
        (
            [value("x", 2, 3, "h", "w"), value("y", *PICTURE)],
            [value("flow", 2, 3, "h", "w")],
            "input x must be 1 x 3 x H x W, got 2 x 3 x h x w",
        ),
        (
            [value("x", *PICTURE, kind=TensorProto.UINT8), value("y", *PICTURE)],
            [value("flow", *PICTURE, kind=TensorProto.UINT8)],
            r"input x must be float32 or float16, got tensor\(uint8\)",
        ),
        (
            [value("x", *PICTURE), value("y", *PICTURE)],
            [value("flow", *PICTURE)],
            "output flow must be 1 x 2 x H x W, got 1 x 3 x h x w",
        ),
        (
            [value("x", *PICTURE), value("y", *PICTURE)],
            [value("a", *PICTURE), value("b", *PICTURE)],
            "expected one output, or one that is called flow, got a, b",
        ),
    ],
)
def test_a_network_that_is_no_flow_is_an_error_that_says_what_it_must_be(
    tmp_path: Path, given: list[onnx.ValueInfoProto], made: list[onnx.ValueInfoProto], complaint: str
) -> None:
    path = tmp_path / "flow.onnx"
    network(path, given, made)
    with pytest.raises(NetworkError, match=complaint) as caught:
        OnnxFlow(path, device=CPU)
    assert str(path) in str(caught.value)


def test_two_pictures_of_different_sizes_are_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "flow.onnx"
    write_network(
        path,
        [helper.make_node("Gather", ["x", "two channels"], ["flow"], axis=1)],
        [value("x", 1, 3, 48, 64), value("y", 1, 3, 48, 80)],
        [value("flow", 1, 2, 48, 64)],
        [numpy_helper.from_array(np.array([0, 1]), "two channels")],
    )
    with pytest.raises(NetworkError, match="inputs must be of one size, got x 1 x 3 x 48 x 64 and y 1 x 3 x 48 x 80"):
        OnnxFlow(path, device=CPU)


def test_of_several_outputs_the_one_called_flow_is_taken(tmp_path: Path) -> None:
    """Networks that come nearer to the flow in steps often give all of them."""
    path = shift_finder(tmp_path / "flow.onnx")
    model = onnx.load(path)
    model.graph.output.insert(0, value("best", 1, 1, "height", "width", kind=TensorProto.INT64))
    onnx.save(model, path)
    found = inner(OnnxFlow(path, device=CPU)(*shifted(1, 1)))
    assert torch.equal(found, vector(1, 1).expand_as(found))


def test_an_output_of_which_the_file_tells_nothing_is_looked_at_when_it_comes(tmp_path: Path) -> None:
    for write, problem in (
        (shift_finder, ""),
        (wrong_rank, r"onnx: The output .* shape for this run is \{2,192,320\}"),
    ):
        path = write(tmp_path / "flow.onnx")
        model = onnx.load(path)
        model.graph.output[0].type.tensor_type.ClearField("shape")
        onnx.save(model, path)
        if problem:
            with pytest.raises(NetworkError, match=problem):
                OnnxFlow(path, device=CPU)
        else:
            assert OnnxFlow(path, device=CPU)(*shifted(0, 0)).shape == (1, 2, 48, 64)


def test_a_network_whose_numbers_are_never_finite_is_refused_at_once(tmp_path: Path) -> None:
    nothing = helper.make_node("Sub", ["flow", "flow"], ["zero"]), helper.make_node("Div", ["zero", "zero"], ["none"])
    with pytest.raises(NetworkError, match="gives numbers that are not finite"):
        OnnxFlow(shift_finder(tmp_path / "flow.onnx", extra=nothing, output="none"), device=CPU)


def test_a_network_that_answers_for_no_size_of_picture_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        NetworkError, match=r"multiple of block_size.*pictures of 131x197, 136x200, 160x224, 192x320 were"
    ):
        OnnxFill(color_inverter(tmp_path / "fill.onnx", block=128), device=CPU)


def test_a_file_that_is_no_network_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "flow.onnx"
    with pytest.raises(NetworkError, match=r"no network at /.*flow\.onnx"):
        OnnxFlow(path, device=CPU)
    path.write_bytes(b"garbage" * 100)
    with pytest.raises(NetworkError, match=r"onnxruntime cannot load it: .*Protobuf parsing failed"):
        OnnxFlow(path, device=CPU)
    path.write_bytes(shift_finder(tmp_path / "whole.onnx").read_bytes()[:-200])
    with pytest.raises(NetworkError, match="onnxruntime cannot load it"):
        OnnxFlow(path, device=CPU)


def test_numbers_in_a_file_beside_the_network_are_read_and_missed(tmp_path: Path) -> None:
    path, numbers = color_inverter(tmp_path / "fill.onnx"), tmp_path / "fill.bin"
    onnx.save_model(onnx.load(path), path, save_as_external_data=True, location=numbers.name, size_threshold=0)
    frame = random_image()
    torch.testing.assert_close(OnnxFill(path, device=CPU)(frame), 1 - frame)
    numbers.unlink()
    with pytest.raises(NetworkError, match=r"onnxruntime cannot load it: .*fill\.bin"):
        OnnxFill(path, device=CPU)


def test_a_network_that_no_version_of_ours_knows_is_an_error(tmp_path: Path) -> None:
    path = shift_finder(tmp_path / "flow.onnx")
    model = onnx.load(path)
    model.graph.node[0].op_type = "Guess"
    onnx.save(model, path)
    with pytest.raises(NetworkError, match=r"onnxruntime cannot load it: .*Guess"):
        OnnxFlow(path, device=CPU)
