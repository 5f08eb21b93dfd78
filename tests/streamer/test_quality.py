"""The quality table: every way with every number of iterations, judged on the same frames by the same energies."""

from pathlib import Path

import cv2
import pytest
import torch

from streamer.bench_quality import WAYS, Trial, means_of, verdicts
from streamer.cli import main
from streamer.config import ConfigError
from streamer.engine import make_engine
from streamer.paint import Paint
from streamer.pixels import to_tensor
from streamer.quality import Clip, Mark, Row, paint_alone, paint_film, read_clip
from tests.clips import path
from tests.endpoints import picture
from tests.tiny import tiny_weights

CPU = torch.device("cpu")
SMALL = Trial(clips=["test:#live=no"], every=1, frames=4, judged=3, efforts=(1, 3), reference=60)


def tiny(tmp_path: Path) -> Paint:
    return Paint(weights=str(tiny_weights(tmp_path / "tiny.safetensors")), device="cpu")


def test_every_way_is_judged_at_every_number_of_iterations_and_the_papers_method_when_done(tmp_path: Path) -> None:
    ticks: list[int] = []
    [found] = verdicts(tiny(tmp_path), SMALL, size=64, device=CPU, tick=ticks.append)
    assert found.size == (64, 36)
    assert [(row.method, row.iterations) for row in found.rows] == [
        *((way, k) for way in WAYS for k in (1, 3)),
        ("flow", 60),
    ]
    assert sum(ticks) == SMALL.iterations
    for row in found.rows[:-1]:
        assert row.gap is not None
        assert 0 < row.gap < 1
    ours, done = {row.iterations: row for row in found.rows if row.method == "carried"}, found.rows[-1]
    for k, ratio in found.steadiness.items():
        own, theirs = ours[k].temporal_rmse, done.temporal_rmse
        assert own is not None
        assert theirs is not None
        assert ratio == pytest.approx(own / theirs)


def test_each_clip_is_painted_in_each_style_and_told_as_it_comes(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "style.png"), picture(96, 128, seed=1))
    trial = Trial(
        clips=["test:#live=no", str(path("bikes"))],
        styles=["storm", str(tmp_path / "style.png")],
        frames=2, judged=2, efforts=(1,), reference=2,
    )  # fmt: skip
    ticks: list[int] = []
    coming = verdicts(tiny(tmp_path), trial, size=48, device=CPU, tick=ticks.append)
    first = next(coming)
    assert sum(ticks) == trial.iterations, "one pair's work, no more"
    found = [first, *coming]
    assert [(each.clip, each.style) for each in found] == [
        (clip, style) for style in trial.styles for clip in trial.clips
    ]
    gaps = [row.gap for row in (each.rows[0] for each in found) if row.gap is not None]
    assert len(set(gaps)) == 4, "no pair is like another"
    assert means_of(found)[0].gap == pytest.approx(sum(gaps) / 4)


def test_the_gap_is_none_for_the_reference_and_one_for_the_frame_itself(tmp_path: Path) -> None:
    engine = make_engine(tiny(tmp_path), device=CPU, size=64)
    [frame] = [to_tensor(each.image, size=64, device=CPU) for each in read_clip(Clip("test:#live=no", frames=1))]
    reference = paint_alone(engine.objective, frame, 20)
    mark = Mark.between(engine.objective, frame, reference)
    assert mark.gap(engine.objective, reference) == 0
    assert mark.gap(engine.objective, frame) == 1
    assert 0 < mark.gap(engine.objective, paint_alone(engine.objective, frame, 5)) < 1


def test_the_gap_is_that_of_the_marked_frame_alone(tmp_path: Path) -> None:
    engine = make_engine(tiny(tmp_path), device=CPU, size=64)
    frames = [to_tensor(each.image, size=64, device=CPU) for each in read_clip(Clip("test:#live=no", frames=3))]
    film = paint_film(engine, "carried", frames, 1)
    mark = Mark.between(engine.objective, frames[1], paint_alone(engine.objective, frames[1], 10))
    assert film.row(engine.objective, [mark]).gap == mark.gap(engine.objective, film.images[1])
    assert film.row(engine.objective).gap is None
    with pytest.raises(KeyError):
        film.tail(1).row(engine.objective, [mark])


def test_the_mean_leaves_out_what_is_unknown(tmp_path: Path) -> None:
    [found] = verdicts(
        tiny(tmp_path), Trial(["test:#live=no"], frames=1, efforts=(1,), reference=2), size=48, device=CPU
    )
    assert {row.temporal_rmse for row in found.rows} == {None}
    assert found.steadiness == {1: None}
    assert means_of([found, found])[0] == Row("carried", 1, found.rows[0].gap, None, found.rows[0].seconds_per_frame)


def test_a_picture_that_cannot_be_read_is_an_error_before_the_work_begins(tmp_path: Path) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"no picture")
    trial = Trial(clips=["test:#live=no"], styles=["starry", str(torn)], frames=2, reference=10**9)
    with pytest.raises(ConfigError, match=r"torn\.png"):
        verdicts(tiny(tmp_path), trial, size=48, device=CPU)


def test_a_clip_that_is_too_short_is_an_error_that_names_it(tmp_path: Path) -> None:
    trial = Trial(clips=["test:#live=no", "test:#live=no#frames=3"], reference=10**9)
    with pytest.raises(ConfigError, match="frames=3: needs 14 frames from 0, every 2; got 2"):
        verdicts(tiny(tmp_path), trial, size=48, device=CPU)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--styles", "storm"], "--styles needs --quality"),
        (["--start", "3"], "--start needs --quality"),
        (["--quality", "--frames", "0"], "expected a whole number above 0, got '0'"),
    ],
)
def test_wrong_words_are_wrong_usage(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["bench", *arguments])
    assert exit_.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_style_that_is_not_there_stops_the_benchmark_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--quality", "--styles", "storm", "stormy"]) == 78
    assert "did you mean storm?" in capsys.readouterr().err
