"""The doctor's look at what carries frames: OpenCV, the H.264 encoder, ZeroMQ."""

import time
from fractions import Fraction

import numpy as np

from streamer.diagnosis import Finding, Status, first_line, ok

SIDE = 64
CLOSE = 12.0
"""Mean difference of 8-bit levels up to which an encoded picture is the same."""
PATIENCE_MS = 3000


def opencv() -> Finding:
    """Import OpenCV and use it."""
    try:
        import cv2  # noqa: PLC0415 - examined here

        cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    except (ImportError, AttributeError) as error:
        mend = "pip uninstall -y opencv-python opencv-python-headless; pip install opencv-python-headless"
        return Finding("opencv runs", Status.FAIL, first_line(error), mend)
    return ok("opencv runs", cv2.__version__)


def h264() -> Finding:
    """Open the encoder, encode two frames, and decode them: a name in a list of encoders says little."""
    try:
        import av  # noqa: PLC0415 - examined here
    except ImportError as error:
        return Finding("H.264", Status.FAIL, first_line(error), "pip install --force-reinstall av")
    picture = np.full((SIDE, SIDE, 3), 60, np.uint8)
    picture[:, SIDE // 2 :] = 200
    try:
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width = encoder.height = SIDE
        encoder.pix_fmt, encoder.framerate = "yuv420p", Fraction(25)
        encoder.options = {"preset": "veryfast", "tune": "zerolatency"}
        packets = [packet for _ in range(2) for packet in encoder.encode(av.VideoFrame.from_ndarray(picture))]
        packets += encoder.encode(None)
        decoder = av.CodecContext.create("h264", "r")
        frames = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
    except (av.error.FFmpegError, ValueError) as error:
        return Finding("H.264", Status.FAIL, f"libx264: {first_line(error)}", "pip install --force-reinstall av")
    if len(frames) != 2 or _difference(frames[-1].to_ndarray(format="rgb24"), picture) > CLOSE:
        found = f"libx264: of 2 frames {len(frames)} came back, or another picture"
        return Finding("H.264", Status.FAIL, found, "pip install --force-reinstall av")
    return ok("H.264", f"libx264 of PyAV {av.__version__}: encoded and decoded two frames")


def zeromq() -> Finding:
    """Send a message over the loopback."""
    import zmq  # noqa: PLC0415 - examined here

    began = time.perf_counter()
    with zmq.Context() as context, context.socket(zmq.PUSH) as push, context.socket(zmq.PULL) as pull:
        push.linger = pull.linger = 0
        push.sndtimeo = pull.rcvtimeo = PATIENCE_MS
        try:
            port = pull.bind_to_random_port("tcp://127.0.0.1")
            push.connect(f"tcp://127.0.0.1:{port}")
            push.send(b"frame")
            pull.recv()
        except zmq.ZMQError as error:
            mend = "let programs of this machine reach each other at 127.0.0.1 (firewall, network namespace)"
            return Finding("ZeroMQ", Status.FAIL, f"no message over 127.0.0.1: {first_line(error)}", mend)
    milliseconds = 1000 * (time.perf_counter() - began)
    return ok("ZeroMQ", f"libzmq {zmq.zmq_version()}: a message over 127.0.0.1 in {milliseconds:.0f} ms")


def _difference(picture: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(picture.astype(float) - other.astype(float)).mean())
