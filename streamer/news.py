"""What the main thread hears: from the threads of the stream, and from signals."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assembled:
    """Everything the settings ask for was made."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A sink was opened, or at least tried, for the first time."""

    part: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A thread of the stream came to its end; with an error, if that is why."""

    part: str
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Signaled:
    """Somebody wants us to stop."""

    signal: str


@dataclass(frozen=True, slots=True)
class ReloadWanted:
    """Somebody wants the settings to be read again."""


News = Assembled | Tried | Ended | Signaled | ReloadWanted
