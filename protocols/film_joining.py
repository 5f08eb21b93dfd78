"""Joins the pieces of a film without encoding again, and copies in what else the source holds: sound, subtitles."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from protocols.decoding import FAILURES
from protocols.errors import SinkError

_COPIED = ("audio", "subtitle")
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
    cuts: Iterable[Cut], out: Path, *, time_base: Fraction, source: Path | None = None, until: int | None = None
) -> list[str]:
    """Write the film, and return which streams of the source it cannot hold.

    Args:
        cuts: the pieces in order, at least one.
        out: an .mp4, .mov or .mkv file; written over.
        time_base: what a tick lasts, in s.
        source: where sound and subtitles come from; None: there are none.
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
            picture.time_base = time_base
            others = None if source is None else opened.enter_context(closing(av.open(f"file:{source}")))
            kept, left_out = _copied(others, film) if others else ({}, [])
            pictures = _pictures([first], cuts, picture, time_base)
            rest = _rest(others, kept, until * time_base if until is not None else None) if others and kept else ()
            for packet in heapq.merge(pictures, rest, key=_time):
                film.mux_one(packet)
            film.close()
        except FAILURES as error:
            failure = SinkError(f"{out}: {getattr(error, 'strerror', None) or error}", reason="disk")
        else:
            return left_out
    raise failure


def count_pictures(film: Path) -> int:
    """Return how many pictures a film holds, without decoding them."""
    with closing(av.open(f"file:{film}")) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _options(out: Path, time_base: Fraction) -> dict[str, str]:
    """Return what keeps times exact: how late a stream begins is written in ticks of the whole film."""
    return {} if out.suffix.lower() == ".mkv" else {**_MP4, "movie_timescale": str(time_base.denominator)}


def _copied(source: InputContainer, film: OutputContainer) -> tuple[dict[int, Stream], list[str]]:
    """Return the film's streams by the number that they have in the source, and what the film cannot hold."""
    kept: dict[int, Stream] = {}
    left_out = []
    film.metadata.update({name: text for name, text in source.metadata.items() if name in {"title", "artist", "date"}})
    for stream in source.streams:
        if stream.type not in _COPIED:
            continue
        # By its canonical name: what decodes MP3 here is called mp3float.
        name = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        if name not in film.supported_codecs:
            left_out.append(f"{stream.type} {stream.index} ({name})")
            continue
        copy: Any = film.add_stream_from_template(stream)
        copy.time_base = stream.time_base
        copy.metadata.update({key: text for key, text in stream.metadata.items() if key == "language"})
        copy.disposition = stream.disposition
        kept[stream.index] = copy
    return kept, left_out


def _pictures(
    first: Iterable[Cut], others: Iterable[Cut], stream: VideoStream, time_base: Fraction
) -> "Iterator[Packet[Any]]":
    """Yield the packets of all pieces at their times."""
    for cuts in (first, others):
        for cut in cuts:
            ends = [*cut.ticks[1:], cut.ends]
            with closing(av.open(f"file:{cut.path}")) as piece:
                packets = (packet for packet in piece.demux(video=0) if packet.size)
                for packet, ticks, end in zip(packets, cut.ticks, ends, strict=True):
                    packet.time_base, packet.pts, packet.dts = time_base, ticks, ticks
                    packet.duration = end - ticks
                    packet.stream = stream
                    yield packet


def _rest(source: InputContainer, kept: dict[int, Stream], until_s: Fraction | None) -> "Iterator[Packet[Any]]":
    """Yield what is copied, up to where the source ends or is cut off."""
    packets = source.demux([source.streams[index] for index in kept])
    while True:
        try:
            packet = next(packets, None)
        except FAILURES:
            return  # as far as it can be heard in the source, it can be heard here
        if packet is None:
            return
        if packet.size and packet.dts is not None and (until_s is None or _time(packet) < until_s):
            packet.stream = kept[packet.stream.index]
            yield packet


def _time(packet: "Packet[Any]") -> Fraction:
    """Return when a packet is due, in s."""
    return Fraction(packet.dts or 0) * packet.time_base
