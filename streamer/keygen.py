"""``deepmovie keygen``: a key of our own for ZeroMQ, and what to do with it."""

from pathlib import Path

from protocols.keys import KeyFileError, make_pair, write_pair
from streamer.config import ConfigError

NEXT_STEPS = """\
{secret} is the secret key of one program: it stays where it is.
{public} is its public key: copy it to the programs at the other end.

In the settings of the program that has {secret.name}:

  [security]
  key = "{secret}"
  feeders = "FOLDER"   # with the .pub files of those who may send it frames
  viewers = "FOLDER"   # with the .pub files of those who may receive them

Who connects to it ends the address in #peer={public.name}, has a key of its own,
and gives the .pub file of that to the folder."""


def keygen(path: Path) -> str:
    """Write ``PATH.key`` and ``PATH.pub``; return what people should do next.

    Raises:
        ConfigError: one of them is there, or cannot be written.
    """
    try:
        secret, public = write_pair(make_pair(), path.expanduser().absolute())
    except KeyFileError as error:
        raise ConfigError(f"keygen: {error}") from None
    return NEXT_STEPS.format(secret=secret, public=public)
