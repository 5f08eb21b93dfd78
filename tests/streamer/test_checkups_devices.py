"""The doctor looks at the devices of a GPU, on real files."""

import socket
from pathlib import Path

import pytest

from streamer.checkups_devices import DEVICES, examine
from streamer.diagnosis import Finding, Status


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root where the driver is, and its devices are."""
    for file in ("proc/driver/nvidia/version", *DEVICES):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


def found(root: Path, **environ: str) -> Finding:
    return next(examine(root, environ))


def test_without_a_driver_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(examine(tmp_path, {})) == []


def test_devices_that_can_be_opened_are_ok(machine: Path) -> None:
    assert found(machine).status is Status.OK


def test_a_device_that_is_hidden_is_told_and_how_a_service_gets_it(machine: Path) -> None:
    (machine / DEVICES[0]).unlink()
    finding = found(machine, INVOCATION_ID="1")
    assert finding.status is Status.WARN
    assert finding.found.endswith("but /dev/nvidiactl is not to be seen from here")
    assert "deepmovie install-service --gpu NAME" in finding.mend
    assert "docker run --gpus all" in found(machine).mend


def test_a_device_that_does_not_answer_is_told(machine: Path) -> None:
    (machine / DEVICES[1]).unlink()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(machine / DEVICES[1]))
    assert "but /dev/nvidia-uvm does not answer: No such device" in found(machine).found
