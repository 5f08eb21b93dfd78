"""What happened at the doors of our sockets, counted until somebody asks."""

from dataclasses import dataclass
from threading import Lock
from typing import Literal

Event = Literal[
    "peer_auth_failed",
    "peer_handshake_timeout",
    "peer_disconnected",
    "peer_revoked",
    "source_conflict",
    "zap_handler_down",
    "memory_guard",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """How often something happened, and what was said the last time."""

    count: int
    detail: str


class Notices:
    """Counts what peers do. Any thread may add; nothing waits, nothing grows with the number of peers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._notices: dict[Event, Notice] = {}

    def add(self, event: Event, detail: str) -> None:
        """Something happened once more; ``detail`` is for people and holds no secret."""
        with self._lock:
            seen = self._notices.get(event)
            self._notices[event] = Notice(seen.count + 1 if seen else 1, detail)

    def counts(self) -> dict[Event, Notice]:
        """Return what happened so far, by event."""
        with self._lock:
            return dict(self._notices)
