"""RAFT: torchvision's own network, with weights made here, on frames of every shape; no weights are downloaded."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.raft import LEAST, MULTIPLE, RAFT, Kind, fitting_of, load_raft
from models.weights import WeightsError
from tests.tiny import random_image

CPU = torch.device("cpu")
STRIDE, UPDATES = 8, 12
"""RAFT finds the flow in eighths, in so many steps."""


@cache
def network(kind: Kind) -> Any:
    """Return the real network with random weights."""
    from torchvision.models import optical_flow

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(optical_flow, f"raft_{kind}")(weights=None).eval()


def saved(folder: Path, state: dict[str, Tensor] | None = None) -> Path:
    path = folder / "raft.safetensors"
    save_file(state or network("small").state_dict(), path)
    return path


def drifting(dx: float, dy: float) -> dict[str, Tensor]:
    """Return weights under which the network takes every pixel of what it sees to have moved by (dx, dy)."""
    state = {name: tensor.clone() for name, tensor in network("small").state_dict().items()}
    state["update_block.flow_head.conv2.weight"].zero_()
    state["update_block.flow_head.conv2.bias"] = torch.tensor([dx, dy]) / STRIDE / UPDATES
    return state


@pytest.mark.parametrize("kind", ["small", "large"])
def test_it_is_torchvisions_network_on_pictures_as_it_wants_them(tmp_path: Path, kind: Kind) -> None:
    from torchvision.models.optical_flow import Raft_Small_Weights

    origin, target = random_image(128, 136, seed=1), random_image(128, 136, seed=2)
    found = load_raft(kind, saved(tmp_path, network(kind).state_dict()), device=CPU)(origin, target)
    with torch.no_grad():
        expected = network(kind)(*Raft_Small_Weights.C_T_V2.transforms()(origin, target))[-1]
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad


@pytest.mark.parametrize("size", [(48, 64), (130, 171), (16, 300)])
def test_a_frame_of_any_shape_has_a_flow_in_its_own_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    """The network is shown small frames enlarged, where everything moves as much farther."""
    fitting = fitting_of(size)
    enlarged = [scaled / side for scaled, side in zip(fitting.scaled, size, strict=True)]
    raft = load_raft("small", saved(tmp_path, drifting(4 * enlarged[1], -3 * enlarged[0])), device=CPU)
    flow = raft(random_image(*size), random_image(*size, seed=1))
    assert flow.shape == (1, 2, *size)
    torch.testing.assert_close(flow, torch.tensor([4.0, -3.0]).view(1, 2, 1, 1).expand_as(flow), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(16, 16), (48, 64), (144, 256), (127, 129), (16, 4096), (2160, 3840)])
def test_what_the_network_sees_is_large_enough_and_a_multiple_and_not_larger_than_needed(size: tuple[int, int]) -> None:
    fitting = fitting_of(size)
    assert all(side >= LEAST and side % MULTIPLE == 0 for side in fitting.padded)
    assert all(padded - scaled >= 0 for padded, scaled in zip(fitting.padded, fitting.scaled, strict=True))
    assert max(fitting.padded) <= max(1024, max(size) + MULTIPLE)
    if min(size) >= LEAST:
        assert fitting.scaled == size


def test_weights_are_read_from_either_kind_of_file(tmp_path: Path) -> None:
    torch.save(network("small").state_dict(), tmp_path / "raft.pth")
    frames = random_image(seed=1), random_image(seed=2)
    flows = [load_raft("small", path, device=CPU)(*frames) for path in (tmp_path / "raft.pth", saved(tmp_path))]
    assert torch.equal(*flows)


class Trap:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._path,)


def torn(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 torn")


def trapped(path: Path) -> None:
    torch.save({"flow": Trap(path.with_name("sprung"))}, path)


def a_list(path: Path) -> None:
    torch.save([torch.zeros(1)], path)


def another(path: Path) -> None:
    torch.save({"feature_encoder.convnormrelu.0.weight": torch.zeros(1)}, path)


def infinite(path: Path) -> None:
    state = drifting(float("inf"), 0)
    torch.save(state, path)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (torn, "is not a file of PyTorch weights"),
        (trapped, "is not a file of PyTorch weights: Weights only load failed"),
        (a_list, "must hold tensors by their names, got list"),
        (another, "does not hold the weights of raft-small: Missing key"),
        (infinite, "conv2.bias holds a number that is not finite"),
    ],
)
def test_weights_that_cannot_be_used_are_an_error_that_says_why(tmp_path: Path, make: Any, complaint: str) -> None:
    path = tmp_path / "raft.pth"
    make(path)
    with pytest.raises(WeightsError, match=complaint) as caught:
        load_raft("small", path, device=CPU)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500
    assert not (tmp_path / "sprung").exists()


def test_weights_of_the_other_size_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not hold the weights of raft-large"):
        load_raft("large", saved(tmp_path), device=CPU)


@pytest.mark.parametrize("name", ["none.pth", "none.safetensors"])
def test_weights_that_are_not_there_are_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=f"no weights at .*{name}"):
        load_raft("small", tmp_path / name, device=CPU)


def test_weights_that_cannot_be_fetched_are_an_error_that_says_where_they_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.models.optical_flow import Raft_Small_Weights

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("no_proxy", "")
    assert Raft_Small_Weights.C_T_V2.url.startswith("https:")
    with pytest.raises(WeightsError, match=f"raft-small is not in {tmp_path}.* and could not be fetched"):
        load_raft("small", None, device=CPU)


class Greedy(torch.nn.Module):
    """Compares the places of a picture far too large."""

    def forward(self, *pictures: Tensor, num_flow_updates: int) -> list[Tensor]:
        return [torch.empty(1 << 50)]


def test_too_little_memory_is_the_same_error_on_the_cpu_as_on_a_gpu() -> None:
    raft = RAFT(Greedy(), device=CPU)
    with pytest.raises(torch.OutOfMemoryError, match="can't allocate memory"):
        raft(random_image(), random_image())


CHECKPOINT = Path(torch.hub.get_dir()) / "checkpoints" / "raft_small_C_T_V2-01064c6d.pth"


@pytest.mark.skipif(not CHECKPOINT.exists(), reason=f"torchvision's weights are not in {CHECKPOINT.parent}")
def test_with_torchvisions_weights_it_finds_the_motion_of_the_built_in_scene() -> None:
    from protocols import scene

    frames = [torch.from_numpy(scene.render(i, width=256, height=144)).permute(2, 0, 1)[None] / 255 for i in (5, 6)]
    known = torch.from_numpy(scene.flow(5, 6, width=256, height=144)).permute(2, 0, 1)
    visible = torch.from_numpy(scene.visible(5, 6, width=256, height=144))
    found = load_raft("small", None, device=CPU)(*frames)[0]
    assert float((found - known).norm(dim=0)[visible].mean()) < 0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA")
def test_on_a_gpu_it_finds_what_it_finds_on_the_cpu(tmp_path: Path) -> None:
    frames = random_image(144, 256, seed=1), random_image(144, 256, seed=2)
    path = saved(tmp_path)
    here = load_raft("small", path, device=CPU)(*frames)
    there = load_raft("small", path, device=torch.device("cuda"))(*frames)
    assert there.device == here.device
    assert float((here - there).norm(dim=1).mean()) < 0.05 * float(here.norm(dim=1).mean())
