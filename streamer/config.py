"""The settings: the one home of every name, default, limit and explanation.

The models hold data and check it; ``streamer.settings`` reads them from the file, the environment and the command line.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from protocols.url import asks_for_keys, is_exposed, parse_sink, parse_source
from streamer.paint import Paint
from streamer.redaction import text as redacted
from streamer.section import AUTO, HOT, OFF, RECONNECT, RESTART, NameOrPath, Section, shown

MAX_SINKS = 16
MIN_TOKEN_CHARS = 16


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one setting."""

    reason: str
    """What was expected and what came, for people."""
    key: str = ""
    """The setting; empty if it is none that we know."""
    origin: str = ""
    """Who gave the value: ``file PATH``, ``environment NAME``, ``command line``."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.origin, self.key, self.reason) if part)


class ConfigError(ValueError):
    """The settings cannot be used; the start ends with exit code 78.

    Args:
        problems: one each, for people. Secrets are masked here.
    """

    def __init__(self, *problems: Problem | str) -> None:
        details = [problem if isinstance(problem, Problem) else Problem(problem) for problem in problems]
        self.details = tuple(Problem(*map(redacted, (each.reason, each.key, each.origin))) for each in details)
        self.problems = tuple(map(str, self.details))
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the configuration:"
        super().__init__("\n  ".join((count, *self.problems)))


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text):
        raise ValueError(f"expected 1 to 64 of A-Z a-z 0-9 _ . -, got {shown(text)}")
    return text


def _allowed_url(text: str, info: ValidationInfo) -> str:
    """Return ``text`` if it is a URL of the end it is meant for, and none that strangers can reach (unless allowed)."""
    is_source = info.field_name == "source"
    url = parse_source(text) if is_source else parse_sink(text)
    security = info.data.get("security") or Security()
    has_key = security.key is not None
    if is_exposed(url, has_key=has_key) and info.data.get("allow_insecure") is False:
        raise ValueError(
            f"{redacted(text)} is open to other machines, unencrypted and without a password; expected a loopback "
            f"or ipc:// address, {'#peer=FILE.pub' if has_key and not url.bind else 'a security.key'}, "
            "or allow_insecure = true"
        )
    folder = "feeders" if is_source else "viewers"
    if url.bind and asks_for_keys(url, has_key=has_key) and getattr(security, folder) is None:
        raise ValueError(
            f"{redacted(text)} asks for keys, and nobody's is known; expected security.{folder}, a folder of .pub "
            "files (or #curve=no, which lets in everybody who can reach it)"
        )
    return text


def _token(text: str) -> str:
    if not re.fullmatch(rf"[!-~]{{{MIN_TOKEN_CHARS},256}}", text):
        raise ValueError(f"expected {MIN_TOKEN_CHARS} to 256 letters, digits and signs of ASCII, without spaces")
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", text):
        raise ValueError(f"expected a host name or an IP address without a port, got {shown(text)}")
    return text.lower()


def host_and_port(text: str) -> tuple[str, int]:
    """Return the IP address and the port in ``127.0.0.1:8016``, ``[::1]:8016`` or ``localhost:8016``.

    Raises:
        ValueError: the text has another form; a name may stand for any address, so it is refused.
    """
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}|localhost)):([0-9]{1,5})", text)
    try:
        if found and int(found[3]) < 2**16:
            host = "127.0.0.1" if found[2] == "localhost" else found[1] or found[2]
            return str(ipaddress.ip_address(host)), int(found[3])
    except ValueError:  # as of 999.1.1.1; it is told below
        found = None
    raise ValueError(f"expected an IP address and a port as in 127.0.0.1:8016, or {OFF}; got {shown(text)}")


def _listen(text: str, info: ValidationInfo) -> str:
    """Return ``text`` if nobody but this machine can come in there without a token, or listen on the way."""
    if text == OFF:
        return text
    host, _ = host_and_port(text)
    if ipaddress.ip_address(host).is_loopback:
        return text
    missing = [] if info.data.get("token") else ["http.token"]
    if not (info.data.get("behind_proxy") or (info.data.get("tls_cert") and info.data.get("tls_key"))):
        missing.append("http.tls_cert and http.tls_key, or http.behind_proxy = true behind a proxy that encrypts")
    if missing:
        raise ValueError(f"{text} can be reached from other machines; expected also {'; '.join(missing)}")
    return text


def _some(urls: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(urls) <= MAX_SINKS:
        raise ValueError(f"expected 1 to {MAX_SINKS} URLs, got {len(urls)}")
    return urls


Url = Annotated[str, AfterValidator(_allowed_url)]


class Input(Section):
    """How patient the source is, and how much it may ask of us."""

    open_timeout_s: float = Field(
        default=5.0,
        ge=0.1,
        le=300,
        description="A source that takes longer to open has failed.",
        json_schema_extra=RECONNECT,
    )
    stall_timeout_s: float = Field(
        default=3.0,
        ge=0.1,
        le=300,
        description="A source silent for longer is opened again.",
        json_schema_extra=RECONNECT,
    )
    resume_window_s: float = Field(
        default=10.0,
        ge=0,
        le=3600,
        description="After an outage shorter than this, painting goes on from the last picture.",
        json_schema_extra=RESTART,
    )
    max_pixels: int = Field(
        default=4096 * 2304,
        ge=16 * 16,
        le=16384 * 16384,
        description="A larger frame is dropped unseen (width x height).",
        json_schema_extra=RECONNECT,
    )
    max_message_bytes: int = Field(
        default=64 * 2**20,
        ge=1024,
        le=2**31 - 1,
        description="A ZeroMQ peer that sends a larger message is disconnected.",
        json_schema_extra=RECONNECT,
    )


class Security(Section):
    """Whose frames we take and who may watch over ZeroMQ, by their keys (CURVE). ``deepmovie keygen`` makes a key."""

    key: NameOrPath | None = Field(
        default=None,
        description="Our own .key file. With it each ZeroMQ address that we listen at is encrypted and asks for a key; "
        "one that we connect to is when it ends in #peer=FILE.pub.",
        json_schema_extra=RECONNECT,
    )
    feeders: NameOrPath | None = Field(
        default=None,
        description="The folder of the .pub files of those who may send us frames.",
        json_schema_extra=RECONNECT,
    )
    viewers: NameOrPath | None = Field(
        default=None,
        description="The folder of the .pub files of those who may receive what we paint.",
        json_schema_extra=RECONNECT,
    )


class Output(Section):
    """How painted frames leave."""

    drain_timeout_s: float = Field(
        default=4.0,
        ge=0,
        le=60,
        description="At the end, frames already painted have this long to reach the sinks.",
        json_schema_extra=HOT,
    )
    when_idle: Literal["hold", "refine", "slate"] = Field(
        default="hold",
        description="What goes out once a second while no new frame comes: the last picture as it is (hold), painted "
        "further until it rests (refine), or, once input.stall_timeout_s is over, dark behind a card (slate).",
        json_schema_extra=RESTART,
    )
    recordings: NameOrPath = Field(
        default="rec",
        description="The folder for films recorded on demand; it is made when the first one begins.",
        json_schema_extra=RESTART,
    )


class Restart(Section):
    """How the picture survives the end of the process, even a sudden one."""

    resume: bool = Field(
        default=True,
        description="Keep the picture of a live source in the state folder, and go on from it at the next start if the "
        "scene is still the same.",
        json_schema_extra=RESTART,
    )
    every_s: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="How often it is written while frames are painted; at an orderly end it is in any case. A picture "
        "of 256 x 144 takes 2.4 MB, one of 640 x 360 takes 15 MB.",
        json_schema_extra=RESTART,
    )
    max_age_s: float = Field(
        default=600.0,
        ge=0,
        le=86400,
        description="An older picture is not gone on from.",
        json_schema_extra=RESTART,
    )


class Http(Section):
    """The page and the API."""

    token: Annotated[str, AfterValidator(_token)] | None = Field(
        default=None,
        repr=False,
        description="The password of the page and the API, for a browser with any user name. It belongs into "
        "DEEPMOVIE_HTTP__TOKEN.",
        json_schema_extra={"secret": True, **RESTART},
    )
    tls_cert: NameOrPath | None = Field(
        default=None, description="A certificate (PEM), with those that it rests on.", json_schema_extra=RESTART
    )
    tls_key: NameOrPath | None = Field(
        default=None, description="Its key; readable by nobody but the daemon.", json_schema_extra=RESTART
    )
    behind_proxy: bool = Field(
        default=False,
        description="A proxy that encrypts stands before us and writes X-Forwarded-For.",
        json_schema_extra=RESTART,
    )
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(),
        description="Names by which browsers may ask for us, besides localhost and our own address.",
        json_schema_extra=RESTART,
    )
    max_viewers: int = Field(
        default=32, ge=1, le=1000, description="Most who watch the picture move at a time.", json_schema_extra=RESTART
    )
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        default="127.0.0.1:8016",
        description="Where they are: an IP address and a port, or off. An address that other machines can reach needs "
        "a token, and either a certificate or a proxy.",
        json_schema_extra=RESTART,
    )


class Log(Section):
    """What is reported, to standard error."""

    format: Literal["auto", "console", "json"] = Field(
        default=AUTO, description="auto writes for people on a terminal and JSON elsewhere.", json_schema_extra=HOT
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is reported.", json_schema_extra=HOT
    )


class Config(Section):
    """All settings of one stream."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        default="deepmovie",
        description="The stream's name in every message: 1 to 64 of A-Z a-z 0-9 _ . -",
        json_schema_extra=RESTART,
    )
    allow_insecure: bool = Field(
        default=False,
        description="Accept ZeroMQ addresses that other machines can reach, though nothing there asks who they are.",
        json_schema_extra=HOT,
    )
    security: Security = Field(default=Security(), description=Security.__doc__)
    source: Url = Field(
        default="test:",
        repr=False,
        description="Where frames come from: rtsp://, http://, a file, camera:0, test: (the built-in scene) or "
        "tcp://host:port (ZeroMQ).",
        json_schema_extra=RECONNECT,
    )
    sinks: Annotated[tuple[Url, ...], AfterValidator(_some)] = Field(
        default=("tcp://127.0.0.1:5556",),
        repr=False,
        description="Where painted frames go, one URL or a list: tcp://host:port (ZeroMQ), a file.mp4, null:",
        json_schema_extra=RECONNECT,
    )
    once: bool = Field(
        default=False,
        description="Stop when the source ends or cannot be opened, instead of opening it again.",
        json_schema_extra=RESTART,
    )
    paint: Paint = Field(default=Paint(), description=Paint.__doc__)
    input: Input = Field(default=Input(), description=Input.__doc__)
    output: Output = Field(default=Output(), description=Output.__doc__)
    restart: Restart = Field(default=Restart(), description=Restart.__doc__)
    http: Http = Field(default=Http(), description=Http.__doc__)
    log: Log = Field(default=Log(), description=Log.__doc__)
