"""The command line of render, how it says how far it is, and where it finds a frame."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from protocols.film import Shot
from protocols.film_reading import FilmReel
from streamer.cli import main
from streamer.render.looking import look_through
from streamer.render.opening import reel_of
from streamer.render.premises import taken_up
from streamer.render.progress import Lines, report_to
from streamer.render.reading import Reader
from tests.streamer.render.material import bikes, hashes, silent, times, wish, write


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.mp4"], "the following arguments are required: OUTPUT"),
        (["a.mp4", "b.mp4", "--passes", "0"], "--passes"),
        (["a.mp4", "b.mp4", "--passes", "99"], "expected at most 20"),
        (["a.mp4", "b.mp4", "--crf", "52"], "from 0 to 51"),
        (["a.mp4", "b.mp4", "--fps", "0"], "expected frames per second"),
        (["a.mp4", "b.mp4", "--jobs", "0"], "--jobs"),
        (["a.mp4", "--ray", "b.mp4"], "expected auto, HOST:PORT or ray://HOST:PORT"),
        (["a.mp4", "b.mp4", "--set", "http.listen=off"], "http.listen says nothing about painting a film"),
        (["a.mp4", "b.mp4", "--iteration", "3"], "did you mean --iterations?"),
    ],
)
def test_what_the_command_line_cannot_mean_is_usage(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["render", *arguments])
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--size", "9"], "paint.size"),
        (["--size", "huge"], "paint.size"),
        (["--iterations", "0"], "paint.iterations"),
        (["--style", "nobody"], "paint.style"),
        (["--set", "paint.nothing=1"], "unknown setting 'paint.nothing'"),
        (["-c", "nowhere.toml"], "nowhere.toml: cannot be read"),
    ],
)
def test_a_wrong_setting_is_a_wrong_configuration(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "a.mp4", "b.mp4", *arguments]) == 78
    assert complaint in capsys.readouterr().err


def test_the_command_renders_with_a_file_of_settings_and_says_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:3])
    alone = hashes(source, tmp_path / "alone.mp4", iterations=3, first_iterations=15, size="source")
    settings = tmp_path / "film.toml"
    settings.write_text(
        f'source = "test:"\n[paint]\nstyle = "storm"\nweights = "{tmp_path / "tiny.safetensors"}"\nfps = 3\n'
    )
    options = ["-c", str(settings), "--iterations", "3", "--size", "source", "--threads", "1", "--device", "cpu"]
    assert main(["render", str(source), str(tmp_path / "out.mp4"), *options, "--hashes", str(tmp_path / "lines")]) == 0
    assert (tmp_path / "lines").read_text().splitlines() == alone
    told = capsys.readouterr().err
    assert "painting 3 frames in 1 scene, of which 0 are done" in told
    assert f"{tmp_path / 'out.mp4'}: 3 frames" in told


def test_sources_that_cannot_be_read_and_outputs_that_cannot_be_have_their_exit_codes(tmp_path: Path) -> None:
    assert main(["render", str(tmp_path / "none.mp4"), str(tmp_path / "out.mp4")]) == 69
    source = write(tmp_path / "source.mp4", bikes()[:1])
    assert main(["render", str(source), str(source)]) == 78


def test_a_terminal_sees_two_bars_with_the_time_left() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=100, legacy_windows=False)
    with report_to(console) as report:
        report.looked(7)
        report.film(frames=200, done=50, scenes=3)
        report.scene(1, frames=80, done=10)
        for _ in range(5):
            report.painted(1)
        report.scene(1, frames=80, done=12)  # three frames were lost with a process
        report.say("something else")
    text = shown.getvalue()
    assert "whole film" in text
    assert "52/200" in text
    assert "scene 2 of 3" in text
    assert "12/80" in text
    assert "something else" in text


def test_elsewhere_there_is_a_line_now_and_then() -> None:
    shown, now = io.StringIO(), [0.0]
    report = Lines(Console(file=shown, width=200), every_s=10, clock=lambda: now[0])
    report.film(frames=100, done=20, scenes=2)
    report.scene(0, frames=50, done=20)
    for _ in range(30):
        now[0] += 2
        report.painted(0)
    lines = shown.getvalue().splitlines()
    assert lines[0] == "painting 100 frames in 2 scenes, of which 20 are done"
    assert len(lines) == 7
    assert lines[-1] == "painted 50 of 100 frames, 2.00 s each, 1 min 40 s left; scene 1: 50 of 50, 0 s left"


class Noted(FilmReel):
    """A film that notes where it was read from."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[int | None] = []

    def shots(self, since: int | None = None) -> Iterator[Shot | None]:
        self.asked.append(since)
        return super().shots(since)


@pytest.mark.parametrize("bframes", [0, 3])
def test_any_frame_is_found_without_reading_all_before_it(tmp_path: Path, bframes: int) -> None:
    source = write(
        tmp_path / "source.mp4", bikes()[:40], bframes=bframes, gop=8, ticks=[7 * i * i + i for i in range(40)]
    )
    with taken_up(wish(source, tmp_path / "out.mp4", size="source")) as (workshop, job):
        film = look_through(job, reel_of(job.source, rate=job.rate), workshop, silent())
        assert film.survey.is_even
        everything = [shot.image for shot in film.reel.shots() if shot is not None]
        for first in (0, 1, 7, 8, 9, 23, 39):
            reel = Noted(source)
            assert np.array_equal(next(Reader(reel, film.survey, film.timetable).frames(first, 40)), everything[first])
            assert reel.asked == (film.timetable.ticks(first, first + 1) if first else [None])
        [ticks] = film.timetable.ticks(39, 40)
        assert len(list(film.reel.shots(ticks))) == 1
        assert times(source)[39] == ticks * film.survey.facts.time_base
