"""The networks that the settings name: chosen, refused with the reason, and stood in for while they fail."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.color import color_statistics
from models.errors import NetworkError
from models.flow import DIS
from models.look import Look
from models.objective import Style
from models.onnx_pictures import RANGES as MODELS_RANGES
from streamer import log
from streamer.config import ConfigError
from streamer.engine import make_engine
from streamer.fills import NetworkFill, make_fill
from streamer.flows import NetworkFlow, make_flow
from streamer.network_name import RANGES, NetworkName
from streamer.networks import ON_CPU
from streamer.paint import Paint
from streamer.settings import load
from streamer.stand_in import QUIET_S, Complaint, Fallible
from tests.onnx_files import color_inverter, failing_in_the_dark, not_finite_in_the_dark, shift_finder
from tests.streamer.conftest import Pipe
from tests.tiny import random_image, tiny_network, tiny_weights

CPU = torch.device("cpu")
NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def moved(dx: int) -> tuple[Tensor, Tensor]:
    """Return a picture full of details, and the same moved to the right."""
    picture = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 48, 80, generator=torch.Generator().manual_seed(0)), 3)
    picture = picture.repeat_interleave(3, 2).repeat_interleave(3, 3)
    return picture[..., 8:72], picture[..., 8 - dx : 72 - dx]


def complaint_of(made: object) -> Complaint | None:
    """Return what is wrong with the network of a flow or a fill."""
    assert isinstance(made, NetworkFlow | NetworkFill)
    return made.network.complaint


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Return a look, made with the tiny network."""
    painting = random_image(seed=9)
    return Look(Style.of(tiny_network(tmp_path / "tiny.safetensors"), painting), color_statistics(painting))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("raft-small", NetworkName("raft-small", "")),
        ("raft-large:/weights/raft.pth", NetworkName("raft-large", "/weights/raft.pth")),
        ("onnx:a b.onnx", NetworkName("onnx", "a b.onnx")),
        ("onnx:style.onnx#range=0..255", NetworkName("onnx", "style.onnx", "0..255")),
        ("onnx:C:/style.onnx#range=-1..1", NetworkName("onnx", "C:/style.onnx", "-1..1")),
        ("onnx:", None),
        ("onnx", None),
        ("raft-tiny", None),
        ("raft-small:", None),
        ("dis", None),
        ("onnx:a\nb", None),
    ],
)
def test_the_name_of_a_network_is_taken_apart(text: str, name: NetworkName | None) -> None:
    assert NetworkName.read(text) == name


def test_a_home_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert NetworkName("onnx", "~/flow.onnx").path == Path("/home/anna/flow.onnx")


def test_the_ranges_are_those_of_the_models() -> None:
    assert tuple(MODELS_RANGES) == RANGES


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("flow", "brox", "expected dis, raft-small, raft-large, raft-...:FILE or onnx:FILE, got 'brox'"),
        ("flow", "onnx:/nowhere/flow.onnx", "there is no file '/nowhere/flow.onnx'"),
        ("flow", "raft-small:/nowhere/raft.pth", "there is no file '/nowhere/raft.pth'"),
        ("flow", "onnx:x.onnx#range=8", "or, of onnx, #range= with 0..1, 0..255, -1..1"),
        ("flow", "raft-small:x.pth#range=0..255", "or, of onnx, #range= with"),
        ("fill", "raft-small", "expected palette, frame or onnx:FILE, got 'raft-small'"),
        ("fill", "onnx:/nowhere/fill.onnx#range=0..255", "there is no file '/nowhere/fill.onnx'"),
    ],
)
def test_what_is_wrong_with_a_name_is_told_before_anything_is_loaded(key: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=f"command line: paint.{key}: ") as caught:
        load(None, {}, {f"paint.{key}": value})
    assert complaint in str(caught.value)


def test_the_settings_choose_the_flow(tmp_path: Path) -> None:
    assert isinstance(make_flow("dis", device=CPU), DIS)
    found = make_flow(f"onnx:{shift_finder(tmp_path / 'flow.onnx')}", device=CPU)(*moved(3))
    assert float((found[..., 8:-8, 8:-8] - torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)).abs().mean()) < 0.1


def test_raft_is_made_of_a_file_of_weights(tmp_path: Path) -> None:
    from torchvision.models.optical_flow import raft_small

    torch.save(raft_small(weights=None).state_dict(), tmp_path / "raft.pth")
    flow = make_flow(f"raft-small:{tmp_path / 'raft.pth'}", device=CPU)
    assert flow(*moved(1)).shape == (1, 2, 48, 64)
    (tmp_path / "raft.pth").write_bytes(b"torn")
    with pytest.raises(ConfigError, match=r"paint\.flow: .*raft\.pth is not a file of PyTorch weights"):
        make_flow(f"raft-small:{tmp_path / 'raft.pth'}", device=CPU)


def test_the_settings_choose_the_fill(tmp_path: Path, look: Look) -> None:
    frame = random_image()
    assert torch.equal(make_fill("palette", device=CPU)(frame, look), look.fill(frame))
    assert torch.equal(make_fill("frame", device=CPU)(frame, look), frame)
    path = color_inverter(tmp_path / "fill.onnx", white=255)
    torch.testing.assert_close(make_fill(f"onnx:{path}#range=0..255", device=CPU)(frame, look), 1 - frame)


@pytest.mark.parametrize("make", [make_flow, make_fill])
def test_a_file_that_is_no_network_is_a_wrong_setting(tmp_path: Path, make: Callable[..., object]) -> None:
    path = tmp_path / "garbage.onnx"
    path.write_bytes(b"garbage")
    part = make.__name__.removeprefix("make_")
    with pytest.raises(ConfigError, match=rf"paint\.{part}: .*garbage\.onnx: onnxruntime cannot load it"):
        make(f"onnx:{path}", device=CPU)


def test_an_onnxruntime_that_does_not_import_is_told_of_by_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for module in ("models.onnx_network", "models.onnx_pictures"):
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(ConfigError, match=r"paint\.flow: .*onnxruntime"):
        make_flow(f"onnx:{shift_finder(tmp_path / 'flow.onnx')}", device=CPU)


@NO_CUDA
def test_a_network_that_misses_the_device_that_was_asked_for_is_a_wrong_setting(tmp_path: Path) -> None:
    """onnxruntime would have taken the processor and not said so."""
    path = shift_finder(tmp_path / "flow.onnx")
    with pytest.raises(ConfigError, match=r"paint\.flow: paint\.device asks for cuda, but onnxruntime has no CUDA"):
        make_flow(f"onnx:{path}", device=torch.device("cuda"), asked=True)


@NO_CUDA
def test_a_network_that_misses_a_device_that_was_only_found_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = make_flow(f"onnx:{shift_finder(tmp_path / 'flow.onnx')}", device=torch.device("cuda"))
    assert "network_on_cpu" in capsys.readouterr().out
    assert flow(*moved(1)).shape == (1, 2, 48, 64)
    assert complaint_of(flow) == Complaint("on_cpu", ON_CPU)


@pytest.mark.parametrize(
    ("write", "why"), [(failing_in_the_dark, "out of data bounds"), (not_finite_in_the_dark, "not finite")]
)
def test_while_a_network_fails_another_estimator_stands_in(
    tmp_path: Path, write: Callable[[Path], Path], why: str
) -> None:
    flow = make_flow(f"onnx:{write(tmp_path / 'flow.onnx')}", device=CPU)
    origin, target = moved(2)
    assert complaint_of(flow) is None
    assert torch.equal(flow(0.1 * origin, target), DIS()(0.1 * origin, target))
    complaint = complaint_of(flow)
    assert complaint is not None
    assert complaint.reason == "failed"
    assert why in complaint.error
    found = flow(origin, target)
    assert float((found[..., 8:-8, 8:-8] - torch.tensor([2.0, 0.0]).view(1, 2, 1, 1)).abs().max()) == 0, "it works"


def test_a_fill_that_fails_gives_way_to_the_palette(tmp_path: Path, look: Look) -> None:
    from onnx import helper

    from tests.onnx_files import write_network

    shape = (1, 3, "height", "width")
    path = write_network(  # the root of a picture less a half: there is none of a dark one
        tmp_path / "fill.onnx",
        [
            helper.make_node("Constant", [], ["half"], value_float=-0.5),
            helper.make_node("Constant", [], ["one"], value_float=1.0),
            helper.make_node("ReduceMax", ["image"], ["lightest"], keepdims=1),
            helper.make_node("Add", ["lightest", "half"], ["left"]),
            helper.make_node("Sqrt", ["left"], ["painted dot"]),
            helper.make_node("Add", ["image", "painted dot"], ["painted"]),
        ],
        [helper.make_tensor_value_info("image", 1, shape)],
        [helper.make_tensor_value_info("painted", 1, shape)],
    )
    fill, dark = make_fill(f"onnx:{path}", device=CPU), 0.4 * random_image()
    assert torch.equal(fill(dark, look), look.fill(dark))
    complaint = complaint_of(fill)
    assert complaint is not None
    assert complaint.error == "it gave numbers that are not finite"


class Moody:
    """Stands where a network does: fails as long as it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __call__(self, picture: Tensor) -> Tensor:
        if self.error:
            raise self.error
        return picture


def test_failures_are_told_of_now_and_then_and_so_is_their_end(pipe: Pipe) -> None:
    """A network that fails now and then would else fill the log."""
    log.configure("json", "info", fd=pipe.writer)
    network, clock, picture = Moody(), Clock(), torch.ones(1)
    fallible = Fallible("flow", network, clock=clock)

    def ask(error: Exception | None = None, *, at: float) -> float:
        network.error, clock.now = error, at
        return float(fallible(picture, stand_in=torch.zeros_like))

    assert ask(at=0) == 1
    assert ask(NetworkError("too dark\nsaid the network"), at=1) == 0
    assert fallible.complaint == Complaint("failed", "too dark")
    assert ask(at=2) == 1
    assert ask(torch.OutOfMemoryError("no memory"), at=3) == 0
    assert fallible.complaint == Complaint("failed", "no memory")
    assert ask(torch.OutOfMemoryError("no memory"), at=1 + QUIET_S) == 0
    assert ask(at=QUIET_S + QUIET_S) == 1
    assert fallible.complaint == Complaint("failed", "no memory"), "it may fail again at once"
    assert ask(at=1 + QUIET_S + QUIET_S) == 1
    assert fallible.complaint is None
    events = [tuple(event.get(key) for key in ("level", "event", "error", "failures")) for event in pipe.events()]
    assert events == [
        ("error", "network_failed", "too dark", 1),
        ("error", "network_failed", "no memory", 3),
        ("info", "network_recovered", None, 3),
    ]


def test_a_bug_of_ours_is_not_hidden() -> None:
    network = Moody()
    network.error = TypeError("no such argument")
    with pytest.raises(TypeError):
        Fallible("flow", network)(torch.ones(1), stand_in=torch.zeros_like)


def test_the_engine_has_one_network_for_all_its_stylizers_and_looks(tmp_path: Path) -> None:
    paint = Paint(
        weights=str(tiny_weights(tmp_path / "tiny.safetensors")),
        flow=f"onnx:{shift_finder(tmp_path / 'flow.onnx')}",
        fill=f"onnx:{color_inverter(tmp_path / 'fill.onnx')}",
    )
    engine = make_engine(paint, device=CPU, size=64)
    other = engine.restyled(engine.look.toward(engine.look, 0.5), paint.model_copy(update={"style_strength": 0.9}))
    frame = random_image()
    torch.testing.assert_close(other.fill(frame), 1 - frame)
    assert [network.part for network in engine.networks] == ["flow", "fill"]
    assert other.networks == engine.networks
    assert make_engine(Paint(weights=paint.weights), device=CPU, size=64).networks == []
