"""What goes wrong with networks that others made."""


class NetworkError(ValueError):
    """A network cannot be used, or failed; says what was expected and what came."""
