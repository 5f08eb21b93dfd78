"""Frames become exactly these bytes, and whatever bytes come back, only a WireError can come of them."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import WireError
from protocols.frame import Frame, Painting
from protocols.header import COUNT_MAX
from protocols.wire import Limits, decode, encode, topics

SMALL = Limits(max_pixels=64 * 64, min_side_px=2, max_message_bytes=65536)

PIXELS = np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]], np.uint8)
BGR_BYTES = bytes([3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10])
PAINTED = Frame(PIXELS, 7, 0.25, 1700000000.5, 12.5, epoch=3, dropped=2, stale=True, painting=Painting(4, cut=True))
PAINTED_HEADER = (
    b'{"msg": "cam1", "dtype": "uint8", "shape": [2, 2, 3], "v": 1, "seq": 7, "epoch": 3, "pts": 0.25, '
    b'"captured_at": 1700000000.5, "published_at": 1700000001.0, "age_ms": 500.0, "dropped": 2, "stale": true, '
    b'"iterations": 4, "cut": true, "temporal_error": null}'
)


def picture(height: int = 32, width: int = 48) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a smooth picture with three different channels."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([y * 255 // height, x * 255 // width, (x + y) * 2 % 256], axis=-1).astype(np.uint8)


def plain_frame(image: np.ndarray[Any, np.dtype[np.uint8]], **facts: Any) -> Frame:
    return dataclasses.replace(Frame(image, 1, 0.0, 1.7e9, 0.0), **facts)


def facts_of(frame: Frame) -> list[object]:
    return [getattr(frame, field.name) for field in dataclasses.fields(Frame) if field.name != "image"]


def read(header: object, payload: bytes = BGR_BYTES, *, limits: Limits = SMALL) -> Frame:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return decode([text, payload], limits=limits, received_at=0.0).frame


def fault_of(parts: list[bytes]) -> str | None:
    """Return why a message is refused, None if it holds a frame."""
    try:
        image = decode(parts, limits=SMALL, received_at=0.0).frame.image
    except WireError as error:
        return error.reason
    return None if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 else "not a picture"


STOCK = {"msg": "cam1", "dtype": "uint8", "shape": [2, 2, 3]}
OURS = STOCK | {"v": 1, "seq": 1, "epoch": 0, "pts": 0, "captured_at": 0}


# -- literal bytes ----------------------------------------------------------------------------------------------------


def test_a_painted_frame_becomes_these_bytes() -> None:
    header, payload = encode(PAINTED, name="cam1", published_at=1700000001.0, age_ms=500.0)
    assert header == PAINTED_HEADER
    assert bytes(payload) == BGR_BYTES


def test_these_bytes_become_a_painted_frame() -> None:
    message = decode([PAINTED_HEADER, BGR_BYTES], limits=SMALL, received_at=99.0)
    assert (message.name, message.had_sequence, message.published_at, message.age_ms) == ("cam1", True, 1700000001, 500)
    assert np.array_equal(message.frame.image, PIXELS)
    assert facts_of(message.frame) == facts_of(dataclasses.replace(PAINTED, received_at=99.0))


def test_these_bytes_of_stock_imagezmq_become_a_frame_without_a_number() -> None:
    message = decode([b'{"msg":"cam1","dtype":"uint8","shape":[2,2,3]}', BGR_BYTES], limits=SMALL, received_at=1.0)
    assert not message.had_sequence
    assert message.frame.painting is None
    assert np.array_equal(message.frame.image, PIXELS)


def test_a_frame_that_is_not_painted_has_no_painter_s_facts_in_its_header() -> None:
    header = json.loads(bytes(encode(plain_frame(PIXELS), name="x")[0]))
    assert not {"iterations", "cut", "temporal_error"} & set(header)


def test_the_header_begins_with_the_topic_of_its_stream() -> None:
    ours, stock = topics('cam "1"')
    assert encode(PAINTED, name='cam "1"')[0][: len(ours)] == ours
    assert json.dumps({"msg": 'cam "1"'}, separators=(",", ":")).encode().startswith(stock)


def test_the_age_is_the_time_since_the_frame_was_received() -> None:
    header = json.loads(bytes(encode(plain_frame(PIXELS, received_at=time.monotonic() - 2.0), name="x")[0]))
    assert 2000 <= header["age_ms"] < 60_000
    assert abs(header["published_at"] - time.time()) < 60


def test_an_image_is_rgb_here_and_contiguous_and_bgr_in_a_jpeg_reader_s_eyes() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 250
    header, payload = encode(plain_frame(red), name="x", format="jpeg", quality=95)
    seen = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    assert seen[8, 8, 2] > 240
    assert seen[8, 8, 0] < 12
    frame = decode([header, payload], limits=SMALL, received_at=0.0).frame
    assert frame.image[8, 8, 0] > 240
    assert frame.image.flags.c_contiguous


counts = st.integers(0, COUNT_MAX)
paintings = st.builds(Painting, st.integers(0, 10**6), cut=st.booleans(), temporal_error=st.none() | st.floats(0, 1))
frames = st.builds(
    Frame,
    st.just(PIXELS),
    sequence=counts,
    pts=st.floats(-1e11, 1e11),
    captured_at=st.floats(0, 1e11),
    received_at=st.just(0.0),
    epoch=counts,
    dropped=counts,
    stale=st.booleans(),
    painting=st.none() | paintings,
)


@given(frames)
def test_every_fact_survives_the_wire(frame: Frame) -> None:
    back = decode(encode(frame, name="é"), limits=SMALL, received_at=0.0).frame
    assert facts_of(back) == facts_of(frame)


@pytest.mark.parametrize(
    "facts",
    [
        {"pts": float("nan")},
        {"pts": float("inf")},
        {"captured_at": -1.0},
        {"sequence": -1},
        {"sequence": 2**64},
        {"painting": Painting(1, temporal_error=float("nan"))},
        {"painting": Painting(-1)},
    ],
)
def test_a_fact_that_no_header_can_carry_is_not_sent(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be sent"):
        encode(plain_frame(PIXELS, **facts), name="x")


def test_a_name_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(ValueError, match="1024 bytes"):
        encode(plain_frame(PIXELS), name="x" * 1000)


# -- strangers' bytes -------------------------------------------------------------------------------------------------


def test_unknown_and_repeated_keys_are_no_fault() -> None:
    assert read(b'{"msg":"a","msg":"b","x":[{}],"dtype":"uint8","shape":[2,2,3]}').image.shape == (2, 2, 3)


WRONG_PARTS = [[], [b"{}"], [b"{}", b"", b""], [b"x"] * 5]


@pytest.mark.parametrize("parts", WRONG_PARTS, ids=len)
def test_a_message_has_two_parts(parts: list[bytes]) -> None:
    with pytest.raises(WireError) as caught:
        decode(parts, limits=SMALL, received_at=0.0)
    assert caught.value.reason == "parts"


NOT_HEADERS = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"1",
    b"{",
    b"[" * 1000,
    b'{"a":' * 200,
    b'{"msg": "x"' + b" " * 1024 + b"}",
    b"{}",
    b'{"msg": 1}',
    b'{"msg": null}',
    b'{"msg": "\\ud800"}',
    b'{"msg": "\\u001b[2J"}',
    b'{"msg": "x", "format": "png"}',
    b'{"msg": "x", "format": ["jpeg"]}',
    b'{"msg": "x", "format": null}',
]


@pytest.mark.parametrize("header", NOT_HEADERS, ids=lambda header: ascii(header[:20]))
def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(WireError) as caught:
        read(header)
    assert caught.value.reason == "header"
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("version", ["2", "0", "1.0", "true", '"1"', "null", "[1]", "1e999", "9" * 400])
def test_another_version_is_refused(version: str) -> None:
    with pytest.raises(WireError) as caught:
        read(json.dumps(OURS).replace('"v": 1', f'"v": {version}').encode())
    assert caught.value.reason == "version"


NOT_INTEGERS = ["-1", "1.5", "true", "null", '"1"', "[]", "18446744073709551616", "9" * 400, "NaN", "1e999"]
NOT_NUMBERS = ["true", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, '"1"', "[]", "{}"]
NOT_FLAGS = ["0", "1", "null", '"true"', "[]"]
WRONG_FACTS = [
    *((key, value) for key in ("seq", "epoch", "dropped", "iterations") for value in NOT_INTEGERS),
    *((key, value) for key in ("pts", "captured_at", "published_at", "age_ms") for value in [*NOT_NUMBERS, "null"]),
    *(("temporal_error", value) for value in [*NOT_NUMBERS, "-0.1", "1.1"]),
    *((key, value) for key in ("stale", "cut") for value in NOT_FLAGS),
]


@pytest.mark.parametrize(("key", "value"), WRONG_FACTS, ids=lambda text: text[:12])
def test_a_fact_of_the_wrong_type_or_range_is_refused(key: str, value: str) -> None:
    others = {name: fact for name, fact in OURS.items() if name != key}
    with pytest.raises(WireError) as caught:
        read(json.dumps(others).replace("}", f', "{key}": {value}}}').encode())
    assert caught.value.reason == "header"
    assert f'"{key}"' in str(caught.value)


@pytest.mark.parametrize("key", ["seq", "epoch", "pts", "captured_at"])
def test_a_fact_that_is_missing_is_refused(key: str) -> None:
    with pytest.raises(WireError, match=key):
        read({name: fact for name, fact in OURS.items() if name != key})


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"dtype": "float64"}, "dtype"),
        ({"dtype": None}, "dtype"),
        ({"dtype": ["uint8"]}, "dtype"),
        ({"shape": [2, 2]}, "shape"),
        ({"shape": [2, 2, 4]}, "shape"),
        ({"shape": [2, 2, 3, 1]}, "shape"),
        ({"shape": [2.0, 2, 3]}, "shape"),
        ({"shape": [True, 2, 3]}, "shape"),
        ({"shape": "2x2"}, "shape"),
        ({"shape": [-2, -2, 3]}, "shape"),
        ({"shape": [0, 2, 3]}, "shape"),
        ({"shape": [1, 12, 3]}, "shape"),
        ({"shape": [65, 64, 3]}, "pixels"),
        ({"shape": [10**200, 10**200, 3]}, "pixels"),
        ({"shape": [2, 3, 3]}, "length"),
        ({"shape": [64, 64, 3]}, "length"),
    ],
)
def test_a_lying_shape_is_refused(header: dict[str, Any], reason: str) -> None:
    with pytest.raises(WireError) as caught:
        read(STOCK | header)
    assert caught.value.reason == reason


def test_a_payload_over_the_limit_is_refused() -> None:
    with pytest.raises(WireError, match="65536 bytes"):
        read({"msg": "x"}, bytes(65537))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
mutated = st.builds(
    lambda base, changes: json.dumps(base | changes).encode(),
    st.sampled_from([STOCK, OURS, {"msg": "x"}, {"msg": "x", "format": "jpeg"}]),
    st.dictionaries(st.sampled_from([*OURS, "format", "stale", "cut", "iterations", "temporal_error"]), json_values),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.binary(max_size=64) | mutated, max_size=3) | st.tuples(mutated, st.binary(max_size=64)).map(list))
def test_nothing_but_a_wire_error_comes_of_any_bytes(parts: list[bytes]) -> None:
    assert fault_of(parts) in {None, "parts", "header", "version", "shape", "dtype", "pixels", "length", "decode"}


# -- JPEG -------------------------------------------------------------------------------------------------------------

JPEG_HEADER = {"msg": "x", "format": "jpeg"}


def jpeg(image: np.ndarray[Any, Any], *options: int) -> bytes:
    return cv2.imencode(".jpg", image, options)[1].tobytes()


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)])
@pytest.mark.parametrize("factor", [0x111111, 0x211111, 0x221111, 0x121111])
def test_a_jpeg_is_read_as_opencv_reads_it(options: tuple[int, ...], factor: int) -> None:
    data = jpeg(picture(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, *options)
    reference = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert reference is not None
    difference = read(JPEG_HEADER, data).image.astype(int) - reference[..., ::-1]
    assert np.abs(difference).mean() < 0.7
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.5


def test_a_gray_jpeg_becomes_a_gray_rgb_frame() -> None:
    image = read(JPEG_HEADER, jpeg(np.full((32, 32), 100, np.uint8))).image
    assert image.shape == (32, 32, 3)
    assert np.abs(image.astype(int) - 100).max() <= 1


def test_a_jpeg_that_holds_rgb_is_read_as_opencv_reads_it() -> None:
    data = jpeg(picture(), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)
    start = data.index(b"\xff\xe0")  # the JFIF segment; Adobe's says that nothing was transformed
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    data = data[:start] + adobe + data[start + 18 :]
    reference = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert reference is not None
    assert np.abs(read(JPEG_HEADER, data).image.astype(int) - reference[..., ::-1]).max() <= 3


def test_a_jpeg_of_odd_size_keeps_its_size() -> None:
    assert read(JPEG_HEADER, jpeg(picture(33, 47))).image.shape == (33, 47, 3)


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 20, 300, 0.5, 0.9])
def test_a_truncated_jpeg_is_refused(kept: float) -> None:
    data = jpeg(picture())
    with pytest.raises(WireError) as caught:
        read(JPEG_HEADER, data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    assert caught.value.reason == "decode"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_nothing_but_a_wire_error_comes_of_a_damaged_jpeg(damage: list[tuple[int, int]]) -> None:
    data = bytearray(jpeg(picture()))
    for at, value in damage:
        data[at % len(data)] = value
    assert fault_of([b'{"msg": "x"}', bytes(data)]) in {None, "decode", "shape", "pixels"}


def test_a_damaged_jpeg_leaves_no_word_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(jpeg(picture()))
    data[len(data) // 2 :: 7] = bytes(len(data[len(data) // 2 :: 7]))
    with pytest.raises(WireError):
        read(JPEG_HEADER, bytes(data))
    assert capfd.readouterr() == ("", "")


def resized(data: bytes, height: int, width: int, *, components: int = 3) -> bytes:
    """Return the JPEG with another size in its frame header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([components]) + data[at + 5 :]


def bomb() -> bytes:
    return jpeg(np.zeros((8192, 8192, 3), np.uint8))


def two_sizes() -> bytes:
    """Return a JPEG whose second frame header is larger than the first one."""
    data = jpeg(picture())
    start = data.index(b"\xff\xc0")
    segment = data[start : start + 19]
    return data[:start] + segment + resized(segment, 16000, 16000) + data[start + 19 :]


BOMBS = {
    "8192 x 8192 of one color": (bomb(), "pixels"),
    "a lying size": (resized(jpeg(picture()), 65535, 65535), "pixels"),
    "no size": (resized(jpeg(picture()), 0, 0), "shape"),
    "two sizes": (two_sizes(), "decode"),
    "a PNG": (cv2.imencode(".png", np.zeros((8192, 8192), np.uint8))[1].tobytes(), "decode"),
    "endless segments": (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 10**6, "decode"),
    "endless fillers": (b"\xff\xd8" + b"\xff" * 10**6, "decode"),
    "endless scans": (jpeg(picture()) + b"\xff\xda" * 1000, "decode"),
}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (BOMBS["endless segments"][0], "1000 segments"),
        (BOMBS["endless scans"][0], "32 scans"),
        (jpeg(picture()).replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "12 bits"),
        (resized(jpeg(picture()), 32, 48, components=4), "4 components"),
        (jpeg(picture()).replace(b"\xff\xc0", b"\xff\xc9"), "marker ff c9"),
    ],
)
def test_a_jpeg_that_no_camera_makes_is_refused_before_it_is_decoded(data: bytes, told: str) -> None:
    with pytest.raises(WireError, match=told):
        read(JPEG_HEADER, data, limits=Limits())


def peak_bytes() -> int:
    """Return the most memory this process had since the last ``forget_peak``."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_without_an_allocation(name: str) -> None:
    data, reason = BOMBS[name]
    forget_peak()
    before_bytes = peak_bytes()
    with pytest.raises(WireError) as caught:
        read(JPEG_HEADER, data, limits=Limits())
    assert caught.value.reason == reason
    assert peak_bytes() - before_bytes < len(data) + 8 * 2**20
