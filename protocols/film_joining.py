"""Joins the pieces of a film without encoding again, and copies in what else the source holds: sound, subtitles."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

from protocols.decoding import FAILURES
from protocols.errors import SinkError
from protocols.film_copying import copied, packets, seconds

_MP4 = {"movflags": "+faststart"}


@dataclass(frozen=True, slots=True)
class Cut:
    """One piece and when its pictures are shown."""

    path: Path
    """See `protocols.film_writing.Piece`."""
    ticks: Sequence[int]
    """Of each of its pictures."""
    ends: int
    """The ticks at which the last one has been seen."""


def join(
    cuts: Iterable[Cut],
    out: Path,
    *,
    time_base: Fraction,
    rate: Fraction,
    source: Path | None = None,
    until: int | None = None,
) -> None:
    """Write the film.

    Args:
        cuts: the pieces in order, at least one.
        out: an .mp4, .mov or .mkv file; written over.
        time_base: what a tick lasts, in s.
        rate: pictures per second, about: only what the film says of itself.
        source: where sound and subtitles come from, those that the film can hold; None: there are none.
        until: the ticks at which they end; None: with the source.

    Raises:
        SinkError: it could not be written.
    """
    cuts = iter(cuts)
    first = next(cuts)
    with ExitStack() as opened:
        try:
            film = opened.enter_context(closing(av.open(f"file:{out}", "w", options=_options(out, time_base))))
            head = opened.enter_context(closing(av.open(f"file:{first.path}")))
            picture = film.add_stream_from_template(head.streams.video[0])
            picture.time_base, picture.codec_context.framerate = time_base, rate
            others = None if source is None else opened.enter_context(closing(av.open(f"file:{source}")))
            kept = copied(others, film) if others else {}
            pictures = _pictures([first], cuts, picture, time_base)
            until_s = None if until is None else until * time_base
            rest = packets(others, kept, until_s) if others and kept else ()
            for packet in heapq.merge(pictures, rest, key=seconds):
                film.mux_one(packet)
            film.close()
        except FAILURES as error:
            failure = SinkError(f"{out}: {getattr(error, 'strerror', None) or error}", reason="disk")
        else:
            return
    raise failure


def count_pictures(film: Path) -> int:
    """Return how many pictures a film holds, without decoding them."""
    with closing(av.open(f"file:{film}")) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _options(out: Path, time_base: Fraction) -> dict[str, str]:
    """Return what keeps times exact: how late a stream begins is written in ticks of the whole film."""
    return {} if out.suffix.lower() == ".mkv" else {**_MP4, "movie_timescale": str(time_base.denominator)}


def _pictures(
    first: Iterable[Cut], others: Iterable[Cut], stream: VideoStream, time_base: Fraction
) -> "Iterator[Packet[Any]]":
    """Yield the packets of all pieces at their times."""
    for cuts in (first, others):
        for cut in cuts:
            ends = [*cut.ticks[1:], cut.ends]
            with closing(av.open(f"file:{cut.path}")) as piece:
                coded = (packet for packet in piece.demux(video=0) if packet.size)
                for packet, ticks, end in zip(coded, cut.ticks, ends, strict=True):
                    packet.time_base, packet.pts, packet.dts = time_base, ticks, ticks
                    packet.duration = end - ticks
                    packet.stream = stream
                    yield packet
