"""Copies what a film holds beside its pictures, sound and subtitles, into another film."""

import io
from collections.abc import Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from protocols.decoding import FAILURES
from protocols.errors import SourceError

_COPIED = ("audio", "subtitle")
_FORMS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}


def left_out(source: Path, suffix: str) -> dict[str, list[str]]:
    """Return the streams of a film that one that ends so cannot hold, and the endings of films that can.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with closing(av.open(f"file:{source}")) as film:
            holders = {_name(stream): _holders(stream) for stream in _others(film)}
            return {name: able for name, able in holders.items() if suffix.lower() not in able}
    except FAILURES as error:
        failure = SourceError(f"{source}: {getattr(error, 'strerror', None) or error}", reason="failed")
    raise failure


def copied(source: InputContainer, film: OutputContainer) -> dict[int, Stream]:
    """Give a film that is not begun the streams of the source that it can hold; return them by their number there."""
    kept: dict[int, Stream] = {}
    film.metadata.update({name: text for name, text in source.metadata.items() if name in {"title", "artist", "date"}})
    for stream in _others(source):
        if _is_held(stream, film.format.name):
            copy = kept[stream.index] = _add(stream, film)
            copy.metadata.update({key: text for key, text in stream.metadata.items() if key == "language"})
            copy.disposition = stream.disposition
    return kept


def packets(source: InputContainer, kept: dict[int, Stream], until_s: Fraction | None) -> "Iterator[Packet[Any]]":
    """Yield what is copied, up to where the source ends or is cut off."""
    for packet in _steadied(_read(source, kept)):
        if until_s is None or seconds(packet) < until_s:
            packet.stream = kept[packet.stream.index]
            yield packet


def seconds(packet: "Packet[Any]") -> Fraction:
    """Return when a packet is due, in s."""
    return Fraction(packet.dts or 0) * packet.time_base


def _others(film: InputContainer) -> list[Stream]:
    return [stream for stream in film.streams if stream.type in _COPIED]


def _name(stream: Stream) -> str:
    # By its canonical name: what decodes MP3 here is called mp3float.
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
    return f"{stream.type} {stream.index} ({codec})"


def _holders(stream: Stream) -> list[str]:
    return [suffix for suffix, form in _FORMS.items() if _is_held(stream, form)]


def _is_held(stream: Stream, form: str) -> bool:
    """Return whether a film of this form can hold a stream: FFmpeg's list of codecs promises more than is written."""
    try:
        with closing(av.open(io.BytesIO(), "w", format=form)) as trial:
            _add(stream, trial)
            trial.start_encoding()
    except (*FAILURES, ValueError):
        return False
    return True


def _add(stream: Stream, film: OutputContainer) -> Stream:
    copy: Stream = film.add_stream_from_template(stream)
    copy.time_base = stream.time_base
    return copy


def _read(source: InputContainer, kept: dict[int, Stream]) -> "Iterator[Packet[Any]]":
    found = source.demux([source.streams[index] for index in kept])
    while True:
        try:
            packet = next(found, None)
        except FAILURES:
            return  # as far as it can be heard in the source, it can be heard here
        if packet is None:
            return
        if packet.size and packet.dts is not None:
            yield packet


def _steadied(packets: "Iterable[Packet[Any]]") -> "Iterator[Packet[Any]]":
    """Yield packets whose times never go back, as they do where recordings were put one behind the other.

    As with pictures: what comes too early is due when the one before it is over.
    """
    last: dict[int, int] = {}
    for packet in packets:
        number, dts = packet.stream.index, packet.dts
        assert dts is not None  # noqa: S101 - such are not copied
        is_sound = packet.stream.type == "audio"  # subtitles may begin together
        if number in last and dts < last[number] + is_sound:
            due = last[number] + (max(1, packet.duration or 0) if is_sound else 0)
            packet.dts, packet.pts = due, due
        last[number] = dts if packet.dts is None else packet.dts
        yield packet
