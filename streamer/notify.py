"""Tell systemd how we are: one datagram per message, as sd_notify(3) does it."""

import os
import socket
from collections.abc import Mapping

from protocols.url import redact

MAX_STATUS_CHARS = 1000


def notifier(environ: Mapping[str, str] = os.environ) -> "Notifier":
    """Return what talks to the service manager named in ``environ``, or what says nothing when there is none."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address.startswith("@"):
        return Notifier("\0" + address[1:])
    return Notifier(address) if address.startswith("/") else SilentNotifier()


def watchdog_interval_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how often to feed the watchdog, half of what is allowed; None when it does not watch this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    usec = environ.get("WATCHDOG_USEC", "")
    return int(usec) / 2e6 if usec.isascii() and usec.isdigit() and int(usec) > 0 else None


class Notifier:
    """Sends states to a socket. Never blocks, never raises: a full or dead socket costs the message, nothing else.

    Each method returns whether the message went out.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(0)

    def ready(self, status: str) -> bool:
        """The start, or a reload, is complete."""
        return self._send("READY=1", f"STATUS={_one_line(status)}")

    def status(self, text: str) -> bool:
        """What ``systemctl status`` shows."""
        return self._send(f"STATUS={_one_line(text)}")

    def watchdog(self) -> bool:
        """We are alive; to be called on proof of progress only."""
        return self._send("WATCHDOG=1")

    def stopping(self) -> bool:
        """The shutdown has begun."""
        return self._send("STOPPING=1")

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _send(self, *assignments: str) -> bool:
        try:
            self._socket.sendto("\n".join(assignments).encode(errors="replace"), self._address)
        except OSError:  # full, gone, never there, closed by us: nothing we could do about it here
            return False
        return True


class SilentNotifier(Notifier):
    """Stands in where no service manager listens."""

    def __init__(self) -> None:
        """Open nothing."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _send(self, *assignments: str) -> bool:  # noqa: ARG002 - nobody listens
        return False


def _one_line(text: str) -> str:
    """Return ``text`` without passwords and without line ends, which would begin another assignment."""
    return " ".join(redact(text).split())[:MAX_STATUS_CHARS]
