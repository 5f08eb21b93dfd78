"""Whatever is asked, the answer is one that the API's own description allows, and the stream does not mind."""

import socket
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from streamer.exchange import Change
from tests.streamer.web.studio import Site, Studio, open_to_visitors, read_until

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = "/out.mjpg"
EXAMPLES = 60


@pytest.mark.timeout(180)
def test_no_question_makes_the_server_fail_or_break_its_word(tmp_path: Path) -> None:
    studio = Studio(tmp_path, reload=lambda: Change((), ()))
    with open_to_visitors(studio) as site, studio.showing(fps=50):
        schema = schemathesis.openapi.from_url(f"{site.origin}/openapi.json").exclude(path=ENDLESS)
        operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
        assert len(operations) >= 18
        asked = 0
        for operation in operations:

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def ask(case: "schemathesis.Case[Any]") -> None:
                nonlocal asked
                asked += 1
                kind = case.media_type or "application/json"
                response = case.call(headers={"Origin": site.origin, "Content-Type": kind}, timeout=20)
                case.validate_response(response, checks=CHECKS)

            ask()
        assert asked > 100
        assert site.get("/healthz").status == 200
        assert site.get("/frame.jpg").status == 200


HEADS = st.sampled_from(
    [b"", b"GET / HTTP/1.1\r\n", b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"]
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(head=HEADS, rest=st.binary(max_size=500))
@example(head=b"", rest=b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n")
@example(head=b"", rest=b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
@example(head=b"", rest=b"GET /healthz HTTP/1.0\r\n\r\n")
@example(head=b"", rest=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
@example(head=b"", rest=b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n")
@example(
    head=b"", rest=b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
)
@example(head=b"", rest=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
@example(head=b"", rest=b"\x16\x03\x01\x02\x00\x01")
def test_no_bytes_make_the_server_fail(site: Site, head: bytes, rest: bytes) -> None:
    with site.connect() as plain:
        plain.sendall(head + rest + b"\r\n\r\n")
        plain.shutdown(socket.SHUT_WR)
        answer = read_until(plain, b"\r\n")
    assert not answer or 300 < int(answer.split()[1]) < 500, answer
    assert site.get("/healthz").status == 200
