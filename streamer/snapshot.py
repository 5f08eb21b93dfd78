"""A painted frame as a file that says how it was painted."""

import io
import time
from importlib.metadata import version

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from protocols.frame import Frame
from streamer.paint import Hot


def as_png(frame: Frame, hot: Hot) -> bytes:
    """Return the picture as a PNG.

    Its text chunks are ``Software`` (with our version), ``Creation Time`` (of the capture), ``Style`` (the painting's
    name), ``Settings`` (all of ``hot``, as JSON) and, if the frame was painted, ``Iterations``.
    """
    facts = PngInfo()
    facts.add_text("Software", f"deepmovie {version('deepmovie')}")
    facts.add_text("Creation Time", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(frame.captured_at)))
    facts.add_text("Style", hot.style)
    facts.add_text("Settings", hot.model_dump_json())
    if frame.painting:
        facts.add_text("Iterations", str(frame.painting.iterations))
    file = io.BytesIO()
    Image.fromarray(frame.image).save(file, "PNG", pnginfo=facts)
    return file.getvalue()
