"""The doctor's look at the GPU's devices: services and containers often do not see what the machine has."""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from streamer.diagnosis import Finding, Status, ok
from streamer.places import system_place
from streamer.services import running
from streamer.steps import answer

DEVICES = ("dev/nvidiactl", "dev/nvidia-uvm")
"""What CUDA opens first."""
NAME = "gpu devices"
_BECAUSE = {
    errno.ENOENT: "is not to be seen from here",
    errno.EPERM: "is closed by rules for devices",
    errno.EACCES: "is closed by the file's rights",
}


def examine(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look whether we and the services may open the NVIDIA GPUs of this machine; silent if it has no driver for any.

    Args:
        root: where ``dev`` and ``proc`` are.
        environ: tells whether systemd has started this process.
    """
    if not (root / "proc/driver/nvidia/version").exists():
        return
    yield _from_here(root, is_service="INVOCATION_ID" in environ)
    where = system_place()
    for unit in running(where):
        if answer(*where.systemctl("show", "--property=PrivateDevices", "--value", unit)) == "yes":
            mend = f"deepmovie install-service --gpu {unit.partition('@')[2].removesuffix('.service')}"
            yield Finding(NAME, Status.WARN, f"{unit} does not see the GPU of this machine", mend)


def _from_here(root: Path, *, is_service: bool) -> Finding:
    closed = [f"/{device} {because}" for device in DEVICES if (because := _why_closed(root / device))]
    if not closed:
        return ok(NAME, "may be opened")
    found = f"the machine has an NVIDIA driver, but {' and '.join(closed)}"
    if is_service:
        mend = "PrivateDevices or DevicePolicy of the unit keep it out; deepmovie install-service --gpu NAME lets it in"
    else:
        mend = "in a container: docker run --gpus all; elsewhere, as root: nvidia-modprobe -u -c=0"
    return Finding(NAME, Status.WARN, found, mend)


def _why_closed(device: Path) -> str | None:
    """Return why a device cannot be opened, None if it can."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return _BECAUSE.get(error.errno or 0, f"does not answer: {error.strerror}")
    return None
