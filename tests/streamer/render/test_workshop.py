"""What lies in OUTPUT.work: whose it is, that damage is seen, and that nothing finished is written over unasked."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from streamer.config import ConfigError
from streamer.render.lock import locked
from streamer.render.wish import Wish
from tests.streamer.render.material import begun, bikes, rendered, wish, write
from tests.tiny import tiny_weights


@dataclass(frozen=True)
class Left:
    """A render that was killed after two of its four chunks, and how it would have come out."""

    source: Path
    out: Path
    whole: bytes
    weights: Path

    def asked(self, **changes: Any) -> Wish:
        """Return what was asked for, with changes."""
        return wish(self.source, self.out, weights=self.weights, **changes)

    def work(self, name: str = "") -> Path:
        """Return a file of the workshop, or the workshop."""
        return self.out.with_name(f"{self.out.name}.work") / name


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("origin")
    source = write(folder / "source.mp4", bikes()[:17])
    rendered(wish(source, folder / "whole.mp4"))
    begun(wish(source, folder / "out.mp4"), tasks=2)
    return Left(source, folder / "out.mp4", (folder / "whole.mp4").read_bytes(), folder / "tiny.safetensors")


@pytest.fixture
def left(origin: Left, tmp_path: Path) -> Left:
    """A copy that a test may do to what it likes; the weights stay where they are, as they belong to the job."""
    source = shutil.copy(origin.source, tmp_path / "source.mp4")
    shutil.copytree(origin.work(), tmp_path / "out.mp4.work")
    return Left(Path(source), tmp_path / "out.mp4", origin.whole, origin.weights)


def test_it_goes_on_where_it_was_left(left: Left, tmp_path: Path) -> None:
    assert {path.name for path in left.work().glob("painted*.mp4")} == {"painted-00000000.mp4", "painted-00000005.mp4"}
    # Pieces of another quality, sealed as if they had been made: whoever painted them again would take them away.
    begun(replace(left.asked(crf=40), out=tmp_path / "small.mp4"), tasks=2)
    for name in ("painted-00000000", "painted-00000005"):
        for ending in (".mp4", ".json"):
            shutil.copy(tmp_path / "small.mp4.work" / (name + ending), left.work())
    code, told = rendered(left.asked())
    assert code == 0, told
    assert "of which 10 are done" in told
    assert left.out.stat().st_size < len(left.whole)


@pytest.mark.parametrize(
    "damaged",
    ["painted-00000000.mp4", "painted-00000005.mp4", "painted-00000005.json", "painted-00000005.safetensors"],
)
@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_damage_is_seen_and_painted_again(left: Left, damaged: str, how: str) -> None:
    content = left.work(damaged).read_bytes()
    middle = len(content) // 2
    if how == "gone":
        left.work(damaged).unlink()
    else:
        rest = b"" if how == "cut" else bytes([content[middle] ^ 1]) + content[middle + 1 :]
        left.work(damaged).write_bytes(content[:middle] + rest)
    assert rendered(left.asked())[0] == 0
    assert left.out.read_bytes() == left.whole


@pytest.mark.parametrize("damaged", ["survey.json", "timetable.bin"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_where_what_was_seen_of_the_film_is_damaged_it_is_looked_through_again(
    left: Left, damaged: str, how: str
) -> None:
    content = left.work(damaged).read_bytes()
    left.work(damaged).unlink()
    if how == "cut":
        left.work(damaged).write_bytes(content[: len(content) // 2])
    code, told = rendered(left.asked())
    assert code == 0, told
    assert "of which 10 are done" in told
    assert left.out.read_bytes() == left.whole


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"iterations": 2}, "iterations: 2, not 1"),
        ({"first_iterations": 7}, "first_iterations: 7, not 2"),
        ({"passes": 2}, "passes: 2, not 1"),
        ({"size": 48}, "size: 48, not 64"),
        ({"crf": 30}, "crf: 30, not 18"),
        ({"threads": 2}, "threads: 2, not 1"),
        ({"chunk": 6}, "chunk: 6, not 5"),
        ({"settings": {"style": "starry"}}, "paint.style: starry, not storm"),
        ({"settings": {"style_strength": 0.7}}, "paint.style_strength: 0.7, not 0.5"),
        ({"settings": {"color": "matched"}}, "paint.color: matched, not style"),
    ],
)
def test_what_was_begun_otherwise_is_refused_with_what_differs(
    left: Left, changes: dict[str, Any], complaint: str
) -> None:
    before = {path.name for path in left.work().iterdir()}
    with pytest.raises(ConfigError, match="begun otherwise") as refused:
        rendered(left.asked(**changes))
    assert complaint in str(refused.value)
    assert before <= {path.name for path in left.work().iterdir()}


def test_another_film_of_the_same_name_is_refused(left: Left) -> None:
    write(left.source, bikes()[40:57])
    with pytest.raises(ConfigError, match=r"files\.source"):
        rendered(left.asked())


def test_other_weights_of_the_same_name_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "source.mp4", bikes()[:7])
    begun(wish(source, tmp_path / "out.mp4"), tasks=1)
    tiny_weights(tmp_path / "tiny.safetensors", seed=5)
    with pytest.raises(ConfigError, match=r"files\..*tiny\.safetensors"):
        rendered(wish(source, tmp_path / "out.mp4"))


def test_the_film_may_be_moved_meanwhile(left: Left) -> None:
    moved = left.source.rename(left.source.with_name("moved.mp4"))
    assert rendered(replace(left.asked(), source=moved))[0] == 0
    assert left.out.read_bytes() == left.whole


def test_how_many_threads_need_not_be_said_again(left: Left) -> None:
    assert rendered(left.asked(threads=None))[0] == 0
    assert left.out.read_bytes() == left.whole


def test_overwrite_begins_anew(left: Left) -> None:
    assert rendered(left.asked(crf=40, overwrite=True))[0] == 0
    assert left.out.stat().st_size < len(left.whole)


def test_a_finished_film_is_not_written_over_unasked(origin: Left, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("somebody's")
    with pytest.raises(ConfigError, match="there already; --overwrite"):
        rendered(wish(origin.source, out))
    assert out.read_text() == "somebody's"
    assert not (tmp_path / "out.mp4.work").exists()


def test_until_it_is_replaced_the_old_film_stays(origin: Left, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    out.write_text("the old one")
    begun(wish(origin.source, out, overwrite=True), tasks=2)
    assert out.read_text() == "the old one"
    assert rendered(wish(origin.source, out))[0] == 0  # which was granted when it was begun
    assert out.read_bytes() == origin.whole


def test_two_do_not_work_on_one_film(left: Left) -> None:
    with locked(left.work()), pytest.raises(ConfigError, match="another process is at work here"):
        rendered(left.asked())


@pytest.mark.parametrize("overwrite", [False, True])
def test_somebody_elses_folder_is_left_alone(origin: Left, tmp_path: Path, *, overwrite: bool) -> None:
    letter = tmp_path / "out.mp4.work" / "letter.txt"
    letter.parent.mkdir()
    letter.write_text("somebody's")
    with pytest.raises(ConfigError, match=r"holds something else: letter\.txt"):
        rendered(wish(origin.source, tmp_path / "out.mp4", overwrite=overwrite))
    assert letter.read_text() == "somebody's"


def test_what_was_being_written_is_swept_away(left: Left) -> None:
    torn = left.work("painted-00000010.mp4.77.part")
    torn.write_text("half of it")
    begun(left.asked(), tasks=1)
    assert not torn.exists()
