"""The comparison's curves, drawn by matplotlib: as SVG in the colors of the page around it, or as a picture."""

import io
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.compare_findings import Light, Pair, Point
from streamer.compare_methods import LABELS
from streamer.config import ConfigError
from streamer.engine import Way

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MISSING = "report: matplotlib is not installed; install it with: pip install 'deepmovie[report]'"
SIZE_INCHES = (5.2, 3.3)
LABEL_GAP = 0.075
"""Of the axis: the names at the ends of two lines are at least so far apart."""


@dataclass(frozen=True, slots=True)
class Colors:
    """What the drawing takes its colors from."""

    text: str
    dim: str
    edge: str
    lines: Sequence[str]


PRINT = Colors("#221f1a", "#676055", "#cfc6b6", ("#8c857a", "#3b6ea5", "#3f8a5a", "#c0452f"))
PAGE = Colors("#010101", "#010102", "#010103", ("#010111", "#010112", "#010113", "#010114"))
"""Stands for what the style sheet names, which an SVG of matplotlib cannot say."""
VARIABLES = {
    PAGE.text: "var(--text)",
    PAGE.dim: "var(--dim)",
    PAGE.edge: "var(--edge)",
    **{color: f"var(--line-{number})" for number, color in enumerate(PAGE.lines, 1)},
}

Drawing = Callable[["Axes", Colors], None]


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing and its words."""

    name: str
    title: str
    draw: Drawing


def charts(pair: Pair) -> list[Chart]:
    """Return the curves over iterations, and those of the light."""
    found = []
    if pair.curves:
        found.append(Chart("gap", "Energy gap", lambda axes, colors: _draw_gap(axes, colors, pair)))
        if pair.floor is not None:
            found.append(Chart("error", "Temporal error", lambda axes, colors: _draw_error(axes, colors, pair)))
    if pair.light:
        light = pair.light
        found.append(Chart("light", "Mean luminance", lambda axes, colors: _draw_light(axes, colors, light)))
    return found


def require_matplotlib() -> None:
    """Raise ConfigError where the drawings cannot be made."""
    try:
        import matplotlib  # noqa: F401, PLC0415 - only asked whether it is there
    except ImportError:
        raise ConfigError(MISSING) from None
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it warns that it will take a moment


def as_svg(chart: Chart, *, prefix: str) -> str:
    """Return a chart as an element of a page, in the page's fonts and colors; ``prefix`` keeps its names its own."""
    from matplotlib import rc_context  # noqa: PLC0415 - an extra

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
        figure = drawn([chart], PAGE)
        empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=empty)
    return _of_the_page(file.getvalue(), title=chart.title, prefix=prefix)


def drawn(shown: Sequence[Chart], colors: Colors) -> "Figure":
    """Return a figure with the charts beside each other."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    figure = Figure(figsize=(SIZE_INCHES[0] * len(shown), SIZE_INCHES[1]), layout="constrained")
    for place, chart in enumerate(shown, 1):
        axes = figure.add_subplot(1, len(shown), place)
        chart.draw(axes, colors)
        _dress(axes, colors)
    return figure


def _draw_gap(axes: "Axes", colors: Colors, pair: Pair) -> None:
    lines = {way: [100 * point.gap for point in points] for way, points in pair.curves.items()}
    _draw_ways(axes, colors, pair.curves, lines)
    axes.axhline(0, color=colors.edge, linewidth=1)
    _entitle(axes, colors, "energy gap in %; 0 is as good as the reference")


def _draw_error(axes: "Axes", colors: Colors, pair: Pair) -> None:
    lines = {way: [point.temporal_rmse or 0.0 for point in points] for way, points in pair.curves.items()}
    _draw_ways(axes, colors, pair.curves, lines)
    axes.set_ylim(bottom=0)
    if pair.floor is not None:
        axes.axhline(pair.floor, color=colors.dim, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("the clip itself", (0, pair.floor), xycoords=("axes fraction", "data"), xytext=(2, 3),
                      textcoords="offset points", color=colors.dim, fontsize=9)  # fmt: skip
    _entitle(axes, colors, "temporal error, RMSE of what is seen in both frames")


def _draw_ways(
    axes: "Axes", colors: Colors, curves: Mapping[Way, Sequence[Point]], lines: Mapping[Way, Sequence[float]]
) -> None:
    """Draw a line for each way to begin over its iterations per frame."""
    iterations = [point.iterations for point in next(iter(curves.values()))]
    axes.set_xscale("log")
    for (_, line), color in zip(lines.items(), colors.lines, strict=True):
        axes.plot(iterations, line, color=color, linewidth=2, marker="o", markersize=4)
    axes.set_xticks(iterations, [str(count) for count in iterations])
    axes.minorticks_off()
    axes.set_xlabel("iterations per frame")
    ends = zip(lines.items(), colors.lines, strict=True)
    _name_ends(axes, {LABELS[way]: (color, line[-1]) for (way, line), color in ends})


def _draw_light(axes: "Axes", colors: Colors, light: Light) -> None:
    lines = {"clip": light.clip, "matched": light.matched, "painted": light.painted}
    shades = dict(zip(lines, (colors.text, colors.lines[2], colors.lines[1]), strict=True))
    for name, line in lines.items():
        axes.plot(light.frames, line, color=shades[name], linewidth=2, linestyle="--" if name == "clip" else "-")
    axes.set_ylim(0, 1)
    axes.set_xlabel("frame")
    _entitle(axes, colors, "mean luminance")
    _name_ends(axes, {name: (shades[name], line[-1]) for name, line in lines.items()})


def _entitle(axes: "Axes", colors: Colors, words: str) -> None:
    axes.set_title(words, loc="left", color=colors.text, fontsize=10.5, pad=10)


def _name_ends(axes: "Axes", ends: Mapping[str, tuple[str, float]]) -> None:
    """Write each line's name at its end, not over another's."""
    low, high = axes.get_ylim()
    names = sorted(ends, key=lambda name: ends[name][1])
    places = spread([(ends[name][1] - low) / (high - low) for name in names], LABEL_GAP)
    for name, place in zip(names, places, strict=True):
        axes.annotate(name, (1, place), xycoords="axes fraction", xytext=(6, 0), textcoords="offset points",
                      color=ends[name][0], va="center", annotation_clip=False)  # fmt: skip


def spread(places: Sequence[float], least: float) -> list[float]:
    """Return ascending places moved apart to at least this distance, as little as upwards alone allows."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + least) if found else place)
    return found


def _dress(axes: "Axes", colors: Colors) -> None:
    """Leave of the frame only what helps to read."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colors.edge)
    axes.tick_params(colors=colors.dim, length=0, labelsize=9)
    axes.grid(axis="y", color=colors.edge, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.label.set_color(colors.dim)
    axes.xaxis.label.set_fontsize(9)
    axes.patch.set_alpha(0)


def _of_the_page(svg: str, *, title: str, prefix: str) -> str:
    """Return matplotlib's file as an element whose names, fonts and colors do not collide with the page's."""
    [box] = re.findall(r'viewBox="([^"]*)"', svg)[:1]
    inner = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    inner = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", inner, flags=re.DOTALL)
    inner = re.sub(r'\bid="', f'id="{prefix}-', inner)
    inner = re.sub(r"url\(#", f"url(#{prefix}-", inner)
    inner = re.sub(r'xlink:href="#', f'href="#{prefix}-', inner)
    inner = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", inner)
    for color, variable in VARIABLES.items():
        inner = inner.replace(color, variable)
    return f'<svg viewBox="{box}" role="img" aria-label="{title}">{inner}</svg>'
