"""Ask an RTSP server for its stream before FFmpeg does, so that the answers FFmpeg gets wrong never reach it.

FFmpeg follows a redirect to any host and gives it the password, and reads a description of any length. What is asked
here is what FFmpeg will ask; a server that then answers FFmpeg otherwise is beyond this check.
"""

import hashlib
import re
import socket
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from protocols.errors import SourceError

LONGEST_HEAD_BYTES = 16 * 1024
LONGEST_DESCRIPTION_BYTES = 64 * 1024

_PORTS = {"rtsp": 554, "rtsps": 322}


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a server's answer."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    """Names in lower case."""

    def values(self, name: str) -> list[str]:
        """Return what stands under a name, each time it occurs."""
        return [value for key, value in self.headers if key == name]


def ask(url: str, *, timeout_s: float) -> None:
    """Return if the server describes its stream to us.

    Raises:
        SourceError: it does not; the reason says why. No password is in it.
    """
    deadline = time.monotonic() + timeout_s
    parts = urlsplit(url)
    failure = SourceError("the server cannot be reached", reason="failed")
    try:
        with _connect(parts, timeout_s) as peer:
            answer = _describe(peer, parts, deadline)
    except TimeoutError:
        failure = SourceError(f"the server did not answer within {timeout_s:g} s", reason="open_timeout")
    except ssl.SSLError as error:
        failure = SourceError(f"TLS: {error.reason}", reason="tls")
    except ConnectionRefusedError:
        failure = SourceError("the server refuses the connection", reason="refused")
    except OSError as error:
        failure = SourceError(f"the server cannot be reached: {error.strerror or error}", reason="failed")
    except ValueError as error:
        failure = SourceError(f"not RTSP: {error}", reason="protocol")
    else:
        refusal = _refusal(answer)
        if refusal is None:
            return
        failure = refusal
    raise failure


def _refusal(answer: Answer) -> SourceError | None:
    said = f"the server answers {answer.status} {answer.reason}"
    if 200 <= answer.status < 300:
        length = answer.values("content-length")
        if length and not (length[0].isdecimal() and int(length[0][:9]) <= LONGEST_DESCRIPTION_BYTES):
            return SourceError(f"the description is longer than {LONGEST_DESCRIPTION_BYTES} bytes", reason="protocol")
        return None
    if 300 <= answer.status < 400:
        return SourceError(
            f"{said}: redirects are not followed, as they would take the password along", reason="redirect"
        )
    reason = {401: "auth", 403: "auth", 404: "not_found"}.get(answer.status, "failed")
    return SourceError(said, reason=reason)


def _connect(parts: SplitResult, timeout_s: float) -> socket.socket:
    host = parts.hostname or ""
    peer = socket.create_connection((host, parts.port or _PORTS[parts.scheme]), timeout=timeout_s)
    if parts.scheme != "rtsps":
        return peer
    try:
        return ssl.create_default_context().wrap_socket(peer, server_hostname=host)
    except OSError:
        peer.close()
        raise


def _describe(peer: socket.socket, parts: SplitResult, deadline: float) -> Answer:
    """Return the answer to DESCRIBE, with our password if the server asks for it."""
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=host, fragment="").geturl()
    answer = _exchange(peer, url, 1, None, deadline)
    if answer.status != 401 or parts.username is None:
        return answer
    login = unquote(parts.username), unquote(parts.password or "")
    proof = next((p for p in (_proof(asked, login, url) for asked in answer.values("www-authenticate")) if p), None)
    if proof is None:
        return answer
    return _exchange(peer, url, 2, proof, deadline)


def _exchange(peer: socket.socket, url: str, number: int, proof: str | None, deadline: float) -> Answer:
    lines = [f"DESCRIBE {url} RTSP/1.0", f"CSeq: {number}", "Accept: application/sdp", "User-Agent: deepmovie"]
    lines += [f"Authorization: {proof}"] if proof else []
    peer.sendall("\r\n".join([*lines, "", ""]).encode())
    received = b""
    while b"\r\n\r\n" not in received:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        peer.settimeout(remaining)
        piece = peer.recv(4096)
        if not piece:
            raise ValueError("the connection was closed before the answer was complete")
        received += piece
        if len(received) > LONGEST_HEAD_BYTES:
            raise ValueError(f"the head of the answer is longer than {LONGEST_HEAD_BYTES} bytes")
    return parse_answer(received.partition(b"\r\n\r\n")[0])


def parse_answer(head: bytes) -> Answer:
    """Return an answer's head, taken apart.

    Raises:
        ValueError: it is none.
    """
    first, *rest = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"RTSP/\d\.\d ([1-5]\d\d) ?(.{0,200})", first)
    if not found:
        raise ValueError(f"expected RTSP/1.0 and a status, got {first[:40]!r}")
    pairs = [line.partition(":") for line in rest]
    return Answer(int(found[1]), found[2], [(key.strip().lower(), value.strip()) for key, _, value in pairs])


def _proof(asked: str, login: tuple[str, str], url: str) -> str | None:
    """Return what to put under Authorization for a WWW-Authenticate header; None for a method not known here."""
    method, _, text = asked.partition(" ")
    if method.lower() == "basic":
        return "Basic " + b64encode(":".join(login).encode()).decode()
    asks = {key.lower(): quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', text)}
    if method.lower() != "digest" or asks.get("algorithm", "MD5").upper() != "MD5" or "nonce" not in asks:
        return None
    realm, nonce = asks.get("realm", ""), asks["nonce"]
    secret, request = _md5(f"{login[0]}:{realm}:{login[1]}"), _md5(f"DESCRIBE:{url}")
    fields = {"username": login[0], "realm": realm, "nonce": nonce, "uri": url}
    if "auth" in re.split(r"[\s,]+", asks.get("qop", "")):
        once = _md5(f"{nonce}{time.monotonic_ns()}")[:16]
        fields |= {"response": _md5(f"{secret}:{nonce}:00000001:{once}:auth:{request}"), "cnonce": once}
        tail = ", qop=auth, nc=00000001"
    else:
        fields["response"], tail = _md5(f"{secret}:{nonce}:{request}"), ""
    if "opaque" in asks:
        fields["opaque"] = asks["opaque"]
    return "Digest " + ", ".join(f'{key}="{value}"' for key, value in fields.items()) + tail


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # RFC 2617 knows no other
