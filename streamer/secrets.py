"""``${NAME}`` in a setting: a secret that is kept elsewhere, in a credential of systemd or else in the environment.

``source = "rtsp://joe:${CAMERA_PASSWORD}@camera/live"`` may be read by everybody: what stands in for the name is put in
when the settings are read, and is masked from then on wherever it turns up. ``$${`` means ``${`` itself.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from protocols.private import PrivateFileError, read_private
from streamer.redaction import register_secret

DIRECTORY = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd says where a service finds its credentials."""
MAX_BYTES = 4096

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_.-]{0,100})\}|(\$\{)")
_LOGIN = re.compile(r"(?<=//)[^/?#]*(?=@)")
_QUERY = re.compile(r"(?<=\?)[^#]*")


class SecretError(ValueError):
    """A reference cannot be replaced; names it and what is wrong, never the secret."""


class Secrets:
    """Finds secrets by their names. Each one that was found is masked from then on.

    Args:
        environ: where ``CREDENTIALS_DIRECTORY`` is, and what else is looked through.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def put_into(self, value: object) -> object:
        """Return a text, or a list of texts, with secrets for their names; anything else as it is.

        In the login and in the query of a URL a secret is percent-encoded, so that it is kept as it was given to us.

        Raises:
            SecretError: a secret is missing, or a file that holds one can be read by others.
        """
        if isinstance(value, list | tuple):
            return [self.put_into(item) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        if "://" in value:
            for part in (_LOGIN, _QUERY):
                value = part.sub(lambda found: self._replaced(found[0], in_url=True), value)
        return self._replaced(value)

    def _replaced(self, text: str, *, in_url: bool = False) -> str:
        """Return the text with its references replaced; within a URL ``$${`` stays, as the rest will be looked at."""

        def replace(found: re.Match[str]) -> str:
            escaped, name, _ = found.groups()
            if escaped:
                return found[0] if in_url else escaped
            if not name:
                raise SecretError("expected ${NAME}, or $${ for a ${ of its own")
            secret = self.find(name)
            return quote(secret, safe="") if in_url else secret

        return _REFERENCE.sub(replace, text)

    def find(self, name: str) -> str:
        """Return a secret by its name, without the end of line that an editor left behind it.

        Raises:
            SecretError: there is none, or it cannot be used.
        """
        secret = self._credential(name)
        if secret is None:
            secret = self._environ.get(name)
        if secret is None:
            raise SecretError(f"{name} is neither a credential (LoadCredential={name}:FILE) nor in the environment")
        secret = secret.removesuffix("\n").removesuffix("\r")
        if not secret or not secret.isprintable():
            raise SecretError(f"expected one line of letters, digits and signs in {name}")
        register_secret(secret)
        register_secret(quote(secret, safe=""))
        return secret

    def _credential(self, name: str) -> str | None:
        folder = self._environ.get(DIRECTORY)
        path = Path(folder, name) if folder else None
        if path is None or not (path.exists() or path.is_symlink()):
            return None
        try:
            return read_private(path, max_bytes=MAX_BYTES).decode()
        except PrivateFileError as error:
            raise SecretError(str(error)) from None
        except UnicodeDecodeError:
            raise SecretError(f"{path}: expected a text") from None
