"""The comparison as one page: pictures, curves and tables are in it, and nothing is to be fetched."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import cv2

from streamer.compare_curves import as_svg, charts
from streamer.compare_findings import Findings, Pair, Row
from streamer.compare_plates import Plate, Tile, in_percent, plates
from streamer.compare_study import Study
from streamer.contact_sheet import Pixels

JPEG = (
    cv2.IMWRITE_JPEG_QUALITY, 88,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)  # fmt: skip
"""How pictures are compressed: the paint's colors are as sharp as its light."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
TERMS = ("content", "style", "variation", "temporal")
HEADINGS = ("method", "iterations", "energy", "gap", "temporal error", "s / frame", "shares of the energy")
MEANING = {
    "energy": "What is lowered, without the flow loss: content, style and smoothness, weighed. The mean over the "
    "judged frames.",
    "gap": "0 is the energy that many iterations reach, 100 % that of the frame itself. The mean over the first and "
    "the last judged frame.",
    "temporal error": "Between neighboring paintings, the first moved along the flow: the root of the mean square "
    "over all pixels seen in both frames; 0 is steady, 1 is black turned white. The clip's own is what the flow cannot "
    "explain: light, noise, and its own errors.",
    "s / frame": "Wall clock of this machine, the flow included.",
    "iterations": "Per frame, all passes together.",
}


def page(findings: Findings, studies: Sequence[Study]) -> str:
    """Return the HTML of a comparison."""
    sections = [_head_of(findings)]
    if len(studies) > 1:
        title = f"Mean over {len(studies)} pairs of clip and painting"
        sections.append(_section("mean", title, _table(findings.mean)))
    shown: set[str] = set()
    for number, study in enumerate(studies, 1):
        title = _name(study.found) if len(studies) > 1 else "In numbers and in pictures"
        sections.append(_pair(study, number, title=title, has_new_clip=study.found.clip not in shown))
        shown.add(study.found.clip)
    sections.append(_how(findings))
    style = (files("streamer") / "compare.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>DeepMovie: {escape(_subject(findings.pairs))}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{''.join(sections)}</main>\n</body>\n</html>\n"
    )


def _subject(pairs: Sequence[Pair]) -> str:
    clips, styles = dict.fromkeys(pair.clip for pair in pairs), dict.fromkeys(pair.style for pair in pairs)
    subject = f"{' and '.join(clips)} in {' and '.join(styles)}"
    return subject[0].upper() + subject[1:] if subject.startswith("the ") else subject


def _head_of(findings: Findings) -> str:
    links = [f'<a href="#pair-{number}">{escape(_name(pair))}</a>' for number, pair in enumerate(findings.pairs, 1)]
    contents = f"<nav>{''.join(links)}</nav>\n" if len(links) > 1 else ""
    return (
        f'<header>\n<p class="kicker">DeepMovie, compared</p>\n<h1>{escape(_subject(findings.pairs))}</h1>\n'
        '<p class="lede">The same frames, painted towards the same energy in every way of the paper and in the '
        "daemon\u2019s own: how near each comes to the style, how steady it is, and what it costs."
        f"{_in_short(findings)}</p>\n{contents}</header>\n"
    )


def _in_short(findings: Findings) -> str:
    """Return one sentence: what ours does with the fewest iterations, against the paper's main method."""
    rows = {row.method: row for row in findings.mean}
    ours = min((row for row in rows.values() if row.method.startswith("live")), key=lambda row: row.iterations)
    flow = rows["flow"]
    if not (ours.temporal_rmse and flow.temporal_rmse):
        return ""
    error, energy = ours.temporal_rmse / flow.temporal_rmse, ours.energy / flow.energy
    return (
        f" <strong>With {ours.iterations} iterations a frame, ours has {error:.2f} times the temporal error of the "
        f"paper\u2019s main method with {flow.iterations}, at {energy:.2f} times its energy and in "
        f"{ours.seconds_per_frame / flow.seconds_per_frame:.2f} times its time.</strong>"
    )


def _pair(study: Study, number: int, *, title: str, has_new_clip: bool) -> str:
    pair = study.found
    numbers = ", ".join(map(str, pair.judged))
    drawn = {chart.name: as_svg(chart, prefix=f"pair-{number}-{chart.name}") for chart in charts(pair)}
    parts = [
        f'<p class="facts">{pair.size[0]} \u00d7 {pair.size[1]} pixels; judged on the frames {numbers}</p>\n',
        _table(pair.rows, floor=pair.floor),
    ]
    for plate in plates(study):
        if plate.name == "flow" and not has_new_clip:
            continue  # it would be the same as before, as the flow knows nothing of the painting
        parts.append(_plate(plate, chart=drawn.get("light", "") if plate.name == "matching" else ""))
        if plate.name == "frames" and "gap" in drawn:
            parts.append(_curves([drawn[name] for name in ("gap", "error") if name in drawn]))
    return _section(f"pair-{number}", title, "".join(parts))


def _name(pair: Pair) -> str:
    return f"{pair.clip} in {pair.style}"


def _section(name: str, title: str, content: str) -> str:
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n{content}</section>\n'


def _table(rows: Sequence[Row], *, floor: float | None = None) -> str:
    headings = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS)
    errors = [row.temporal_rmse for row in rows if row.temporal_rmse is not None]
    best = Best(min(row.energy for row in rows), min(errors, default=None), max(errors, default=0.0))
    body = "".join(_row(row, best) for row in rows)
    if floor is not None:
        body += (
            f'<tr class="floor"><th scope="row">the clip itself</th><td></td><td></td><td></td>'
            f"<td>{floor:.4f}</td><td></td><td></td></tr>\n"
        )
    terms = "".join(f'<li><i class="{name}"></i>{name}</li>' for name in TERMS)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{headings}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n'
        f'<ul class="terms">{terms}</ul>\n'
    )


@dataclass(frozen=True, slots=True)
class Best:
    """What a table's cells are seen against."""

    energy: float
    error: float | None
    largest_error: float


def _row(row: Row, best: Best) -> str:
    error = "<td>\u2013</td>"
    if row.temporal_rmse is not None:
        number = _strong(f"{row.temporal_rmse:.4f}", row.temporal_rmse == best.error)
        share = row.temporal_rmse / best.largest_error
        error = f'<td>{number}<i class="bar" style="--share: {share:.3f}"></i></td>'
    return (
        f'<tr><th scope="row">{escape(row.label)}<small>{escape(row.told)}</small></th><td>{row.effort}</td>'
        f"<td>{_strong(f'{row.energy:.2f}', row.energy == best.energy)}</td><td>{in_percent(row.gap)}</td>{error}"
        f"<td>{row.seconds_per_frame:.2f}</td><td>{_shares(row)}</td></tr>\n"
    )


def _strong(text: str, is_best: bool) -> str:  # noqa: FBT001 - one fact
    return f"<strong>{text}</strong>" if is_best else text


def _shares(row: Row) -> str:
    """Return the shares of the terms as one bar, and below it in percent."""
    known = [name for name in TERMS if row.shares.get(name)]
    parts = "".join(f'<i class="{name}" style="flex-grow: {row.shares[name]:.4f}"></i>' for name in known)
    told = " \u00b7 ".join(f"{row.shares[name]:.0%}" for name in known)
    words = ", ".join(f"{name} {row.shares[name]:.0%}" for name in known)
    return f'<span class="shares" role="img" aria-label="{words}">{parts}</span><small>{told}</small>'


def _plate(plate: Plate, *, chart: str) -> str:
    tiles = "".join(_tile(tile) for tile in plate.tiles)
    return (
        f'<figure class="plate {plate.name}">\n<figcaption><h3>{escape(plate.title)}</h3>'
        f"<p>{escape(plate.caption)}</p></figcaption>\n"
        f'<div class="tiles" style="--columns: {plate.columns}">\n{tiles}</div>\n{chart}</figure>\n'
    )


def _tile(tile: Tile) -> str:
    note = f"<span>{escape(tile.note)}</span>" if tile.note else ""
    height, width = tile.picture.shape[:2]
    return (
        f'<div class="tile"><p><b>{escape(tile.label)}</b>{note}</p>'
        f'<img src="{_data_url(tile.picture)}" width="{width}" height="{height}" alt="{escape(tile.label)}"></div>\n'
    )


def _data_url(picture: Pixels) -> str:
    encoded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), JPEG)[1]
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _curves(drawn: Sequence[str]) -> str:
    return (
        '<figure class="curves">\n<figcaption><h3>What iterations buy</h3><p>Each way to begin a frame, with ever more '
        f"iterations per frame; for live video there are two to eight.</p></figcaption>\n<div>{''.join(drawn)}</div>\n"
        "</figure>\n"
    )


def _how(findings: Findings) -> str:
    meaning = "".join(f"<dt>{name}</dt><dd>{told}</dd>" for name, told in MEANING.items())
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(told)}</dd></div>" for name, told in _facts(findings))
    return (
        f'<section id="how">\n<h2>How it was measured</h2>\n<dl>{meaning}</dl>\n'
        f'<h3>Settings</h3>\n<dl class="settings">{facts}</dl>\n'
        f"<h3>Command</h3>\n<pre><code>{escape(findings.command)}</code></pre>\n</section>\n"
    )


def _facts(findings: Findings) -> list[tuple[str, str]]:
    """Return settings, effort, machine and versions in words."""
    told = {
        **{f"paint.{key}": value for key, value in findings.settings.items()},
        **findings.effort,
        **findings.machine,
        "deepmovie": findings.version,
        "took": f"{findings.seconds:.0f} s",
    }
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for name, value in told.items()
    ]
