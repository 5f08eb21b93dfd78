"""The weighed daemon with two faults planted in it: a leak of 1 KiB with every frame, and one frame that gets lost.

It shows that the soak test would notice them.
"""

import sys

from protocols.frame import Frame
from streamer.cli import main
from streamer.telemetry import Telemetry
from streamer.workers import SinkWorker
from tests.end_to_end.weighed import weigh

LEAK_B = 1024
LOST = 700
"""The sequence number of the frame that no sink gets."""


def plant() -> None:
    """Let the daemon of this process leak and lose."""
    leaked: list[bytearray] = []
    publish, hand = Telemetry.publish, SinkWorker.hand

    def leaking(self: Telemetry, frame: Frame) -> None:
        leaked.append(bytearray(LEAK_B))
        publish(self, frame)

    def losing(self: SinkWorker, frame: Frame) -> None:
        if frame.sequence != LOST:
            hand(self, frame)

    Telemetry.publish, SinkWorker.hand = leaking, losing  # type: ignore[method-assign]


if __name__ == "__main__":
    plant()
    weigh()
    sys.exit(main())
