"""The sink that keeps nothing: for measuring and for trying things out."""

from protocols.frame import Frame


class NullSink:
    """Takes every frame and lets go of it."""

    def open(self) -> None:
        """Nothing to open."""

    def write(self, frame: Frame) -> None:
        """Let go of the frame."""

    def close(self) -> None:
        """Nothing to close."""
