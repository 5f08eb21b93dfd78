"""The form of a checkpoint: what was written is read, and nothing else is."""

import json
import random
from dataclasses import fields, replace

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from models.memory import Memory
from streamer.checkpoint import FORMAT, CheckpointError, Origin, decode, encode
from tests.end_to_end.figures import figure
from tests.tiny import random_image

ORIGIN = Origin(name="door", version="1.0", size="64", weights="w", style="s*1")
NOW = 1_800_000_000.0
MUTATIONS = 10_000


def tensors() -> dict[str, Tensor]:
    """Return a memory, two maps of which are one, as after the first frame."""
    frame = random_image(16, 24)
    return {
        "content": frame,
        "image": frame.flip(3),
        "mean": frame - 0.5,
        "square": frame**2,
        "heat": frame[:, :1],
        "rest": frame,
        "count": torch.tensor(12),
    }


def read(data: bytes, *, origin: Origin = ORIGIN, now: float = NOW + 1) -> tuple[dict[str, Tensor], float]:
    return decode(data, origin=origin, now=now, max_age_s=600)


def reason(data: bytes, *, origin: Origin = ORIGIN, now: float = NOW + 1) -> str:
    """Return why it is refused."""
    with pytest.raises(CheckpointError) as caught:
        read(data, origin=origin, now=now)
    return caught.value.reason


def test_what_was_written_is_read_bit_for_bit() -> None:
    found, age_s = read(encode(tensors(), ORIGIN, saved_at=NOW - 2.5))
    assert age_s == 3.5
    assert found.keys() == tensors().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors().items())
    Memory.of(found)


def test_ten_thousand_damaged_files_are_refused_without_a_crash() -> None:
    whole, rng = encode(tensors(), ORIGIN, saved_at=NOW), random.Random(0)
    header = int.from_bytes(whole[:8], "little") + 8
    read(whole)
    restored = 0
    for number in range(MUTATIONS):
        data = damaged(whole, header if number % 2 else len(whole), rng)
        try:
            read(data)
        except CheckpointError:
            continue
        restored += data != whole
    figure("row 47", mutations=MUTATIONS, wrong_restores=restored, crashes=0)
    assert restored == 0


def damaged(whole: bytes, most: int, rng: random.Random) -> bytes:
    """Return the file with something changed among its first ``most`` bytes."""
    place = rng.randrange(most)
    match rng.randrange(5):
        case 0:
            return whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :]
        case 1:
            return whole[:place]
        case 2:
            return whole[:place] + rng.randbytes(rng.randrange(1, 9)) + whole[place:]
        case 3:
            end = place + rng.randrange(1, 4096)
            return whole[:place] + bytes(len(whole[place:end])) + whole[end:]
        case _:
            return whole + rng.randbytes(rng.randrange(1, 64))


def test_a_header_rewritten_in_any_field_is_refused() -> None:
    whole = encode(tensors(), ORIGIN, saved_at=NOW)
    length = int.from_bytes(whole[:8], "little")
    header, body = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    places = [(part, key) for part, facts in header.items() for key in facts]
    values: tuple[object, ...] = (
        None,
        -1,
        0,
        2**63,
        1e308,
        "",
        "x",
        "\ud800",
        [],
        {},
        [[]],
        header["__metadata__"]["sha256"],
    )
    for part, key in places:
        for value in values:
            text = json.dumps({**header, part: {**header[part], key: value}}).encode()
            assert reason(len(text).to_bytes(8, "little") + text + body) == "damaged", (part, key, value)


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"[]", b"1", b'{"__metadata__": 1}', b'{"__metadata__": {"sha256": 1}}', b"[" * 60_000, b"\xff"],
    ids=lambda header: header[:20].decode("latin1"),
)
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    assert reason(len(header).to_bytes(8, "little") + header) == "damaged"


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\xff" * 8, b"\xff" * 100])
def test_what_is_too_short_for_its_header_is_refused(data: bytes) -> None:
    assert reason(data) == "damaged"


@pytest.mark.parametrize("field", [field.name for field in fields(Origin)])
def test_what_is_foreign_in_anything_is_refused(field: str) -> None:
    other = replace(ORIGIN, **{field: "another"})
    assert reason(encode(tensors(), other, saved_at=NOW)) == field


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.checkpoint.FORMAT", "deepmovie-checkpoint-0")
    old = encode(tensors(), ORIGIN, saved_at=NOW)
    monkeypatch.setattr("streamer.checkpoint.FORMAT", FORMAT)
    assert reason(old) == "format"


@pytest.mark.parametrize(
    ("saved_at", "why"), [(NOW - 600, "old"), (NOW + 2, "future"), (float("nan"), "old"), (float("-inf"), "old")]
)
def test_what_is_too_old_or_from_the_future_is_refused(saved_at: float, why: str) -> None:
    assert reason(encode(tensors(), ORIGIN, saved_at=saved_at)) == why


def test_a_safetensors_file_of_somebody_else_is_refused() -> None:
    assert reason(save({name: tensor.clone() for name, tensor in tensors().items()})) == "damaged"
