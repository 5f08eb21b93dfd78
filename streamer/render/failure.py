"""What ended the work in one process, as it is told to the one that asked for it: in words, so that it arrives."""

from dataclasses import dataclass

from protocols.errors import SinkError, SourceError
from streamer.config import ConfigError
from streamer.exits import Exit, FatalError

EXPECTED = (SourceError, ConfigError, FatalError, OSError)
"""Whatever else is raised is a bug of ours."""
_SOURCE, _CONFIG, _DISK, _FATAL = "source", "config", "disk", "fatal"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that was expected."""

    kind: str
    message: str
    code: int = Exit.BUG
    """How to exit, if the kind does not say."""

    @classmethod
    def of(cls, error: SourceError | ConfigError | FatalError | OSError) -> "Failure":
        """Return what is told of one of the `EXPECTED` errors."""
        if isinstance(error, SourceError):
            return cls(_SOURCE, str(error))
        if isinstance(error, ConfigError):
            return cls(_CONFIG, "; ".join(error.problems))
        if isinstance(error, FatalError):
            return cls(_FATAL, str(error), error.code)
        return cls(_DISK, f"{error.filename or 'the work folder'}: {error.strerror or error}")

    def error(self) -> Exception:
        """Return what is to be raised for it here."""
        if self.kind == _FATAL:
            return FatalError(self.message, code=Exit(self.code))
        if self.kind == _SOURCE:
            return SourceError(self.message, reason="failed")
        if self.kind == _DISK:
            return SinkError(self.message, reason="disk")
        return ConfigError(self.message)
