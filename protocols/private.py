"""Files that nobody else may read: keys and secrets."""

import os
import stat
import struct
from pathlib import Path

_ACL = "system.posix_acl_access"
_ACL_VERSION, _ACL_ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_GROUP_OBJECT, _GROUP = 0x04, 0x08


class PrivateFileError(ValueError):
    """A file cannot be used; names it and what is wrong with it, never what is in it."""


def read_private(path: Path, *, max_bytes: int, forbidden: int = stat.S_IRWXG | stat.S_IRWXO) -> bytes:
    """Return what is in a file of ours or of root whose mode has none of the ``forbidden`` bits.

    systemd lets a service read its credentials by an access list, which shows in the bits of the group though the group
    gets nothing; those bits are no offense then.

    Raises:
        PrivateFileError: it is a symbolic link, no file, somebody else's, open to others, or too large.
    """
    try:
        # Not blocking: a pipe would keep us waiting for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            _refuse_unsafe(path, descriptor, forbidden)
            content = file.read(max_bytes + 1)
    except OSError as error:
        what = (
            "is a symbolic link; expected the file itself" if path.is_symlink() else f"cannot be read: {error.strerror}"
        )
        raise PrivateFileError(f"{path}: {what}") from None
    if len(content) > max_bytes:
        raise PrivateFileError(f"{path}: expected at most {max_bytes} bytes")
    return content


def _refuse_unsafe(path: Path, descriptor: int, forbidden: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise PrivateFileError(f"{path}: expected a file")
    if status.st_uid not in (os.geteuid(), 0):
        raise PrivateFileError(f"{path}: belongs to user {status.st_uid}; expected {os.geteuid()} (us) or root")
    if status.st_mode & forbidden & stat.S_IRWXG and _groups_get_nothing(descriptor):
        forbidden &= ~stat.S_IRWXG
    if status.st_mode & forbidden:
        mode = stat.S_IMODE(status.st_mode)
        raise PrivateFileError(f"{path}: its mode {mode:04o} lets others in; expected {mode & ~forbidden:04o} (chmod)")


def _groups_get_nothing(descriptor: int) -> bool:
    """Return whether there is an access list that names no group: then the bits of the group are its mask only."""
    try:
        listed = os.getxattr(descriptor, _ACL)
    except OSError:  # there is none
        return False
    entries = _ACL_ENTRY.iter_unpack(listed[_ACL_VERSION.size :])
    return not any(permissions for tag, permissions, _ in entries if tag in (_GROUP_OBJECT, _GROUP))
