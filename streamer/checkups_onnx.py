"""The doctor's look at onnxruntime: which device a session really runs on."""

import contextlib
import io
from collections.abc import Iterator

import torch

from streamer.diagnosis import Finding, Status, first_line, ok


def examine() -> Iterator[Finding]:
    """Yield where a session runs. A missing GPU library makes it run on the CPU without a word."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            providers = _providers()
    except ImportError as error:
        yield Finding(
            "onnxruntime runs", Status.WARN, first_line(error), "pip install --force-reinstall onnxruntime-gpu"
        )
        return
    if providers[0] == "CPUExecutionProvider" and torch.cuda.is_available():
        mend = "pip install 'nvidia-curand>=10,<11'; and only onnxruntime-gpu, not onnxruntime"
        yield Finding("onnxruntime runs", Status.WARN, f"on the CPU, though there is a GPU. {said.getvalue()}", mend)
    else:
        yield ok("onnxruntime runs", f"with {providers[0]}")


def _providers() -> list[str]:
    import onnxruntime  # noqa: PLC0415 - examined here

    onnxruntime.disable_telemetry_events()
    if torch.cuda.is_available():
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # it tells of a fallback on stderr; we ask the session
    session = onnxruntime.InferenceSession(identity_model(), options, providers=_wanted(onnxruntime))
    found: list[str] = session.get_providers()
    return found


def _wanted(onnxruntime: object) -> list[str]:
    available = onnxruntime.get_available_providers()  # type: ignore[attr-defined]
    return [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available]


def identity_model() -> bytes:
    """Return an ONNX file that gives back its input, one float: written out, as it takes no library to do so.

    A field of the file is its number times eight plus two, the length of its content, and the content; an integer has
    no length, and no two.
    """
    shape = _field(2, _field(1, b"\x08\x01"))  # dimension 1
    kind = _field(1, b"\x08\x01" + shape)  # tensor of float32
    put, got = (_field(1, name) + _field(2, kind) for name in (b"x", b"y"))
    node = _field(1, b"x") + _field(2, b"y") + _field(4, b"Identity")
    graph = _field(1, node) + _field(2, b"g") + _field(11, put) + _field(12, got)
    return b"\x08\x08" + _field(7, graph) + _field(8, b"\x10\x0d")  # format 8, operators of edition 13


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2, len(content))) + content
