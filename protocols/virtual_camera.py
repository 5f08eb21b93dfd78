"""A camera that other programs of this machine can choose: a V4L2 output device, such as v4l2loopback makes."""

import errno
import fcntl
import os
import select
import struct

import cv2
import numpy as np

from protocols.errors import SinkError
from protocols.frame import Frame

# From <linux/videodev2.h>; struct v4l2_format is 208 bytes, and the union within it begins at 8.
_GET_FORMAT, _SET_FORMAT = 0xC0D05604, 0xC0D05605
_FORMAT = struct.Struct("=I4x12I152x")
_BUFFER_TYPE_OUTPUT, _PROGRESSIVE, _SRGB = 2, 1, 8
_YUYV = int.from_bytes(b"YUYV", "little")

_PATIENCE_MS = 1000
_REASONS = {
    errno.ENOENT: "not_found",
    errno.ENODEV: "not_found",
    errno.ENXIO: "not_found",
    errno.EACCES: "refused",
    errno.EPERM: "refused",
    errno.EBUSY: "refused",
}


class VirtualCameraSink:
    """Shows frames to whatever opens the device as a camera, in the format every webcam speaks (YUYV).

    A picture with a side of odd length loses a column. One of another size sets the device up anew, which the device
    refuses while somebody watches it.

    Args:
        device: its path.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._file: int | None = None
        self._shape: tuple[int, ...] | None = None

    def open(self) -> None:
        """Open the device.

        Raises:
            SinkError: there is none, it cannot be opened, or it is a camera itself.
        """
        self.close()
        try:
            self._file = os.open(self._device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            # Not by its capabilities: v4l2loopback hides this one from those who come while somebody watches.
            fcntl.ioctl(self._file, _GET_FORMAT, bytearray(_FORMAT.pack(_BUFFER_TYPE_OUTPUT, *[0] * 12)))
        except OSError as error:
            self.close()
            raise self._failure(error) from error

    def write(self, frame: Frame) -> None:
        """Show one frame.

        Raises:
            SinkError: the device does not take it.
        """
        if self._file is None:
            raise SinkError(f"{self._device} is not open", reason="failed")
        image = frame.image[:, : frame.image.shape[1] // 2 * 2]
        picture = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_YUYV))
        try:
            if self._shape != image.shape:
                self._set_up(self._file, *image.shape[:2])
                self._shape = image.shape
            self._show(self._file, picture.data.cast("B"))
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Let go of the device."""
        if self._file is not None:
            os.close(self._file)
        self._file = self._shape = None

    def _set_up(self, file: int, height: int, width: int) -> None:
        """Agree on the format with the device."""
        wanted = (width, height, _YUYV, _PROGRESSIVE, 2 * width, 2 * width * height, _SRGB)
        asked = bytearray(_FORMAT.pack(_BUFFER_TYPE_OUTPUT, *wanted, 0, 0, 0, 0, 0))
        fcntl.ioctl(file, _SET_FORMAT, asked)
        _, *got = _FORMAT.unpack(asked)
        if got[:3] != list(wanted[:3]) or got[4] != 2 * width:
            given = f"{got[0]} x {got[1]} {got[2].to_bytes(4, 'little').decode('latin-1')}"
            raise SinkError(f"{self._device} was asked for {width} x {height} YUYV and gives {given}", reason="failed")

    def _show(self, file: int, picture: memoryview) -> None:
        # Not the other way round: v4l2loopback is not ready to be written to before it was written to.
        try:
            written = os.write(file, picture)
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(file, select.POLLOUT)
            if not waiting.poll(_PATIENCE_MS):
                raise SinkError(f"{self._device} takes no pictures", reason="stalled") from None
            written = os.write(file, picture)
        if written != len(picture):
            raise SinkError(f"{self._device} took {written} of {len(picture)} bytes", reason="failed")

    def _failure(self, error: OSError) -> SinkError:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            text = f"{self._device} takes no pictures; v4l2loopback makes a device that does"
            return SinkError(text, reason="failed")
        return SinkError(f"{self._device}: {error.strerror}", reason=_REASONS.get(error.errno or 0, "failed"))
