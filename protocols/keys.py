"""Key files of ZeroMQ CURVE: made, and read only where nobody else could have read or changed them.

The format is that of pyzmq (``zmq.auth.load_certificate`` reads ours). ``NAME.key`` holds both keys of one program and
stays with it; ``NAME.pub`` holds the public one, for the programs at the other end.
"""

import os
import re
import stat
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import zmq
from zmq.utils import z85

from protocols.private import PrivateFileError, read_private

MAX_FILE_BYTES = 4096
MAX_KEYS = 1000
KEY_BYTES = 32

PublicKeys = Mapping[bytes, str]
"""Public key in Z85 -> name of its owner."""

NOBODY: PublicKeys = MappingProxyType({})

_LINE = re.compile(r'^\s*(public|secret)-key\s*=\s*"([^"\n]*)"\s*$', re.MULTILINE)
_PAIR_HEADER = "#   The secret key of one program, for ZeroMQ CURVE. It stays with that program.\n"
_PUBLIC_HEADER = "#   The public key of one program, for ZeroMQ CURVE. Give it to those who should know that program.\n"


class KeyFileError(ValueError):
    """A key file cannot be used; names the file and what is wrong with it, never what is in it."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Who a program is."""

    public: bytes
    """Z85, 40 characters."""
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair({self.public.decode()!r})"


def make_pair() -> KeyPair:
    """Return a new pair."""
    return KeyPair(*zmq.curve_keypair())


def write_pair(pair: KeyPair, path: Path) -> tuple[Path, Path]:
    """Write ``PATH.key``, which only we can read, and ``PATH.pub``; return both paths.

    Raises:
        KeyFileError: one of them is there already, or cannot be written. What is there stays as it is.
    """
    if not path.name.isprintable() or not path.name.strip("."):
        raise KeyFileError(f"{str(path)!r}: expected the name of a file")
    secret, public = path.with_name(f"{path.name}.key"), path.with_name(f"{path.name}.pub")
    public_line = f'curve\n    public-key = "{pair.public.decode()}"\n'
    secret_line = f'    secret-key = "{pair.secret.decode()}"\n'
    if os.path.lexists(public):
        raise KeyFileError(f"{public} exists; a key is never overwritten")
    _create(secret, _PAIR_HEADER + public_line + secret_line, mode=0o600)
    _create(public, _PUBLIC_HEADER + public_line, mode=0o644)
    return secret, public


def read_pair(path: Path) -> KeyPair:
    """Return the pair in a ``.key`` file.

    Raises:
        KeyFileError: it holds none; or it is a symbolic link, somebody else's or readable for others.
    """
    keys = _read(path, forbidden=stat.S_IRWXG | stat.S_IRWXO)
    if "secret" not in keys:
        raise KeyFileError(f"{path}: expected a line secret-key = ..., as 'deepmovie keygen' writes it")
    secret = keys["secret"]
    public = zmq.curve_public(secret)
    if keys.get("public", public) != public:
        raise KeyFileError(f"{path}: its public and its secret key are not a pair")
    return KeyPair(public, secret)


def read_public(path: Path) -> bytes:
    """Return the public key in a ``.pub`` file.

    Raises:
        KeyFileError: it holds none, holds a secret one too, or others may change it.
    """
    keys = _read(path, forbidden=stat.S_IWOTH)
    if "secret" in keys:
        raise KeyFileError(
            f"{path}: holds a secret key, which stays with its program; expected the .pub file beside it"
        )
    if "public" not in keys:
        raise KeyFileError(f"{path}: expected a line public-key = ..., as 'deepmovie keygen' writes it")
    return keys["public"]


def read_folder(folder: Path) -> PublicKeys:
    """Return the keys in the ``.pub`` files of a folder, by the names of their files; other files are left alone.

    Raises:
        KeyFileError: a file holds no key or one that another file holds, or others may change file or folder.
    """
    try:
        if folder.stat().st_mode & stat.S_IWOTH:
            raise KeyFileError(f"{folder}: everybody may write there, and so let anybody in; expected chmod o-w")
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".pub")
    except OSError as error:
        raise KeyFileError(f"{folder}: expected a folder of .pub files: {error.strerror}") from None
    if len(paths) > MAX_KEYS:
        raise KeyFileError(f"{folder}: expected at most {MAX_KEYS} keys, got {len(paths)}")
    keys: dict[bytes, str] = {}
    for path in paths:
        key = read_public(path)
        if key in keys:
            raise KeyFileError(f"{path}: holds the same key as {keys[key]}.pub; expected one file for each key")
        keys[key] = path.stem
    return keys


def _create(path: Path, text: str, *, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise KeyFileError(f"{path} exists; a key is never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(text)


def _read(path: Path, *, forbidden: int) -> dict[str, bytes]:
    """Return the keys in a file of ours or of root whose mode has none of the ``forbidden`` bits."""
    try:
        content = read_private(path, max_bytes=MAX_FILE_BYTES, forbidden=forbidden)
    except PrivateFileError as error:
        raise KeyFileError(str(error)) from None
    return {name: _checked(path, key) for name, key in _LINE.findall(content.decode("latin-1"))}


def _checked(path: Path, key: str) -> bytes:
    with suppress(ValueError, KeyError, struct.error):
        if len(z85.decode(key)) == KEY_BYTES:
            return key.encode()
    raise KeyFileError(f"{path}: a key has 40 characters of Z85, got {len(key)} or other ones")
