"""The comparison of ways to paint: real figures on a real clip, clear errors on a wrong one."""

import json
from pathlib import Path

import cv2
import pytest

from streamer.compare import Effort, compare
from streamer.config import ConfigError
from streamer.paint import Paint
from streamer.quality import Clip
from tests.clips import path
from tests.tiny import tiny_weights


def tiny(tmp_path: Path) -> Paint:
    return Paint(weights=str(tiny_weights(tmp_path / "tiny.safetensors")), device="cpu")


def figures(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, float]]:
    return {row["method"]: row for row in json.loads(capsys.readouterr().out)["rows"]}


@pytest.mark.timeout(400)
def test_two_iterations_a_frame_are_near_the_style_and_steady_on_a_real_clip(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From a cold start to the 12th frame, on the network of the paper."""
    clip = Clip(str(path("bikes")), start=32, every=2, frames=12, size=256)
    effort = Effort(live=[2], independent=30, independent_frames=2, reference=100)
    assert compare(clip, Paint(device="cpu"), effort, out=None, as_json=True) == 0
    rows = figures(capsys)
    assert 0 < rows["carried"]["gap"] < 0.10
    assert rows["carried"]["temporal_rmse"] < 0.03
    assert rows["carried"]["temporal_rmse"] < rows["independent"]["temporal_rmse"] / 4


def test_the_pictures_show_the_source_and_each_method_below_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.png"
    effort = Effort(live=[1, 2], independent=2, independent_frames=2, reference=4)
    compare(Clip("test:#live=no", frames=3, size=64), tiny(tmp_path), effort, out=out, as_json=False)
    written = cv2.imread(str(out))
    assert written is not None
    assert written.shape == (4 * 36, 2 * 64, 3)
    table = capsys.readouterr().out
    assert table.count("carried") == 2
    assert "independent" in table


@pytest.mark.parametrize(
    ("clip", "complaint"),
    [
        (Clip("no-such-film.mp4"), "no-such-film"),
        (Clip("test:#live=no#frames=5", frames=12), "needs 12 frames from 0, every 1; got 5"),
        (Clip("ftp://somewhere/film.mp4"), "clip: "),
    ],
)
def test_a_clip_that_cannot_be_read_is_an_error_that_says_why(tmp_path: Path, clip: Clip, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        compare(clip, tiny(tmp_path), Effort(), out=None, as_json=False)


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    effort = Effort(live=[1], independent=10**9, reference=10**9)  # nothing of which is begun
    with pytest.raises(ConfigError, match=r"out: .* cannot be written"):
        compare(
            Clip("test:#live=no", frames=2, size=64),
            tiny(tmp_path),
            effort,
            out=tmp_path / "no" / "x.png",
            as_json=True,
        )


def test_a_single_frame_has_no_temporal_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    effort = Effort(live=[1], independent=1, reference=2)
    compare(Clip("test:#live=no", frames=1, size=64), tiny(tmp_path), effort, out=None, as_json=True)
    assert {row["temporal_rmse"] for row in figures(capsys).values()} == {None}
