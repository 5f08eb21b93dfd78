"""Who is turned away at the door, with real sockets: nothing changes, and the reason is counted."""

import base64
import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from streamer.web.door import MAX_CONNECTIONS, MAX_FAILURES
from tests.streamer.web.studio import TOKEN, Site, Studio, await_that, open_to_visitors, read_until

CHANGES = [
    ("PATCH", "/api/v1/settings", b'{"fps": 3}'),
    *(("POST", f"/api/v1/{order}", b"{}") for order in ("pause", "reset", "reload", "snapshot")),
    ("POST", "/api/v1/record", b'{"on": true}'),
]
LOCKED = "/api/v1/status"


def state_of(studio: Studio) -> object:
    """Return everything that a visitor might have changed; looking at it must not change it."""
    control = studio.control
    return control.current, control.paused, control.recording, control._afresh, studio.gallery.names()


def rejections(site: Site, **headers: str) -> dict[str, int]:
    """Return how many were turned away, by reason, as the metrics say."""
    lines = site.get("/metrics", **headers).body.decode().splitlines()
    found = [line for line in lines if line.startswith("deepmovie_http_rejected_total{")]
    return {line.split('"')[1]: int(float(line.split()[-1])) for line in found}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[1])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 403),
        ({"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
        ({"Content-Type": "application/json", "Origin": "null"}, 403),
        ({"Content-Type": "application/json", "Origin": "http://127.0.0.1:3000"}, 403),
        ({"Content-Type": "application/json", "Origin": "http://127.0.0.1"}, 403),
        ({"Content-Type": "application/json", "Authorization": "Bearer guess"}, 403),
        ({"Content-Type": "text/plain", "Origin": "OWN"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded", "Origin": "OWN"}, 415),
        ({"Origin": "OWN"}, 415),
        ({"Content-Type": "application/json", "Origin": "OWN", "Host": "evil.example"}, 421),
        ({"Content-Type": "application/json", "Origin": "http://evil.example:80", "Host": "evil.example:80"}, 421),
    ],
)
def test_a_change_that_our_page_did_not_ask_for_changes_nothing(
    studio: Studio, site: Site, change: tuple[str, str, bytes], headers: dict[str, str], status: int
) -> None:
    before, counted = state_of(studio), sum(rejections(site).values())
    own = {name: site.origin if value == "OWN" else value for name, value in headers.items()}
    answer = site.ask(*change, own)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert state_of(studio) == before
    assert sum(rejections(site).values()) == counted + 1


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8016", "127.0.0.1.evil.example", "", "127.0.0.1@evil", "a/b"]
)
def test_who_asks_by_another_name_sees_nothing(site: Site, host: str) -> None:
    for path in ("/", "/healthz", "/frame.jpg", "/metrics", "/openapi.json"):
        assert site.get(path, Host=host).status in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9000", "[::1]:8016"])
def test_this_machine_has_its_usual_names_at_any_port_as_tunnels_change_it(site: Site, host: str) -> None:
    assert site.get("/healthz", Host=host).status == 200


def test_a_name_of_the_settings_is_ours(tmp_path: Path) -> None:
    with open_to_visitors(Studio(tmp_path, allowed_hosts=("hall.example",))) as site:
        assert site.get("/healthz", Host="Hall.Example:8443").status == 200
        assert site.get("/healthz", Host="evil.example").status == 421
        own = {"Origin": "https://hall.example:8443", "Host": "hall.example:8443"}
        assert site.ask("POST", "/api/v1/pause", b"{}", own | {"Content-Type": "application/json"}).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_page_gets_no_websocket(studio: Studio, site: Site, origin: str) -> None:
    studio.show()
    with pytest.raises(InvalidStatus) as caught, connect(site.live(), origin=Origin(origin)):
        pass
    assert caught.value.response.status_code == 403


def test_a_foreign_name_gets_no_websocket(site: Site) -> None:
    with site.connect() as plain:
        plain.sendall(
            b"GET /api/v1/live HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert read_until(plain, b"\r\n").startswith(b"HTTP/1.1 421")


@pytest.mark.parametrize("site_of_page", ["cross-site", "same-site"])
def test_a_foreign_page_cannot_show_our_picture_but_may_link_to_us(site: Site, site_of_page: str) -> None:
    assert site.get("/frame.jpg", Sec_Fetch_Site=site_of_page, Sec_Fetch_Dest="image").status == 403
    assert site.get("/", Sec_Fetch_Site=site_of_page, Sec_Fetch_Dest="iframe").status == 403
    assert site.get("/", Sec_Fetch_Site=site_of_page, Sec_Fetch_Dest="document").status == 200


def test_every_answer_forbids_what_our_page_does_not_need(studio: Studio, site: Site) -> None:
    studio.show()
    for path in ("/", "/view", "/frame.jpg", "/api/v1/status", "/nowhere", "/openapi.json"):
        answer = site.get(path, Origin=site.origin)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_preflight_gets_no_leave(site: Site) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PATCH"}
    answer = site.ask("OPTIONS", "/api/v1/settings", headers=asked)
    assert answer.status in (403, 405)
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_no_page_of_documentation_comes_from_elsewhere(site: Site) -> None:
    assert site.get("/docs").status == site.get("/redoc").status == 404
    assert site.get("/openapi.json").json["info"]["title"] == "deepmovie"


def test_a_head_may_have_8_kib(site: Site) -> None:
    assert site.get("/healthz", X_Long="x" * 7000).status == 200
    assert site.get("/healthz", X_Long="x" * 9000).status == 431
    with site.connect() as plain:  # one that never ends
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-Long: " + b"x" * 9000)
        assert b"the head is too long" in read_until(plain, b"long")


def test_a_body_may_have_64_kib(studio: Studio, site: Site) -> None:
    own = {"Origin": site.origin, "Content-Type": "application/json"}
    before = state_of(studio)
    padded = b'{"fps": 4}' + b" " * (64 * 2**10 - 10)
    assert site.ask("PATCH", "/api/v1/settings", padded, own).status == 200
    assert site.change("PATCH", "/api/v1/settings", {"fps": 10}).status == 200
    assert site.ask("PATCH", "/api/v1/settings", padded + b" ", own).status == 413
    with site.connect() as plain:  # one that does not say how long it is
        head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        chunk = b"10000\r\n" + b" " * 2**16 + b"\r\n"
        plain.sendall(
            f"PATCH /api/v1/settings HTTP/1.1\r\nHost: localhost:{site.port}\r\nTransfer-Encoding: chunked\r\n".encode()
            + head.replace(site.netloc, f"localhost:{site.port}").encode()
            + b"\r\n"
            + chunk
            + chunk
        )
        assert read_until(plain, b"\r\n").startswith(b"HTTP/1.1 413")
    assert state_of(studio) == before


def test_a_body_that_breaks_off_changes_nothing(studio: Studio, site: Site) -> None:
    before, counted = state_of(studio), rejections(site).get("body", 0)
    with site.connect() as plain:
        plain.sendall(
            f"PATCH /api/v1/settings HTTP/1.1\r\nHost: {site.netloc}\r\nOrigin: {site.origin}\r\n"
            'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"fps": 7}'.encode()
        )
    await_that(lambda: rejections(site).get("body", 0) > counted)
    assert state_of(studio) == before


def test_a_question_may_have_no_body(site: Site) -> None:
    assert site.ask("GET", "/healthz", b"endless").status == 413


def test_a_head_that_does_not_come_is_waited_for_5_s(site: Site) -> None:
    with site.connect() as silent, site.connect() as slow:
        began = time.monotonic()
        slow.sendall(b"GET / HT")
        for byte in b"TP/1.1":
            slow.sendall(bytes([byte]))
            time.sleep(0.2)  # the slowness is the point
        assert read_until(slow, b"never") == b""
        assert 4 < time.monotonic() - began < 10
        assert read_until(silent, b"never") == b""
        assert time.monotonic() - began < 12
    assert rejections(site)["slow_head"] >= 2


def test_a_second_head_on_the_same_connection_is_not_waited_for_longer(site: Site) -> None:
    with site.connect() as plain:
        plain.sendall(f"GET /healthz HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n".encode())
        assert read_until(plain, b"}").startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        plain.sendall(b"GET /hea")
        assert read_until(plain, b"never") == b""
        assert time.monotonic() - began < 10


def test_more_connections_than_32_are_told_so_and_the_first_are_served(tmp_path: Path) -> None:
    question = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with open_to_visitors(Studio(tmp_path)) as site:
        await_that(lambda: site.get("/healthz").status == 200)
        held = [site.connect() for _ in range(MAX_CONNECTIONS)]
        surplus = site.connect()
        surplus.sendall(question)
        assert read_until(surplus, b"\r\n").startswith(b"HTTP/1.1 503")
        held[0].sendall(question)
        assert read_until(held[0], b"\r\n").startswith(b"HTTP/1.1 200")
        for each in (*held, surplus):
            each.close()
        await_that(lambda: site.get("/healthz").status == 200)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a page that has a token."""
    with open_to_visitors(Studio(tmp_path_factory.mktemp("guarded"), token=TOKEN)) as site:
        yield site


def basic(password: str) -> str:
    return f"Basic {base64.b64encode(f'anybody:{password}'.encode()).decode()}"


def test_with_a_token_only_health_is_told_without_it(guarded: Site) -> None:
    paths = ("/", "/view", "/frame.jpg", "/out.mjpg", "/metrics", "/openapi.json", "/api/v1/status", "/api/v1/logs")
    for path in paths:
        answer = guarded.get(path)
        assert answer.status == 401, path
        assert answer.headers["www-authenticate"].startswith("Basic ")
    assert guarded.get("/healthz").status == 200
    assert guarded.get("/readyz").status in (200, 503)
    with pytest.raises(InvalidStatus) as caught, connect(guarded.live()):
        pass
    assert caught.value.response.status_code == 401


def test_the_token_opens_as_a_bearer_as_a_password_and_as_a_cookie(guarded: Site) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.get(LOCKED, **bearer).status == 200
    json_type = {"Content-Type": "application/json"}
    assert guarded.ask("POST", "/api/v1/resume", b"{}", bearer | json_type).status == 200, "needs no Origin"

    page = guarded.get("/", Authorization=basic(TOKEN))
    assert page.status == 200
    cookie = page.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly; SameSite=Strict" in cookie
    shown = cookie.partition(";")[0]
    assert guarded.get(LOCKED, Cookie=f"other=1; {shown}").status == 200
    with connect(guarded.live(), additional_headers={"Cookie": shown}, origin=Origin(guarded.origin)) as socket:
        assert json.loads(socket.recv(20))["type"] == "stats"

    # What a browser sends by itself is no proof that our page asks:
    for proof in ({"Authorization": basic(TOKEN)}, {"Cookie": shown}):
        assert guarded.ask("POST", "/api/v1/pause", b"{}", proof | json_type).status == 403
        foreign = proof | json_type | {"Origin": "http://evil.example"}
        assert guarded.ask("POST", "/api/v1/pause", b"{}", foreign).status == 403
        own = proof | json_type | {"Origin": guarded.origin}
        assert guarded.ask("POST", "/api/v1/resume", b"{}", own).status == 200


def test_after_50_wrong_tokens_not_even_the_right_one_counts_from_there(tmp_path: Path) -> None:
    studio = Studio(tmp_path, token=TOKEN, behind_proxy=True)
    with open_to_visitors(studio) as site, structlog.testing.capture_logs() as log:
        before = state_of(studio)
        guess = {"Authorization": "Bearer 0123456789abcdef-wrong", "Content-Type": "application/json"}
        statuses = [
            site.ask("PATCH", "/api/v1/settings", b'{"fps": 1}', guess | {"X-Forwarded-For": "::7, 192.0.2.7"}).status
            for _ in range(MAX_FAILURES + 1)
        ]
        assert statuses == [401] * MAX_FAILURES + [429]
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert site.get(LOCKED, X_Forwarded_For="192.0.2.7", **right).status == 429
        assert site.get(LOCKED, X_Forwarded_For="192.0.2.8", **right).status == 200, "others are not locked out"
        assert state_of(studio) == before
        counted = rejections(site, X_Forwarded_For="192.0.2.8", **right)
        assert (counted["token"], counted["locked"]) == (MAX_FAILURES, 2)
    told = [entry for entry in log if entry["event"] == "http_rejected"]
    assert 1 <= len(told) < 20, "a storm is told once a second"
    assert TOKEN not in repr(log)


def test_over_tls_the_cookie_stays_there_and_plain_text_gets_no_answer(tmp_path: Path) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run([*command, *subject, "-out", str(cert), "-keyout", str(key)], check=True, capture_output=True)
    studio = Studio(tmp_path, token=TOKEN, tls_cert=str(cert), tls_key=str(key))
    from streamer.web.server import HttpServer

    server = HttpServer(studio.stream)
    server.start()
    try:
        assert server.address is not None
        site = Site(server.address, trust=str(cert))
        await_that(lambda: _answers(site))
        page = site.get("/", Authorization=basic(TOKEN))
        assert page.status == 200
        assert page.headers["set-cookie"].endswith("; Secure")
        studio.show()
        assert site.get("/frame.jpg", Authorization=basic(TOKEN)).image.shape == (24, 32, 3)
        with site.connect() as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP" not in read_until(plain, b"never")
    finally:
        server.stop()


def _answers(site: Site) -> bool:
    try:
        return site.get("/healthz").status == 200
    except (OSError, ssl.SSLError):
        return False
