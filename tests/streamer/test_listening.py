"""The socket at which browsers come in, and the files for TLS."""

import socket
from pathlib import Path

import pytest

from streamer.config import Config, ConfigError, Http
from streamer.edges import try_addresses
from streamer.exits import FatalError
from streamer.listening import SEND_BUFFER_BYTES, check_certificate, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_socket_listens_where_the_settings_say_with_a_small_buffer(host: str) -> None:
    opened = listen(Http(listen=f"{host}:0"))
    assert opened is not None
    with opened:
        assert opened.getsockname()[0] == host.strip("[]")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER_BYTES, "the kernel doubles it"


def test_off_is_no_socket() -> None:
    assert listen(Http(listen="off")) is None


@pytest.mark.parametrize(
    ("address", "why"), [("192.0.2.1:8016", "cannot be had: "), ("127.0.0.1:{taken}", "is in use by another program")]
)
def test_an_address_that_cannot_be_had_is_told_with_what_to_change(address: str, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        text = address.format(taken=other.getsockname()[1])
        http = Http(listen=text, token="0123456789abcdef", behind_proxy=True)  # noqa: S106 - of this test
        with pytest.raises(FatalError) as caught:
            try_addresses(Config(sinks=("null:",), http=http))
    assert caught.value.code == 78
    assert f"http.listen: {text} {why}" in str(caught.value)
    assert "--listen off" in str(caught.value)


def test_an_address_that_is_tried_is_let_go_of_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
    for _ in range(2):
        try_addresses(Config(sinks=("null:",), http=Http(listen=address)))


def test_tls_needs_both_files_and_a_key_that_nobody_else_reads(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    with pytest.raises(ConfigError, match=r"http\.tls_cert is set; expected http\.tls_key"):
        check_certificate(Http(tls_cert=str(cert)))
    with pytest.raises(ConfigError, match=r"http\.tls_key is set; expected http\.tls_cert"):
        check_certificate(Http(tls_key=str(key)))
    both = Http(tls_cert=str(cert), tls_key=str(key))
    with pytest.raises(ConfigError, match=r"http\.tls_cert: .* cannot be read"):
        check_certificate(both)
    cert.write_text("cert")
    key.write_text("key")
    key.chmod(0o640)
    with pytest.raises(ConfigError, match=r"http\.tls_key: .* its mode 0640 lets others in; expected 0600"):
        check_certificate(both)
    key.chmod(0o600)
    key.rename(tmp_path / "key-2.pem")
    key.symlink_to(tmp_path / "key-2.pem")  # as tools leave it that renew certificates
    with pytest.raises(ConfigError, match=r"http\.tls_cert: .* is no certificate with the key"):
        check_certificate(both)
