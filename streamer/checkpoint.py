"""The form of a checkpoint, the picture's memory in a file: tensors in, bytes out, and back.

It is a safetensors file whose metadata says whose picture it is, and which holds the SHA-256 of itself (taken with
zeros in the place of the digest), so that no changed byte goes unnoticed. There is no pickle in it, and no secret.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

FORMAT = "deepmovie-checkpoint-1"
MAX_HEADER_BYTES = 1 << 16
BYTES_PER_PIXEL = 4 * 34
"""At most: three colors of five maps, the heat, and the eighteen maps of L-BFGS; see `models.memory`."""
_BLANK = "0" * 64


class CheckpointError(ValueError):
    """A checkpoint that is not ours to go on from.

    Args:
        message: for people.
        reason: in one word, for counting.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose picture it is. One that differs in anything is foreign."""

    name: str
    """Of the stream."""
    version: str
    """Of the program."""
    size: str
    """Long side of the painted picture."""
    weights: str
    """Their fingerprint."""
    style: str
    """The fingerprint of the painting."""


def encode(tensors: Mapping[str, Tensor], origin: Origin, *, saved_at: float) -> bytes:
    """Return the file.

    Args:
        tensors: on the CPU.
        origin: whose they are.
        saved_at: now, in seconds since 1970.
    """
    own = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}  # no two may share memory
    facts = {"format": FORMAT, **asdict(origin), "saved_at": repr(saved_at), "sha256": _BLANK}
    blank = save(own, facts)
    return blank.replace(_BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def decode(data: bytes, *, origin: Origin, now: float, max_age_s: float) -> tuple[dict[str, Tensor], float]:
    """Return the tensors, and how old they are in seconds.

    Args:
        data: the file, whatever is in it.
        origin: whose picture it must be.
        now: seconds since 1970.
        max_age_s: what is older is refused.

    Raises:
        CheckpointError: it is damaged, foreign, too old, or from the future.
    """
    facts = _facts(data)
    digest = facts.get("sha256", "")
    if len(digest) != len(_BLANK) or _digest_without(digest, data) != digest:
        raise CheckpointError("its contents do not have the SHA-256 that it names", reason="damaged")
    for key, expected in {"format": FORMAT, **asdict(origin)}.items():
        if facts.get(key) != expected:
            raise CheckpointError(f"expected {key} {expected[:80]!r}, got {facts.get(key, '')[:80]!r}", reason=key)
    age_s = now - _number(facts.get("saved_at", ""))
    if age_s < 0:
        raise CheckpointError(f"it was saved {-age_s:.1f} s from now", reason="future")
    if not age_s <= max_age_s:  # also if it is no number
        raise CheckpointError(f"expected one of the last {max_age_s:g} s, got one {age_s:.0f} s old", reason="old")
    try:
        return load(data), age_s
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"its tensors cannot be read: {error}", reason="damaged") from None


def _digest_without(digest: str, data: bytes) -> str:
    """Return the SHA-256 of the file as it was before its digest was put in."""
    return hashlib.sha256(data.replace(digest.encode("ascii", "replace"), _BLANK.encode(), 1)).hexdigest()


def _facts(data: bytes) -> dict[str, str]:
    """Return the metadata: the file begins with the length of a header, 8 bytes, and the header, JSON."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 + length or length > MAX_HEADER_BYTES:
        raise CheckpointError(f"its header cannot have {length} of {len(data)} bytes", reason="damaged")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        raise CheckpointError("its header is not JSON", reason="damaged") from None
    facts = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
        raise CheckpointError("its header does not say whose it is", reason="damaged")
    return facts


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CheckpointError(f"saved_at must be a number, got {text[:80]!r}", reason="damaged") from None
