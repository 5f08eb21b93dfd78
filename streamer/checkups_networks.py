"""The doctor's look at the optical flow and the fill that the settings name: each is loaded and run."""

import time
from collections.abc import Iterator

import torch

from streamer.config import ConfigError
from streamer.diagnosis import Finding, Status, first_line, ok
from streamer.engine import choose_device
from streamer.fills import NetworkFill, make_fill
from streamer.flows import NetworkFlow, make_flow
from streamer.paint import Paint
from streamer.scene_flow import Pair
from streamer.stand_in import Fallible

WIDTH, HEIGHT, INDEX = 256, 144, 5
"""Of the frame of the built-in scene, in which much moves."""
FLOW, FILL = "optical flow", "fill"
"""The names of what is found."""


def examine(paint: Paint) -> Iterator[Finding]:
    """Yield whether the flow finds what moves, and whether the fill paints."""
    try:
        device, _ = choose_device(paint.device)
    except ConfigError:  # is told of by the part that looks at it
        device = torch.device("cpu")
    asked = paint.device == str(device)
    pair = Pair.of(INDEX, width=WIDTH, height=HEIGHT, device=device)
    for name, look in ((FLOW, _flow), (FILL, _fill)):
        try:
            yield look(paint, pair, asked=asked)
        except ConfigError as error:
            mend = f"correct it, or leave it out: paint.{'flow = dis' if name == FLOW else 'fill = palette'}"
            yield Finding(name, Status.FAIL, "; ".join(error.problems), mend)
        except RuntimeError as error:  # of PyTorch, on a device that it cannot use
            yield Finding(name, Status.FAIL, first_line(error), "use another network, or --device cpu")


def _flow(paint: Paint, pair: Pair, *, asked: bool) -> Finding:
    flow = make_flow(paint.flow, device=pair.origin.device, asked=asked)
    flow(pair.origin, pair.target)
    began = time.perf_counter()
    found = flow(pair.origin, pair.target)
    milliseconds = 1000 * (time.perf_counter() - began)
    error = pair.error(found)
    told = f"{paint.flow}: {error:.2f} pixels off where things move by {pair.motion:.2f}, in {milliseconds:.0f} ms"
    if isinstance(flow, NetworkFlow) and (wrong := _wrong(FLOW, flow.network)):
        return wrong
    if error >= pair.motion:
        mend = "see that it was trained on these numbers (#range=), and takes the pictures in our order"
        return Finding(FLOW, Status.WARN, f"{told}: it finds nothing", mend)
    return ok(FLOW, told)


def _fill(paint: Paint, pair: Pair, *, asked: bool) -> Finding:
    fill = make_fill(paint.fill, device=pair.origin.device, asked=asked)
    if not isinstance(fill, NetworkFill):
        return ok(FILL, paint.fill)
    fill.network(pair.origin, stand_in=torch.clone)
    began = time.perf_counter()
    fill.network(pair.origin, stand_in=torch.clone)
    milliseconds = 1000 * (time.perf_counter() - began)
    told = f"{paint.fill}: painted {WIDTH}x{HEIGHT} pixels in {milliseconds:.0f} ms"
    return _wrong(FILL, fill.network) or ok(FILL, told)


def _wrong(name: str, network: Fallible) -> Finding | None:
    complaint = network.complaint
    if complaint is None:
        return None
    if complaint.reason == "failed":
        mend = "use another network; until then another way stands in for it"
        return Finding(name, Status.FAIL, complaint.error, mend)
    return Finding(name, Status.WARN, f"runs on the CPU: {complaint.error}", "do so, or use --device cpu")
