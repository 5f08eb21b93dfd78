"""No secret leaves, in none of sixty forms, by none of the doors."""

import base64
import hashlib
import html
import json
import logging
import socket
import sys
import textwrap
import threading
import traceback
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

import psutil
import pytest
import structlog

from protocols.notices import Notices
from streamer import log, redaction
from streamer.cli import main
from streamer.config import Config, ConfigError, Problem
from streamer.edges import make_sinks
from streamer.exchange import Change
from streamer.redaction import register_secret
from streamer.settings import Inputs, load
from tests.end_to_end.daemon import Kit, deepmovie
from tests.streamer.conftest import Pipe
from tests.streamer.web.studio import Site, Studio, open_to_visitors

SECRET = 'Kw7&zö/Q4+vX 9m"t%e'  # noqa: S105 - that of nobody
USER = "joe"
URL = f"rtsp://{USER}:{urllib.parse.quote(SECRET, safe='')}@camera:554/live"

quote = urllib.parse.quote


def quoted(text: str) -> str:
    return quote(text, safe="")


def basic(secret: str) -> str:
    return base64.b64encode(f"{USER}:{secret}".encode()).decode()


def digest(secret: str) -> str:
    return hashlib.md5(f"{USER}:camera:{secret}".encode(), usedforsecurity=False).hexdigest()


def nested(secret: str, times: int) -> str:
    for _ in range(times):
        secret = json.dumps({"value": secret})
    return secret


def trace(secret: str) -> str:
    try:
        int(f"no login with {secret}")
    except ValueError:
        return traceback.format_exc()
    raise AssertionError


def every(letter: Callable[[str], str]) -> Callable[[str], str]:
    return lambda secret: "".join(map(letter, secret))


def broken(width: int, between: str) -> Callable[[str], str]:
    return lambda secret: between.join(secret[place : place + width] for place in range(0, len(secret), width))


FORMS: dict[str, Callable[[str], str]] = {
    # as it is
    "plain": str,
    "in a sentence": lambda secret: f"login of {USER} with {secret} failed",
    "beside other letters": lambda secret: f"x{secret}y",
    "upper case": str.upper,
    "lower case": str.lower,
    "twice": lambda secret: f"{secret} {secret}",
    "in angle brackets": lambda secret: f"<{secret}>",
    "as bytes": lambda secret: str(secret.encode()),
    "as a shell word": lambda secret: f"ffmpeg -i 'rtsp://x' -pass '{secret}'",
    "as a variable": lambda secret: f"CAMERA={secret}",
    "in a long text": lambda secret: "x " * 200 + secret + " y" * 200,
    # repr and exceptions
    "repr": repr,
    "ascii": ascii,
    "repr of a list": lambda secret: repr([secret]),
    "repr of a repr": lambda secret: repr(repr(secret)),
    "repr of a mapping": lambda secret: repr({"camera": (1, secret)}),
    "repr of an exception": lambda secret: repr(ValueError(f"wrong: {secret}")),
    "repr of an OSError": lambda secret: str(
        OSError(5, "Input/output error", f"rtsp://{USER}:{quoted(secret)}@camera")
    ),
    "repr of settings": lambda secret: repr(dict(Config(source=f"rtsp://{USER}:{quoted(secret)}@camera"))),
    "repr of inputs": lambda secret: repr(Inputs(None, {"CAMERA": secret}, {})),
    "a traceback": trace,
    # URLs
    "percent-encoded": quoted,
    "percent-encoded in lower case": lambda secret: quoted(secret).lower(),
    "percent-encoded except slashes": quote,
    "percent-encoded with pluses": urllib.parse.quote_plus,
    "percent-encoded twice": lambda secret: quoted(quoted(secret)),
    "percent-encoded three times": lambda secret: quoted(quoted(quoted(secret))),
    "every letter percent-encoded": every(lambda letter: "".join(f"%{byte:02X}" for byte in letter.encode())),
    "every other letter percent-encoded": lambda secret: "".join(
        quoted(letter) if place % 2 else "".join(f"%{byte:02x}" for byte in letter.encode())
        for place, letter in enumerate(secret)
    ),
    "the login of a URL": lambda secret: f"rtsp://{USER}:{quoted(secret)}@camera/live",
    "a bare login of a URL": lambda secret: f"rtsp://{USER}:{secret}@camera/live",
    "a user name": lambda secret: f"http://{quoted(secret)}@camera/live",
    "a login without a scheme": lambda secret: f"{USER}:{quoted(secret)}@192.168.1.5:554/live",
    "a query": lambda secret: f"http://camera/live?user=joe&token={quoted(secret)}&x=1",
    "a query of an unknown name": lambda secret: f"http://camera/live?zugang={quoted(secret)}",
    "a query written by urlencode": lambda secret: urllib.parse.urlencode({"q": secret}),
    "a path": lambda secret: f"rtmp://server/live/{quoted(secret)}",
    "a fragment": lambda secret: f"tcp://127.0.0.1:5555#name={quoted(secret)}",
    "a URL within a query": lambda secret: f"/watch?src={quoted(f'rtsp://{USER}:{quoted(secret)}@camera')}",
    # JSON, HTML
    "JSON": lambda secret: json.dumps({"camera": {"login": [USER, secret]}}),
    "JSON with letters beyond ASCII": lambda secret: json.dumps([secret], ensure_ascii=False),
    "JSON within JSON": lambda secret: nested(secret, 2),
    "JSON within JSON within JSON": lambda secret: nested(secret, 3),
    "JSON with escaped slashes": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "a key of JSON": lambda secret: json.dumps({secret: 1}),
    "HTML": html.escape,
    "HTML by numbers": every(lambda letter: f"&#{ord(letter)};"),
    "HTML by hexadecimal numbers": every(lambda letter: f"&#x{ord(letter):x};"),
    # escapes
    "every letter as \\x": every(lambda letter: "".join(f"\\x{byte:02x}" for byte in letter.encode())),
    "every letter as \\u": every(lambda letter: f"\\u{ord(letter):04x}"),
    "letters beyond ASCII in octal": every(lambda letter: letter if letter.isascii() else "\\303\\266"),
    # base64, hexadecimal
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "base64 without padding": lambda secret: base64.b64encode(secret.encode()).decode().rstrip("="),
    "base64 of a login": basic,
    "base64 of a login of somebody else": lambda secret: base64.b64encode(f"operator:{secret}".encode()).decode(),
    "base64 of JSON": lambda secret: base64.b64encode(json.dumps({"k": secret}, ensure_ascii=False).encode()).decode(),
    "base64 after a slash": lambda secret: f"/{base64.urlsafe_b64encode(secret.encode()).decode()}",
    "base64 over several lines": lambda secret: "\n".join(textwrap.wrap(basic(secret), 10)),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal in upper case": lambda secret: secret.encode().hex().upper(),
    # headers
    "a header": lambda secret: f"Authorization: Basic {basic(secret)}",
    "a header as a mapping": lambda secret: str({"authorization": f"Basic {basic(secret)}"}),
    "a bearer": lambda secret: f"Authorization: Bearer {quoted(secret)}",
    "a digest": lambda secret: f'Authorization: Digest username="joe", realm="camera", response="{digest(secret)}"',
    "a digest without its header": lambda secret: f'Digest username="joe", nonce="12", response="{digest(secret)}"',
    "a cookie": lambda secret: f"Set-Cookie: session={quoted(secret)}; HttpOnly",
    # lines
    "over two lines": lambda secret: f"{secret[:9]}\n{secret[9:]}",
    "over lines of a Windows program": broken(5, "\r\n"),
    "over indented lines": broken(6, "\n    "),
    "over continued lines": broken(6, "\\\n"),
    "over the lines of a repr": lambda secret: repr(f"{secret[:9]}\n{secret[9:]}"),
    "percent-encoded over two lines": lambda secret: f"{quoted(secret)[:12]}\n{quoted(secret)[12:]}",
}
"""A secret as it may turn up in a text, by what it is."""


CODES = [
    SECRET,
    *(
        FORMS[name](SECRET)
        for name in ("ascii", "percent-encoded", "percent-encoded twice", "HTML", "base64", "hexadecimal")
    ),
    *(FORMS[name](SECRET) for name in ("every letter percent-encoded", "every letter as \\x", "every letter as \\u")),
    basic(SECRET),
    digest(SECRET),
]
"""What no part of may be seen."""
PART_CHARS = 8


def leaks(text: str, output: str) -> list[str]:
    """Return what can be seen in the output of a secret that went in as ``text``."""
    seen = output.casefold()
    parts = {code[place : place + PART_CHARS] for code in CODES for place in range(len(code) - PART_CHARS + 1)}
    return [each for each in (text, *sorted(parts)) if each.casefold() in seen]


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the secret be known, as it is once the settings are read, and forget it afterwards."""
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    load(None, {"CAMERA": SECRET}, {"source": f"rtsp://{USER}:${{CAMERA}}@camera:554/live"})


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301 - to have a traceback
    except Exception as caught:  # noqa: BLE001 - that is the point
        return caught


def test_there_are_sixty_forms_at_least() -> None:
    assert len({form(SECRET) for form in FORMS.values()}) >= 60


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("form", FORMS)
def test_the_log_says_none(pipe: Pipe, form: str, style: Literal["json", "console"]) -> None:
    text = FORMS[form](SECRET)
    log.configure(style, "debug", fd=pipe.writer)
    logger = structlog.get_logger()
    logger.info(text, field=text, **{text: 1})
    logger.info("seen", nested={"deep": [text, (text, {text})]}, raw=text.encode(), path=Path(text))
    logger.error("failed", exc_info=raised(ValueError(text)))
    logging.getLogger("some_package").error("cannot open %s", text)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(text, stacklevel=1)
    sys.excepthook(ValueError, ValueError(text), None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, ValueError(text), None, threading.current_thread())))
    recent = json.dumps(log.recent(), ensure_ascii=False)
    output = pipe.text()
    assert output.count("\n") >= 7
    assert leaks(text, output) == []
    assert leaks(text, recent) == []


@dataclass(frozen=True, slots=True)
class Door:
    """A page, what it shows, and why its settings cannot be read again."""

    studio: Studio
    page: Site
    reasons: list[str]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Return a page that is open."""
    reasons: list[str] = []

    def reload() -> Change:
        raise ConfigError(Problem(reasons[-1], "source", f"file {reasons[-1]}"), reasons[-1])

    studio = Studio(tmp_path_factory.mktemp("page"), reload=reload)
    with open_to_visitors(studio) as page:
        yield Door(studio, page, reasons)


ANSWERS = ("info", "status", "stats", "settings", "styles", "logs")
QUESTIONS = (*(f"/api/v1/{name}" for name in ANSWERS), "/readyz", "/metrics")


@pytest.mark.parametrize("form", FORMS)
def test_page_api_and_metrics_say_none(door: Door, pipe: Pipe, form: str) -> None:
    text = FORMS[form](SECRET)
    studio, page = door.studio, door.page
    log.configure("json", "debug", fd=pipe.writer)
    structlog.get_logger().warning("source_lost", error=text, **{text: 1})
    studio.telemetry.trouble("source", text, error=text, retry_in_s=4.0)
    studio.telemetry.trouble(text, "failed", error=text)
    door.reasons.append(text)
    try:
        answers = [page.get(path) for path in QUESTIONS]
        assert [answer.status for answer in answers] == [200] * 6 + [503, 200]
        answers += [
            page.change("PATCH", "/api/v1/settings", {"style": text}),
            page.change("PATCH", "/api/v1/settings", {"fps": text, text: 1}),
            page.change("POST", "/api/v1/reload"),
        ]
        assert [answer.status for answer in answers[-3:]] == [422] * 3
    finally:
        studio.telemetry.trouble("source", None)
        studio.telemetry.trouble(text, None)
    plain = [answer.body.decode() for answer in answers]
    decoded = [json.dumps(answer.json, ensure_ascii=False) for answer in answers if answer.body.startswith(b"{")]
    assert leaks(text, "".join((*plain, *decoded))) == []
    pipe.text()


@pytest.mark.parametrize("form", FORMS)
def test_errors_of_the_command_line_say_none(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = FORMS[form](SECRET)
    errors = iter([RuntimeError(text), ConfigError(text, Problem(text, text, text))])

    def run(_config: Config, _inputs: Inputs) -> int:
        raise next(errors)

    failing = ModuleType("streamer.daemon")
    vars(failing)["run"] = run
    monkeypatch.setitem(sys.modules, "streamer.daemon", failing)
    assert [main(["run"]), main(["run"])] == [1, 78]
    assert leaks(text, "".join(capsys.readouterr())) == []


def test_check_shows_where_a_secret_is_and_not_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "door.toml"
    path.write_text(
        'source = "rtsp://joe:${CAMERA}@camera/live?key=${CAMERA}"\n'
        'sinks = ["rtmp://server/live/${STREAM}", "${FILM}"]\n'
        '[http]\ntoken = "${STREAM}"\n[paint]\nstyles_folder = "${CAMERA}"\n'
    )
    for name, value in {"CAMERA": SECRET, "STREAM": "a-key-for-a-stream", "FILM": "film-of-a-secret.mp4"}.items():
        monkeypatch.setenv(name, value)
    assert main(["check", "-c", str(path)]) == main(["check", "-c", str(path), "--json"]) == 0
    output = "".join(capsys.readouterr())
    assert leaks(SECRET, output) == []
    assert "a-key-for-a-stream" not in output
    assert "film-of-a-secret" not in output
    assert "rtmp://server/live/***" in output


def test_the_name_of_a_sink_says_none() -> None:
    register_secret("a-key-for-a-stream")
    config = Config(sinks=("rtmp://server/live/a-key-for-a-stream", URL))
    assert list(make_sinks(config, None, Notices())) == ["rtmp://server/live/***", "rtsp://***@camera:554/live"]


def test_ps_shows_none_of_the_daemon_and_none_of_the_processes_that_it_starts(kit: Kit, tmp_path: Path) -> None:
    """What is in the environment of the daemon itself is for root and for its own user to see."""
    path = tmp_path / "door.toml"
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "CAMERA").write_text(SECRET)
    (credentials / "CAMERA").chmod(0o400)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://joe:${{CAMERA}}@127.0.0.1:{server.getsockname()[1]}/live?key=${{STREAM}}"
        path.write_text(f'source = "test:#size=64x48"\nsinks = ["null:", "{url}"]\n')
        environment = kit.environment | {"CREDENTIALS_DIRECTORY": str(credentials), "STREAM": SECRET[::-1]}
        with deepmovie(kit.command("-c", str(path)), environment) as daemon:
            peer, _ = server.accept()  # the process that pushes has connected
            process = psutil.Process(daemon.process.pid)
            children = process.children(recursive=True)
            seen = [*process.cmdline(), *(word for child in children for word in child.cmdline())]
            inherited = [f"{name}={value}" for child in children for name, value in child.environ().items()]
            server.close()
            peer.close()
            daemon.await_entry("sink_lost")
    assert children
    for output in (" ".join(seen), " ".join(inherited), daemon.output):
        assert leaks(SECRET, output) == []
        assert SECRET[::-1][:8] not in output


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Return what a daemon needs to paint fast."""
    return Kit.made_in(tmp_path_factory.mktemp("kit"))
