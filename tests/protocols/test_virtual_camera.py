"""The virtual camera. What needs one asks for it: ``DEEPMOVIE_VIRTUAL_CAMERA=/dev/video7`` names a v4l2loopback device.

modprobe v4l2loopback video_nr=7 exclusive_caps=1
"""

import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from protocols.errors import SinkError
from protocols.frame import Frame
from protocols.video import VideoSource
from protocols.virtual_camera import VirtualCameraSink

COLOR = (200, 40, 60)


@pytest.fixture
def device() -> str:
    """Return the device to test with."""
    if device := os.environ.get("DEEPMOVIE_VIRTUAL_CAMERA"):
        return device
    pytest.skip("DEEPMOVIE_VIRTUAL_CAMERA names no v4l2loopback device")


@pytest.fixture
def camera(device: str) -> Iterator[VirtualCameraSink]:
    sink = VirtualCameraSink(device)
    sink.open()
    yield sink
    sink.close()


def frame(number: int, *, width: int = 256, height: int = 144) -> Frame:
    image = np.full((height, width, 3), COLOR, np.uint8)
    return Frame(image=image, sequence=number, pts=number / 25, captured_at=0, received_at=0)


def watched(device: str, camera: VirtualCameraSink, *, width: int = 256) -> Frame:
    """Return what another program sees while frames go out."""
    stop = threading.Event()

    def show() -> None:
        number = 0
        while not stop.wait(0.04):
            camera.write(frame(number, width=width))
            number += 1

    camera.write(frame(0, width=width))
    thread = threading.Thread(target=show)
    thread.start()
    try:
        source = VideoSource(device, kind="camera", live=True, open_timeout_s=30, stall_timeout_s=10)
        return next(item for item in source.frames(threading.Event()) if isinstance(item, Frame))
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("width", [256, 257])
def test_another_program_sees_what_is_shown(device: str, camera: VirtualCameraSink, width: int) -> None:
    seen = watched(device, camera, width=width)
    assert seen.image.shape == (144, 256, 3)
    assert np.abs(seen.image.mean((0, 1)) - COLOR).max() < 6


def test_it_can_be_opened_again_while_somebody_watches(device: str, camera: VirtualCameraSink) -> None:
    camera.write(frame(0))
    watching = VideoSource(device, kind="camera", live=True, open_timeout_s=30, stall_timeout_s=10)
    stop, seen = threading.Event(), threading.Event()

    def watch() -> None:
        for _ in watching.frames(stop):
            seen.set()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        while not seen.wait(0.04):
            camera.write(frame(0))
        camera.close()
        camera.open()
        camera.write(frame(0))
    finally:
        stop.set()
        thread.join()


def test_a_new_size_is_shown_when_nobody_watches(device: str, camera: VirtualCameraSink) -> None:
    watched(device, camera)
    camera.close()
    camera.open()
    assert watched(device, camera, width=320).image.shape == (144, 320, 3)


@pytest.mark.parametrize(("path", "reason"), [("/dev/video-none", "not_found"), ("/dev/null", "failed")])
def test_what_is_no_camera_to_write_to_is_told(path: str, reason: str) -> None:
    sink = VirtualCameraSink(path)
    with pytest.raises(SinkError) as caught:
        sink.open()
    assert caught.value.reason == reason
    assert path in str(caught.value)
    with pytest.raises(SinkError, match="not open"):
        sink.write(frame(0))
    sink.close()
