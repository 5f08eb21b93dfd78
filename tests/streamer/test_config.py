"""Settings: their order, their errors, their reference file."""

import random
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from streamer.config import Config, ConfigError
from streamer.paint import BUILT_IN_STYLES
from streamer.reference import reference
from streamer.section import word_for_none
from streamer.settings import KEYS, SECTIONS, Loaded, environment_name, load

REFERENCE = Path(__file__).parents[2] / "systemd" / "deepmovie.toml"


def given(
    tmp_path: Path,
    toml: str | bytes | None = None,
    environ: Mapping[str, str] | None = None,
    **overrides: object,
) -> Loaded:
    path = None
    if toml is not None:
        path = tmp_path / "deepmovie.toml"
        path.write_bytes(toml.encode() if isinstance(toml, str) else toml)
    return load(path, environ or {}, {key.replace("__", "."): value for key, value in overrides.items()})


def complaint(
    tmp_path: Path,
    toml: str | bytes | None = None,
    environ: Mapping[str, str] | None = None,
    **overrides: object,
) -> str:
    with pytest.raises(ConfigError) as caught:
        given(tmp_path, toml, environ, **overrides)
    return str(caught.value)


def test_without_any_source_every_setting_has_its_default() -> None:
    loaded = load(None, {"PATH": "/bin"}, {})
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}
    assert list(loaded.origins) == list(KEYS)


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    toml = "[paint]\nfps = 1\niterations = 2\nsize = 64\n"
    environ = {"DEEPMOVIE_PAINT__FPS": "3", "DEEPMOVIE_PAINT__ITERATIONS": "4", "HOME": "/"}
    loaded = given(tmp_path, toml, environ, paint__fps="5")
    paint = loaded.config.paint
    assert (paint.fps, paint.iterations, paint.size, paint.style_strength) == (5.0, 4, 64, 0.5)
    assert [loaded.origins[f"paint.{key}"] for key in ("fps", "iterations", "size", "style_strength")] == [
        "command line",
        "environment DEEPMOVIE_PAINT__ITERATIONS",
        f"file {tmp_path / 'deepmovie.toml'}",
        "default",
    ]


def test_every_setting_can_be_given_in_the_environment_as_text() -> None:
    loaded = load(None, {}, {})
    environ = {environment_name(key): _as_text(key, value) for key, value, _ in loaded.items()}
    again = load(None, environ, {})
    assert again.config == loaded.config
    assert set(again.origins.values()) == {f"environment {name}" for name in environ}


def _as_text(key: str, value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return word_for_none(KEYS[key]) if value is None else str(value)


def test_one_text_is_a_list_of_one_sink(tmp_path: Path) -> None:
    assert given(tmp_path, environ={"DEEPMOVIE_SINKS": "null:"}).config.sinks == ("null:",)
    assert given(tmp_path, 'sinks = "null:"').config.sinks == ("null:",)
    assert "sinks: expected one item or a list" in complaint(tmp_path, environ={"DEEPMOVIE_SINKS": '["null:"'})


def test_all_problems_are_told_at_once_with_their_place(tmp_path: Path) -> None:
    toml = 'nmae = "hall"\n[paint]\nfps = 1000\ndevice = "gpu"\n[log]\nformat = "xml"\n'
    text = complaint(tmp_path, toml, environ={"DEEPMOVIE_PAINT__SIZE": "big"}, sinks=[])
    path = tmp_path / "deepmovie.toml"
    assert text.splitlines() == [
        "6 problems in the configuration:",
        f"  file {path}: unknown setting 'nmae'; did you mean name?",
        "  command line: sinks: expected 1 to 16 URLs, got 0",
        f"  file {path}: paint.fps: expected a number from 0.1 to 240, got 1000",
        "  environment DEEPMOVIE_PAINT__SIZE: paint.size: expected a whole number from 32 to 4096 or 'auto', got 'big'",
        f"  file {path}: paint.device: expected auto, cpu, cuda or cuda:N, got 'gpu'",
        f"  file {path}: log.format: expected 'auto' or 'console' or 'json', got 'xml'",
    ]


@pytest.mark.parametrize(
    ("toml", "hint"),
    [
        ("[paint]\nfsp = 3", "unknown setting 'paint.fsp'; did you mean paint.fps?"),
        ("fps = 3", "unknown setting 'fps'; did you mean paint.fps?"),
        ("[pant]\nfps = 3", "unknown setting 'pant'"),
        ("paint = 3", "paint: expected a table, got 3"),
        ("[paint.fps]\nx = 1", "paint.fps: expected a number from 0.1 to 240, got {'x': 1}"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, toml: str, hint: str) -> None:
    assert hint in complaint(tmp_path, toml)


def test_an_unknown_variable_is_an_error_and_names_the_nearest(tmp_path: Path) -> None:
    text = complaint(tmp_path, environ={"DEEPMOVIE_PAINT_FPS": "3"})
    assert "environment DEEPMOVIE_PAINT_FPS: unknown setting" in text
    assert "did you mean DEEPMOVIE_PAINT__FPS?" in text


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("paint.fps", True),
        ("paint.fps", float("nan")),
        ("paint.fps", "inf"),
        ("paint.fps", 0.05),
        ("paint.iterations", 1.5),
        ("paint.iterations", 0),
        ("paint.iterations", "9" * 5000),
        ("paint.size", 31),
        ("paint.style_strength", 1.01),
        ("paint.style", ""),
        ("paint.weights", "a\0b"),
        ("name", ""),
        ("name", "two words"),
        ("name", "n" * 65),
        ("name", 'cam"}'),
        ("once", "perhaps"),
        ("sinks", []),
        ("sinks", ["null:"] * 17),
        ("sinks", [5]),
        ("sinks", 5),
        ("source", 5),
        ("source", "gopher://x"),
        ("source", "null:"),
        ("source", "pub+bind:tcp://127.0.0.1:5555"),
        ("sinks", ["null:", "test:"]),
        ("sinks", "painted.avi"),
        ("sinks", "painted.mp4#crf=best"),
        ("log.level", "loud"),
    ],
)
def test_a_value_out_of_range_is_refused_and_never_replaced(key: str, wrong: object) -> None:
    with pytest.raises(ConfigError, match=rf"command line: {key}: .*(expected|must be)"):
        load(None, {}, {key: wrong})


def test_a_switch_given_as_text_is_read_by_its_meaning(tmp_path: Path) -> None:
    assert given(tmp_path, environ={"DEEPMOVIE_ONCE": "False"}).config.once is False
    assert given(tmp_path, environ={"DEEPMOVIE_ONCE": "true"}).config.once is True


@pytest.mark.parametrize("key", ["source", "sinks"])
def test_an_address_open_to_the_network_needs_allow_insecure(key: str) -> None:
    exposed = "tcp://0.0.0.0:5556"
    with pytest.raises(ConfigError, match="allow_insecure = true"):
        load(None, {}, {key: exposed})
    load(None, {}, {"allow_insecure": True, key: exposed})
    load(None, {}, {key: "tcp://127.0.0.1:5556"})


def test_a_style_that_is_neither_built_in_nor_a_file_is_refused(tmp_path: Path) -> None:
    assert "did you mean starry?" in complaint(tmp_path, paint__style="stary")
    picture = tmp_path / "own.png"
    picture.touch()
    assert given(tmp_path, paint__style=str(picture)).config.paint.style == str(picture)


def test_the_built_in_styles_are_those_there_are() -> None:
    from models.paintings import NAMES

    assert BUILT_IN_STYLES == NAMES


def test_a_password_never_shows_in_an_error_or_in_the_configuration(tmp_path: Path) -> None:
    secret = "hunter2-" + "x" * 100
    for url in (f"rtsq://user:{secret}@camera/live", f"rtsp://user:{secret}@camera/live#nonsense=1"):
        assert "hunter2" not in complaint(tmp_path, source=url)
        assert "hunter2" not in complaint(tmp_path, f"sinks = 'null:'\nname = '{url}'")
        assert "hunter2" not in complaint(tmp_path, f"[paint]\nstyle = '{url}'")
        assert "hunter2" not in complaint(tmp_path, f"'{url}' = 1")
        with pytest.raises(ValidationError) as caught:
            Config(source=url)
        assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(ConfigError("cannot use rtsp://user:hunter2@camera/live"))
    assert "hunter2" not in repr(Config(source=f"rtsp://user:{secret}@camera/live"))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "none.toml", "No such file"),
        (tmp_path, "directory"),
        (Path("/dev/zero"), "at most"),
    ):
        with pytest.raises(ConfigError, match=why):
            load(path, {}, {})


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = ", b"x = " + b"[" * 100_000, b"x = " + b"9" * 5000])
def test_what_is_not_toml_is_told(tmp_path: Path, content: bytes) -> None:
    assert "is not a TOML file" in complaint(tmp_path, content)


def test_the_reference_file_is_the_one_the_models_make() -> None:
    assert REFERENCE.read_text() == reference(), "run: deepmovie check --template > systemd/deepmovie.toml"


def test_the_reference_with_every_key_uncommented_holds_the_defaults(tmp_path: Path) -> None:
    lines = reference().splitlines()
    loaded = given(tmp_path, "\n".join(line.removeprefix("# ") for line in lines))
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {f"file {tmp_path / 'deepmovie.toml'}"}


def test_two_hundred_mutated_files_raise_nothing_but_a_configuration_error(tmp_path: Path) -> None:
    """FAULTS row 54."""
    rng = random.Random(54)
    original = "\n".join(line.removeprefix("# ") for line in reference().splitlines()).encode()
    refused = 0
    for _ in range(200):
        try:
            given(tmp_path, _mutated(original, rng))
        except ConfigError:
            refused += 1
    assert refused > 100


def _mutated(content: bytes, rng: random.Random) -> bytes:
    """Return ``content`` with one line's value replaced, or bytes changed, cut out or doubled."""
    lines = content.splitlines()
    kind = rng.randrange(4)
    if kind == 0:
        values = [
            b"true",
            b"-1",
            b"1e999",
            b"nan",
            b'""',
            b"[]",
            b"{}",
            b"[1]",
            b"{a=1}",
            b"2024-01-01",
            b'"\\u0000"',
            b"9" * 400,
        ]
        where = rng.choice([i for i, line in enumerate(lines) if b" = " in line and not line.startswith(b"#")])
        lines[where] = lines[where].partition(b"=")[0] + b"= " + rng.choice(values)
        return b"\n".join(lines)
    start, length = rng.randrange(len(content)), rng.randrange(1, 40)
    if kind == 1:
        return content[:start] + content[start + length :]
    if kind == 2:
        return content[:start] + rng.randbytes(length) + content[start:]
    rng.shuffle(lines)
    return b"\n".join(lines)


def test_the_reference_is_valid_as_it_is() -> None:
    assert tomllib.loads(reference()) == {name: {} for name in SECTIONS}


TOKEN = "abcdefgh12345678"  # noqa: S105 - of this test


def http(**settings: object) -> Config:
    return load(None, {}, {f"http.{key}": value for key, value in settings.items()}).config


@pytest.mark.parametrize("address", ["127.0.0.1:8016", "127.1.2.3:0", "[::1]:8016", "localhost:80", "off"])
def test_the_page_needs_nothing_more_on_this_machine(address: str) -> None:
    assert http(listen=address).http.listen == address


@pytest.mark.parametrize("address", ["0.0.0.0:8016", "192.168.1.5:8016", "[::]:8016", "[2001:db8::1]:80"])
def test_the_page_is_shown_to_other_machines_only_with_a_token_and_over_tls(address: str) -> None:
    for given, missing in (
        ({}, "http.token; http.tls_cert"),
        ({"token": TOKEN}, "http.tls_cert"),
        ({"behind_proxy": True}, "http.token"),
        ({"token": TOKEN, "tls_cert": "c.pem"}, "http.tls_cert and http.tls_key"),
    ):
        with pytest.raises(ConfigError, match="can be reached from other machines") as caught:
            http(listen=address, **given)
        assert missing in str(caught.value)
    assert http(listen=address, token=TOKEN, behind_proxy=True).http.listen == address
    assert http(listen=address, token=TOKEN, tls_cert="c.pem", tls_key="k.pem").http.listen == address


@pytest.mark.parametrize("address", ["8016", "camera.lan:80", "127.0.0.1", "127.0.0.1:65536", "999.1.1.1:80", "::1:80"])
def test_the_page_is_bound_to_an_ip_address_and_a_port(address: str) -> None:
    with pytest.raises(ConfigError, match=r"http\.listen: expected an IP address and a port"):
        http(listen=address)


@pytest.mark.parametrize("token", ["short-secret", 12345678901234567890, "geheim geheim geheim", "ünverschlüsselt!"])
def test_a_token_that_is_refused_is_not_shown(token: object) -> None:
    with pytest.raises(ConfigError) as caught:
        http(token=token)
    assert str(token) not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"paint.mask": "/nowhere.png"}, "paint.mask: there is no file '/nowhere.png'"),
        ({"paint.mix": "strom=0.5"}, "got 'strom'; did you mean storm?"),
        ({"paint.mix": '["storm=0.5", "/nowhere.png=0.2"]'}, "or the path of a file, got '/nowhere.png'"),
        ({"paint.mix": ["/nowhere.png=0.2"]}, "or the path of a file, got '/nowhere.png'"),
        ({"paint.mix": "storm"}, "expected NAME=WEIGHT"),
        ({"paint.mix": '["storm"'}, "expected one item or a list"),
    ],
)
def test_a_picture_that_is_not_there_is_told_of_at_once(value: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, value)
    assert complaint in str(caught.value)
    assert len(caught.value.problems) == 1


def test_a_mask_and_a_mix_may_be_none() -> None:
    load(None, {}, {"paint.mask": "none", "paint.mix": "[]"})
