"""Which ways to paint are compared: each is data, laid over the settings of painting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from models.backtracking import HOLD
from streamer.config import ConfigError
from streamer.engine import Way
from streamer.paint import Paint

WAYS: Sequence[Way] = ("independent", "previous", "flow", "carried")
"""How a frame can begin, the paper's ways first."""
BEGINS: Mapping[Way, str] = {
    "independent": "each frame from itself",
    "previous": "from the last painting as it is",
    "flow": "from the last painting, moved along the flow",
    "carried": "moved along the flow, with the optimizer's memory",
}
LABELS: Mapping[Way, str] = {"independent": "independent", "previous": "previous", "flow": "flow", "carried": "ours"}

LOSSES = ("squared", "robust")
"""What the flow loss can be; its weight is that of back-tracking, so that the three can be compared."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to paint a clip."""

    name: str
    """For machines."""
    label: str
    """For people."""
    told: str
    """What it does, in a few words."""
    way: Way
    iterations: int
    """Per frame, all passes together."""
    passes: int = 1
    settings: Mapping[str, object] = field(default_factory=dict)
    """What else it lays over ``[paint]``."""

    def over(self, paint: Paint) -> Paint:
        """Return the settings with this method's own laid over them."""
        return paint.model_copy(update={"init": self.way, "lag": 0, **self.settings})


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is painted for one clip and one painting."""

    frames: int = 10
    judged: int = 4
    """The last ones, on which all methods are judged: there a scene has had time to come into style."""
    iterations: int = 20
    """Per frame, for each of the paper's methods."""
    passes: int = 2
    """Of back-tracking; 1: none."""
    live: Sequence[int] = (2, 4)
    """Iterations per frame of the daemon's own way, one row each."""
    curve: Sequence[int] = (1, 2, 4, 8)
    """Iterations per frame at which each way to begin is looked at, besides those of its row in the table."""
    reference: int = 150
    """Iterations for the energy that counts as reached."""


QUICK = Effort()
FULL = Effort(frames=14, judged=6, iterations=60, curve=(1, 2, 4, 8, 16, 32), reference=400)


def effort(name: Literal["quick", "full"], **changes: Any) -> Effort:  # noqa: ANN401 - numbers of an Effort
    """Return one of the two efforts with some numbers changed; what is not given is made to fit.

    Raises:
        ConfigError: the numbers contradict each other.
    """
    wanted = replace(QUICK if name == "quick" else FULL, **changes)
    if wanted.judged > wanted.frames:
        if "judged" in changes:
            raise ConfigError(f"judged: expected up to the {wanted.frames} frames that there are, got {wanted.judged}")
        wanted = replace(wanted, judged=wanted.frames)
    if wanted.passes > wanted.iterations:
        raise ConfigError(f"passes: expected up to the {wanted.iterations} iterations, got {wanted.passes}")
    return replace(wanted, curve=[each for each in wanted.curve if each < wanted.iterations])


def methods(effort: Effort) -> list[Method]:
    """Return what the table compares, the paper's methods first."""
    found = [plain(way, effort.iterations) for way in WAYS if way != "carried"]
    found += [_held(loss, effort.iterations) for loss in LOSSES]
    if effort.passes > 1:
        found.append(_back_and_forth(effort))
    return [*found, *(plain("carried", iterations) for iterations in effort.live)]


def plain(way: Way, iterations: int) -> Method:
    """Return a way to begin, with nothing added; ours has its iterations in its name, as it comes more than once."""
    if way == "carried":
        return Method(f"live_{iterations}", f"ours, live, k = {iterations}", BEGINS[way], way, iterations)
    return Method(way, LABELS[way], BEGINS[way], way, iterations)


def curve(way: Way, effort: Effort) -> list[Method]:
    """Return one way to begin with ever more iterations, up to those that the paper's methods get."""
    return [plain(way, iterations) for iterations in sorted({*effort.curve, effort.iterations})]


def _held(loss: str, iterations: int) -> Method:
    settings = {"temporal_weight": HOLD, "temporal_loss": loss}
    told = f"{BEGINS['flow']}, and held to it (weight {HOLD:g})"
    return Method(f"flow_{loss}", f"flow + {loss} loss", told, "flow", iterations, settings=settings)


def _back_and_forth(effort: Effort) -> Method:
    told = f"{BEGINS['flow']}; then back and forth, held to both neighbors (weight {HOLD:g})"
    label = f"flow + {effort.passes} passes"
    return Method("flow_passes", label, told, "flow", effort.iterations, passes=effort.passes)
