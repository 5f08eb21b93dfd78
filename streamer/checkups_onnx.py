"""The doctor's look at onnxruntime: which device a session really runs on."""

from collections.abc import Iterator

import torch

from streamer.diagnosis import Finding, Status, first_line, ok
from streamer.paint import Paint


def examine(paint: Paint) -> Iterator[Finding]:
    """Yield where a session runs. A missing GPU library makes it run on the CPU without a word."""
    try:
        from models.onnx_network import CPU, open_session, preload, provider  # noqa: PLC0415 - examined here
    except ImportError as error:
        status = Status.FAIL if "onnx:" in paint.flow + paint.fill else Status.WARN
        yield Finding("onnxruntime runs", status, first_line(error), "pip install --force-reinstall onnxruntime-gpu")
        return
    has_gpu = torch.cuda.is_available()
    found = provider(open_session(identity_model(), torch.device("cuda" if has_gpu else "cpu")))
    if found == CPU and has_gpu:
        mend = "pip install 'nvidia-curand>=10,<11'; and only onnxruntime-gpu, not onnxruntime"
        yield Finding("onnxruntime runs", Status.WARN, f"on the CPU, though there is a GPU. {preload()}", mend)
    else:
        yield ok("onnxruntime runs", f"with {found}")


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
