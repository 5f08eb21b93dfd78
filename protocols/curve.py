"""Who may come in: our own key, the keys that may feed us, the keys that may watch (ZeroMQ CURVE, RFC 26)."""

from dataclasses import dataclass
from pathlib import Path

import zmq

from protocols.keys import NOBODY, KeyPair, PublicKeys, read_folder, read_pair, read_public

ZAP_DOMAIN = b"deepmovie"
"""Each end has a context of its own, and so a ZAP handler and an allow-list of its own; the name tells nothing."""


class AllowList:
    """The public keys that may come in at a door. Replaced whole, from any thread, while sockets use it.

    Args:
        folder: of ``.pub`` files, which ``read`` reads; None: nobody may come in.

    Raises:
        KeyFileError: the folder holds something else.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.keys = self.read()

    def read(self) -> PublicKeys:
        """Return the keys that are in the folder now; nothing changes by it.

        Raises:
            KeyFileError: it cannot be read whole.
        """
        return NOBODY if self.folder is None else read_folder(self.folder)

    def replace(self, keys: PublicKeys) -> None:
        """Let in whose key is in ``keys``, nobody else. Who is in without it is cut off, within a second."""
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Curve:
    """How a socket proves who it is, and whom it believes."""

    own: KeyPair
    allowed: AllowList | None = None
    """Who may connect to our bound socket. None: we connect, to the one who has the ``server`` key."""
    server: bytes = b""
    """Public key of the one we connect to, Z85."""

    def lock(self, socket: zmq.Socket[bytes]) -> None:
        """Let the socket speak CURVE and nothing else; must be called before it is attached."""
        socket.curve_secretkey = self.own.secret
        socket.curve_publickey = self.own.public
        if self.allowed is None:
            socket.curve_serverkey = self.server
            return
        socket.curve_server = True
        socket.zap_domain = ZAP_DOMAIN
        socket.zap_enforce_domain = True  # or libzmq would take any key while nobody answers for us


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one daemon."""

    own: KeyPair
    feeders: AllowList
    viewers: AllowList

    @classmethod
    def read(cls, key: Path, *, feeders: Path | None = None, viewers: Path | None = None) -> "Keyring":
        """Return what is in a ``.key`` file and in two folders of ``.pub`` files.

        Raises:
            KeyFileError: one of them cannot be used.
        """
        return cls(read_pair(key), AllowList(feeders), AllowList(viewers))

    def for_source(self, peer: Path | None = None) -> Curve:
        """Return how a source knows who feeds it.

        Args:
            peer: the ``.pub`` file of the one it connects to; None: it binds, and takes those in the list.

        Raises:
            KeyFileError: the file cannot be used.
        """
        return self._curve(self.feeders, peer)

    def for_sink(self, peer: Path | None = None) -> Curve:
        """Return how a sink knows who watches; as ``for_source``."""
        return self._curve(self.viewers, peer)

    def _curve(self, allowed: AllowList, peer: Path | None) -> Curve:
        return Curve(self.own, allowed=allowed) if peer is None else Curve(self.own, server=read_public(peer))
