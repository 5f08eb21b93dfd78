"""Whether SIGHUP says that the terminal is gone, as it did before daemons began to be told by it to read again."""

import os
import signal


class Terminal:
    """The terminal that this process was started from, if there is one that it should end with."""

    def __init__(self) -> None:
        self._is_ours = _is_there() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN  # as under nohup

    @property
    def is_gone(self) -> bool:
        """Whether it was closed."""
        return self._is_ours and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
