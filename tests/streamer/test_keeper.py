"""The picture's memory on its way to the disk and back, with real stylizers and real files."""

import resource
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from structlog.testing import capture_logs

from models.adjoint import AdjointObjective
from models.cuts import CutDetector
from models.descent import Budget
from models.flow import DIS
from models.memory import Memory
from models.sight import Sight
from models.stylizer import Stylized, Stylizer
from streamer.assemble import Parts
from streamer.checkpoint import Origin
from streamer.config import Config, Http, Restart
from streamer.daemon import Daemon
from streamer.gallery import Gallery, state_folder
from streamer.generations import TRIES, Generations
from streamer.keeper import RETRY_S, Keeper
from streamer.origins import Origins
from streamer.paint import Hot, Paint
from streamer.picture import PictureError
from streamer.telemetry import Telemetry
from tests.endpoints import Item, RecordingSink, ScriptedSource, frame, picture
from tests.protocols.listener import wait_until
from tests.tiny import random_image, tiny_objective, tiny_weights

Logged = MutableMapping[str, Any]

HOT, FRAME = Hot(), random_image()
ORIGIN = Origin(name="door", version="1.0", size="64", weights="w", style="s")


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Process:
    """One life of a daemon, as far as its memory goes; all lives share the folder."""

    stylizer: Stylizer
    folder: Path
    origin: Origin = ORIGIN
    clock: Clock = field(default_factory=Clock)
    telemetry: Telemetry = field(default_factory=Telemetry)

    def __post_init__(self) -> None:
        """Make the keeper."""
        self.keeper = Keeper(
            self.stylizer,
            device="cpu",
            generations=Generations(self.folder, "door"),
            origin_of=lambda hot: replace(self.origin, style=hot.style),
            size=64,
            settings=Restart(every_s=10),
            telemetry=self.telemetry,
            clock=self.clock,
            wall=self.clock,
        )

    def count(self, result: str) -> int:
        """Return how often a checkpoint came to this."""
        return self.telemetry.snapshot().checkpoints[result]

    def restore(self, hot: Hot = HOT) -> list[Logged]:
        """Start; return what was logged."""
        with capture_logs() as logged:
            self.keeper.restore(hot)
        self.keeper.start()
        return logged

    def paint(self) -> bool:
        """Paint a frame; return whether it began a picture of its own."""
        began = self.stylizer.step(FRAME, Budget(1)).restarted
        self.keeper.offer(HOT)
        return began

    def end(self) -> None:
        """End as a daemon does that is told to."""
        self.keeper.take(HOT)
        assert self.keeper.close(20)


Life = Callable[..., Process]


@pytest.fixture
def life(tmp_path: Path) -> Life:
    """Return what begins another life."""
    objective = AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))

    def begin(kind: type[Stylizer] = Stylizer, **facts: Any) -> Process:
        stylizer = kind(objective, flow=DIS(), cuts=CutDetector(), fill=lambda content: content)
        return Process(stylizer, **{"folder": tmp_path / "kept", **facts})

    return begin


@pytest.fixture
def kept(life: Life) -> None:
    """Two checkpoints of a life that came to a good end."""
    first = life()
    first.restore()
    first.paint()
    wait_until(lambda: first.count("written") == 1, "the first checkpoint")
    first.paint()
    first.end()
    assert first.count("written") == 2


def events(logged: list[Logged]) -> list[str]:
    return [entry["event"] for entry in logged]


@pytest.mark.usefixtures("kept")
def test_the_next_life_goes_on_where_the_last_one_ended(life: Life, tmp_path: Path) -> None:
    second = life(clock=Clock(1007.0))
    [logged] = second.restore()
    assert logged["event"] == "checkpoint_restored"
    assert logged["age_s"] == 7.0
    assert second.count("restored") == 1
    assert not second.paint()
    second.end()
    assert not (tmp_path / "kept/.door.tries").exists()


def test_without_a_checkpoint_nothing_is_said_and_the_picture_begins(life: Life) -> None:
    first = life()
    assert first.restore() == []
    assert first.paint()
    first.end()


def test_it_is_written_at_the_first_frame_then_every_ten_seconds_and_at_the_end(life: Life) -> None:
    only = life()
    only.restore()
    for second in range(25):
        only.clock.now = 1000.0 + second
        only.paint()
        wait_until(lambda second=second: only.count("written") == 1 + second // 10, "the file")  # type: ignore[misc]
    only.end()
    assert only.count("written") == 4


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"\xff" * 1_000_000], ids=["empty", "text", "large"])
def test_of_a_damaged_one_the_older_generation_is_taken_and_it_is_written_over_first(
    life: Life, tmp_path: Path, damage: bytes
) -> None:
    newest, older = (each.path for each in Generations(tmp_path / "kept", "door").newest_first())
    newest.write_bytes(damage)
    second = life()
    rejected, restored = second.restore()
    assert (rejected["event"], rejected["reason"], rejected["file"]) == ("checkpoint_rejected", "damaged", str(newest))
    assert restored["file"] == str(older)
    assert not second.paint()
    second.end()
    assert newest.stat().st_size == older.stat().st_size


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("facts", "hot", "reason"),
    [
        ({"origin": replace(ORIGIN, name="hall")}, HOT, "name"),
        ({"origin": replace(ORIGIN, version="1.1")}, HOT, "version"),
        ({"origin": replace(ORIGIN, size="128")}, HOT, "size"),
        ({"origin": replace(ORIGIN, weights="v")}, HOT, "weights"),
        ({}, Hot(style="storm"), "style"),
        ({"clock": Clock(1601.0)}, HOT, "old"),
        ({"clock": Clock(999.0)}, HOT, "future"),
    ],
)
def test_a_foreign_or_old_one_is_not_gone_on_from(life: Life, facts: dict[str, Any], hot: Hot, reason: str) -> None:
    second = life(**facts)
    logged = second.restore(hot)
    assert events(logged) == ["checkpoint_rejected"] * 2
    assert {entry["reason"] for entry in logged} == {reason}
    assert second.count("rejected") == 2
    assert second.paint()
    second.end()


@pytest.mark.usefixtures("kept")
def test_tensors_that_no_stylizer_can_have_are_not_gone_on_from(life: Life) -> None:
    poisoned = life()
    poisoned.restore()
    poisoned.paint()
    memory = poisoned.stylizer.memory
    assert memory is not None
    poisoned.stylizer._memory = replace(memory, image=memory.image / 0)
    poisoned.end()
    rejected, restored = life().restore()
    assert (rejected["reason"], restored["event"]) == ("damaged", "checkpoint_restored")
    assert "image must be finite" in rejected["error"]


class Deadly(Stylizer):
    """Dies of whatever it is to go on from."""

    def resume(self, memory: Memory) -> None:
        """Die."""
        raise SystemExit(memory.number)


@pytest.mark.usefixtures("kept")
def test_after_two_deaths_before_the_first_picture_the_third_start_begins_afresh(life: Life, tmp_path: Path) -> None:
    for _ in range(TRIES):
        doomed = life(Deadly)
        with pytest.raises(SystemExit):
            doomed.keeper.restore(HOT)
    third = life()
    [logged] = third.restore()
    assert logged["event"] == "checkpoint_quarantined"
    assert logged["starts_that_failed"] == 2
    assert [Path(path).parent for path in logged["files"]] == [tmp_path / "kept"] * 2
    assert third.count("quarantined") == 1
    assert third.paint()
    third.end()
    assert events(life().restore()) == ["checkpoint_restored"]


@pytest.mark.usefixtures("kept")
def test_any_number_of_deaths_after_the_first_picture_keeps_the_checkpoint(life: Life) -> None:
    for number in range(2 * TRIES + 1):
        killed = life()
        assert events(killed.restore()) == ["checkpoint_restored"], number
        assert not killed.paint()
        wait_until(lambda killed=killed: killed.count("written"), "the file")  # type: ignore[misc]
        assert killed.keeper.close(20)  # no `take`: nobody told the painter to end


@pytest.mark.usefixtures("kept")
def test_an_orderly_end_without_a_picture_is_no_failed_start(life: Life) -> None:
    for _ in range(TRIES + 1):
        idle = life()
        assert events(idle.restore()) == ["checkpoint_restored"]
        idle.stylizer.reset()
        idle.end()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let no file grow further, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_tried_again_after_thirty_seconds(life: Life, tmp_path: Path) -> None:
    only = life()
    only.restore()
    with files_no_larger_than(4096), capture_logs() as logged:
        only.paint()
        wait_until(lambda: logged, "the error")
        assert only.count("failed") == 1
        assert list((tmp_path / "kept").iterdir()) == []
    [entry] = logged
    assert (entry["event"], entry["what"], entry["retry_in_s"]) == ("disk_error", "checkpoint", RETRY_S)
    assert "File too large" in entry["error"]
    trouble = only.telemetry.snapshot().troubles["checkpoint"]
    assert str(trouble) == "the picture cannot be kept for the next start"
    only.clock.now += RETRY_S - 1
    only.paint()
    assert only.count("written") == 0
    only.clock.now += 2
    only.paint()
    wait_until(lambda: only.count("written") == 1, "the file")
    wait_until(lambda: "checkpoint" not in only.telemetry.snapshot().troubles, "the end of the trouble")
    only.end()


def test_a_folder_that_cannot_be_made_costs_no_frame(life: Life) -> None:
    only = life(folder=Path("/dev/null/kept"))
    assert only.restore() == []
    for _ in range(3):
        only.paint()
    only.end()
    assert only.count("failed") >= 1


@pytest.mark.usefixtures("kept")
def test_where_a_start_cannot_be_counted_none_is_tried(life: Life) -> None:
    second = life()
    with files_no_larger_than(0):
        logged = second.restore()
    assert [(entry["event"], entry["reason"]) for entry in logged] == [("checkpoint_rejected", "failed")]
    assert second.paint()
    second.end()


def test_a_slow_disk_holds_nobody_up_and_the_newest_wins(life: Life) -> None:
    gate, begun = Event(), Event()
    only = life()

    class Slow(Generations):
        """A disk that takes its time."""

        def write(self, data: bytes) -> None:
            """Wait."""
            begun.set()
            gate.wait()
            super().write(data)

    only.keeper._generations = Slow(only.folder, "door")
    only.restore()
    only.paint()
    assert begun.wait(20)
    for _ in range(5):
        only.clock.now += 10
        only.paint()
    assert only.count("written") == 0
    assert not only.keeper.close(0.01)
    gate.set()
    assert only.keeper.close(20)
    assert only.count("written") == 2
    assert life(clock=Clock(1051.0)).restore()[0]["age_s"] == 1.0


def test_a_painting_that_is_gone_costs_the_checkpoint_alone(life: Life) -> None:
    only = life()

    def fail(hot: Hot) -> Origin:
        raise PictureError(f"{hot.style} is gone")

    only.keeper._origin_of = fail
    only.restore()
    with capture_logs() as logged:
        only.paint()
        only.end()
    assert {entry["event"] for entry in logged} == {"checkpoint_failed"}


# -- in the stream ----------------------------------------------------------------------------------------------------


class AcceleratorError(RuntimeError):
    """As torch raises it when the GPU is gone."""


class Fragile(Stylizer):
    """Loses its GPU at the fourth frame, and counts who looks for its memory after that."""

    painted = asked_in_vain = 0

    def paint(self, sight: Sight, budget: Budget) -> Stylized:
        """Paint, or fail."""
        self.painted += 1
        if self.painted > 3:
            raise AcceleratorError("CUDA error: an illegal memory access was encountered")
        return super().paint(sight, budget)

    @property
    def memory(self) -> Memory | None:
        """What is remembered."""
        self.asked_in_vain += self.painted > 3
        return super().memory


def stream(stylizer: Stylizer, *, live: bool = True) -> tuple[int, list[Logged]]:
    """Let a whole daemon paint four frames, one after the other; return its exit code, and what it logged."""
    sink = RecordingSink()
    script: list[Item] = []
    for number in range(4):
        script += [partial(sink.await_frames, number), frame(number, image=picture(48, 64, seed=3))]
    parts = Parts(
        ScriptedSource(script, live=live),
        {"out": sink},
        stylizer,
        torch.device("cpu"),
        64,
        gallery=Gallery(("starry",), paint=lambda _: picture(16, 16)),
        lasting=stylizer,
    )
    paint, often, no_page = Paint(fps=240, iterations=1), Restart(every_s=0.1), Http(listen="off")
    with capture_logs() as logged:
        code = Daemon(Config(once=True, paint=paint, restart=often, http=no_page), assemble=lambda _: parts).run()
    return code, [entry for entry in logged if entry["event"].startswith(("checkpoint", "engine"))]


@pytest.fixture
def stylizer(life: Life) -> Stylizer:
    """Return a stylizer that remembers nothing yet."""
    made: Stylizer = life().stylizer
    return made


def test_when_the_gpu_is_lost_the_last_copy_is_kept_and_the_gpu_is_asked_nothing_more(life: Life) -> None:
    for expected in (["engine_fatal_gpu"], ["checkpoint_restored", "engine_fatal_gpu"]):
        stylizer = life(Fragile).stylizer
        assert isinstance(stylizer, Fragile)
        code, logged = stream(stylizer)
        assert code == 70
        assert events(logged) == expected
        assert stylizer.asked_in_vain == 0


def test_a_film_leaves_nothing_behind(life: Life) -> None:
    assert stream(life().stylizer, live=False) == (0, [])
    assert not (state_folder() / "checkpoints").exists()


# -- whose picture it is ----------------------------------------------------------------------------------------------


def test_an_origin_tells_apart_what_is_painted_with_other_settings(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path / "w.safetensors")
    pictures = {name: picture(16, 16, seed=seed) for seed, name in enumerate(("starry", "storm", "blossom"))}
    gallery = Gallery(tuple(pictures), paint=pictures.__getitem__)

    def origin(*, size: int = 64, name: str = "door", **hot: Any) -> Origin:
        config = Config(name=name, paint=Paint(weights=str(weights)))
        return Origins(config, gallery, size=size).of(Hot(**hot))

    usual = origin(style="starry")
    assert origin(style="starry", fps=5, iterations=3, style_strength=0.9, color="content") == usual
    assert origin(style="starry", blend="storm", blend_weight=0) == usual
    assert origin(style="storm", blend="starry", blend_weight=1) == usual
    others = [
        origin(style="storm"),
        origin(style="starry", blend="storm"),
        origin(style="starry", blend="storm", blend_weight=0.2),
        origin(style="starry", blend="blossom"),
        origin(style="starry", size=65),
        origin(style="starry", name="hall"),
    ]
    pictures["starry"] = picture(16, 16, seed=7)
    others.append(origin(style="starry"))
    tiny_weights(weights, seed=1)
    others.append(origin(style="starry"))
    assert len({usual, *others}) == 1 + len(others)
