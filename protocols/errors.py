"""What can go wrong at the edges. Everything here is raised to the streamer, which logs and retries.

TransportError
 +-- SourceError   the source failed; another try may help
 +-- SinkError     the sink failed; another try may help
 +-- WireError     one message is not a frame; drop it and go on
"""


class TransportError(Exception):
    """Something between us and a peer failed.

    Args:
        message: for people; holds no password.
        reason: one word for machines (a metric's label), such as ``eof`` or ``stalled``.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SourceError(TransportError):
    """A source ended, stalled or could not be opened.

    Reasons: ``eof``, ``stalled``, ``open_timeout``, ``refused``, ``auth``, ``not_found``, ``redirect``,
    ``tls``, ``protocol``, ``format``, ``in_use``, ``failed``.
    """


class SinkError(TransportError):
    """A sink could not be opened or written.

    Reasons: ``in_use``, ``refused``, ``auth``, ``stalled``, ``disk``, ``failed``.
    """


class WireError(TransportError):
    """A message does not hold a frame.

    Reasons: ``parts``, ``header``, ``version``, ``shape``, ``dtype``, ``pixels``, ``length``, ``decode``, ``goodbye``.
    """
