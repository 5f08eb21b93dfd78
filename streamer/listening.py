"""The socket at which browsers come in."""

import errno
import socket
import ssl
from pathlib import Path

from protocols.private import PrivateFileError, read_private
from streamer.config import ConfigError, Http, Problem, host_and_port
from streamer.exits import Exit, FatalError
from streamer.section import OFF

BACKLOG = 64
MAX_KEY_BYTES = 2**16
SEND_BUFFER_BYTES = 2**16
"""Small, so that a viewer who reads slowly gets the newest picture, and one who does not read is noticed soon."""


def listen(http: Http) -> socket.socket | None:
    """Return the socket that the settings ask for, bound and listening; None if they say off.

    Raises:
        FatalError: the address cannot be had, or another program has it; exit code 78.
    """
    if http.listen == OFF:
        return None
    host, port = host_and_port(http.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise FatalError(_refusal(http.listen, error), code=Exit.CONFIGURATION) from None
    return opened


def check_certificate(http: Http) -> None:
    """See that the files for TLS can be used, and that nobody else can read the key.

    Raises:
        ConfigError: otherwise.
    """
    if (http.tls_cert is None) != (http.tls_key is None):
        given, missing = ("tls_key", "tls_cert") if http.tls_cert is None else ("tls_cert", "tls_key")
        raise ConfigError(f"http.{given} is set; expected http.{missing} beside it")
    if http.tls_cert is not None and http.tls_key is not None:
        try:
            Path(http.tls_cert).open("rb").close()
            read_private(
                Path(http.tls_key).resolve(), max_bytes=MAX_KEY_BYTES
            )  # tools that renew it leave a link there
        except OSError as error:
            raise ConfigError(Problem(f"{http.tls_cert} cannot be read: {error.strerror}", "http.tls_cert")) from None
        except PrivateFileError as error:
            raise ConfigError(Problem(str(error), "http.tls_key")) from None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(http.tls_cert, http.tls_key)
        except ssl.SSLError as error:
            raise ConfigError(
                f"http.tls_cert: {http.tls_cert} is no certificate with the key {http.tls_key}: {error.reason}"
            ) from None


def _refusal(address: str, error: OSError) -> str:
    why = "is in use by another program" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
    return (
        f"http.listen: {address} {why}; choose another address for the page with --listen 127.0.0.1:8017 "
        f"(or http.listen in the file), or none with --listen {OFF}"
    )
