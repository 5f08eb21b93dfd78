"""How the daemon ends: its exit codes, and which error asks for which."""

import errno
from enum import IntEnum

from streamer.config import ConfigError

INTERRUPTED, UNREAD = 130, 141
"""What a shell makes of a program that Ctrl-C has ended, or the end of whoever read what it printed."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class Exit(IntEnum):
    """What systemd and the shell are told (numbers above 63 are those of sysexits.h)."""

    STOPPED = 0
    BUG = 1
    USAGE = 2
    UNAVAILABLE = 69
    GPU_LOST = 70
    RESOURCES = 75
    CONFIGURATION = 78


class FatalError(Exception):
    """The daemon cannot go on, and the reason is not a bug.

    Args:
        message: for people; holds no password.
        code: how to exit.
    """

    def __init__(self, message: str, *, code: Exit) -> None:
        super().__init__(message)
        self.code = code


def exit_code(error: BaseException) -> Exit:
    """Return the exit code for an error that ended a thread or the start.

    Errors of torch are known by their names, so that this file does not import it.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, FatalError):
        return error.code
    if isinstance(error, ConfigError):
        return Exit.CONFIGURATION
    if "AcceleratorError" in names:
        return Exit.GPU_LOST
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return Exit.RESOURCES
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        return Exit.RESOURCES
    return Exit.BUG
