"""Ways to begin a frame and frames that wait for their future, through whole daemons that paint real film."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import combinations
from pathlib import Path
from threading import Event
from typing import Any, get_args

import av
import cv2
import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from protocols.frame import Frame, Rejected
from streamer.assemble import Parts, assemble
from streamer.config import Config, Http, Restart
from streamer.daemon import Daemon
from streamer.engine import Way
from streamer.paint import Paint
from tests import clips
from tests.endpoints import RecordingSink, ScriptedSource, frame, picture
from tests.protocols.films import write_film
from tests.streamer.test_daemon import explains_every_gap, is_balanced, logged, running
from tests.tiny import tiny_weights

WAYS: Sequence[Way] = get_args(Way)


@cache
def bikes() -> list[NDArray[np.uint8]]:
    """Return neighboring frames of one scene, 64 x 36."""
    film = clips.film("bikes")[80:88]
    return [np.ascontiguousarray(cv2.resize(each, (64, 36), interpolation=cv2.INTER_AREA), np.uint8) for each in film]


@cache
def bunny() -> list[NDArray[np.uint8]]:
    """Return frames of another scene, of the same size."""
    film = clips.film("bigbuckbunny")[:4]
    return [np.ascontiguousarray(cv2.resize(each, (64, 36), interpolation=cv2.INTER_AREA), np.uint8) for each in film]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what daemons keep in folders of the test's own."""
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    tiny_weights(tmp_path / "tiny.safetensors")
    assert cv2.imwrite(str(tmp_path / "style.png"), cv2.resize(picture(6, 8, seed=9), (128, 96)))


class Fresh(ScriptedSource):
    """Makes each frame when its time has come, so that it is not older than it would be."""

    def frames(self, stop: Event) -> Iterator[Frame | Rejected]:
        """Play the script."""
        for item in self._scripts[0]:
            if stop.is_set():
                return
            made = item() if callable(item) else item
            if isinstance(made, Frame):
                yield made
        stop.wait()


class Studio:
    """Makes daemons that paint with the tiny network, and runs them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.log: list[Any] = []

    def config(self, **paint: object) -> Config:
        """Return settings for a fast stream."""
        chosen = {
            "weights": str(self._folder / "tiny.safetensors"),
            "style": str(self._folder / "style.png"),
            "device": "cpu",
            "size": 64,
            "fps": 200,
            "iterations": 4,
        }
        return Config(
            paint=Paint.model_validate(chosen | paint),
            restart=Restart(every_s=0.1),
            http=Http(listen="off"),
            once=True,
        )

    def daemon(self, source: ScriptedSource, sink: RecordingSink, config: Config) -> Daemon:
        """Return a daemon that paints as its settings say."""

        def parts(config: Config) -> Parts:
            return replace(assemble(config), source=source, sinks={"out": sink})

        return Daemon(config, assemble=parts)

    def paint(self, images: Sequence[NDArray[np.uint8]], **settings: object) -> list[Frame]:
        """Return what becomes of a film, each of whose frames has been painted with the same iterations."""
        source = ScriptedSource([frame(number, image=image) for number, image in enumerate(images)], live=False)
        sink = RecordingSink()
        with structlog.testing.capture_logs() as log:
            assert self.daemon(source, sink, self.config(**settings)).run() == 0
        self.log = list(log)
        (stats,) = logged(self.log, "stats")[-1:]
        assert is_balanced(stats)
        assert stats["dropped"] == {}
        assert stats["painting"] == stats["waiting"] == 0
        assert [each.sequence for each in sink.written] == list(range(len(images)))
        return sink.written


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def far(one: Frame, other: Frame) -> float:
    """Return how far two pictures are apart, in 8-bit levels."""
    return float(np.abs(one.image.astype(float) - other.image).mean())


def same(some: Sequence[Frame], others: Sequence[Frame]) -> list[bool]:
    return [np.array_equal(one.image, other.image) for one, other in zip(some, others, strict=False)]


def test_each_way_to_begin_a_frame_gives_another_film(studio: Studio) -> None:
    films = {way: studio.paint(bikes()[:4], init=way) for way in WAYS}
    for one, other in combinations(WAYS, 2):
        assert all(far(a, b) > 1 for a, b in zip(films[one][2:], films[other][2:], strict=True)), (one, other)
    paintings = [[each.painting for each in film if each.painting] for film in films.values()]
    assert all([painting.cut for painting in each] == [True, False, False, False] for each in paintings)


@pytest.mark.parametrize("lag", [0, 2])
@pytest.mark.parametrize("way", WAYS)
def test_cuts_and_other_sizes_stop_no_way_to_begin_a_frame(studio: Studio, way: Way, lag: int) -> None:
    small = [np.ascontiguousarray(image[:24, :48]) for image in bunny()[:2]]
    painted = studio.paint([*bikes()[:3], *bunny()[:2], *small, *bikes()[3:5]], init=way, lag=lag, iterations=2)
    assert [each.image.shape[:2] for each in painted] == [(36, 64)] * 5 + [(24, 48)] * 2 + [(36, 64)] * 2
    cuts = [each.sequence for each in painted if each.painting and each.painting.cut]
    assert cuts == [0, 3, 5, 7]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lag", [0, 1, 3])
def test_no_picture_depends_on_frames_beyond_the_lag(studio: Studio, way: Way, lag: int) -> None:
    """The films agree up to frame 3; then another scene is shown, or the same one with a jerk."""
    films = [bikes()[:6], [*bikes()[:4], *bunny()[:2]], [*bikes()[:4], *(np.roll(each, 2, 1) for each in bikes()[4:6])]]
    one, *others = [studio.paint(film, init=way, lag=lag, iterations=max(4 * lag, 2)) for film in films]
    for other in others:
        assert all(same(one[: 4 - lag], other[: 4 - lag]))
    assert same(one, others[1])[4 - lag] is False, "it is painted on with all that it waits for"


def test_every_lag_gives_another_film_in_order_and_with_the_same_iterations(studio: Studio) -> None:
    films = {lag: studio.paint(bikes()[:6], lag=lag) for lag in (0, 1, 2, 4, 8)}
    for one, other in combinations(films, 2):
        assert not all(same(films[one], films[other])) or 4 <= one < other, (one, other)
    spent = {lag: [each.painting.iterations for each in film if each.painting] for lag, film in films.items()}
    assert spent[0] == [4] * 6
    assert spent[1] == [4] * 5 + [3]
    assert sum(spent[2]) == 6 * 3 + 4


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "lbfgs"},
        {"balance": "shares"},
        {"temporal_loss": "robust"},
        {"steadiness": 0.5},
        {"color": "matched", "light": 0.5},
        {"pooling": "average"},
    ],
    ids="-".join,
)
def test_a_lag_goes_with_every_other_setting_and_changes_the_film(studio: Studio, settings: dict[str, object]) -> None:
    plain, lagging = (studio.paint(bikes()[:4], lag=lag, iterations=8, **settings) for lag in (0, 2))
    assert not any(same(plain[:2], lagging[:2]))


def test_a_frame_leaves_with_its_own_times_once_those_after_it_are_painted(studio: Studio) -> None:
    sink, lag, left = RecordingSink(), 3, list[int]()
    frames = [frame(number, image=image) for number, image in enumerate(bikes()[:7])]
    script = [item for each in frames for item in (lambda: left.append(len(sink.written)), each)]
    daemon = studio.daemon(ScriptedSource(script, live=False), sink, studio.config(lag=lag))
    assert daemon.run() == 0
    assert all(count <= max(0, number - lag) for number, count in enumerate(left))
    for painted, came in zip(sink.written, frames, strict=True):
        assert (painted.captured_at, painted.received_at) == (came.captured_at, came.received_at)
    assert np.all(np.diff([each.pts for each in sink.written]) > 0)


def test_the_age_of_a_live_picture_has_the_lag_in_it_and_every_frame_is_accounted_for(studio: Studio) -> None:
    ages = {}
    for lag in (0, 4):
        sink, pause = RecordingSink(), Event()
        images = bikes()[:6] * 4
        script = [
            item
            for number, image in enumerate(images)
            for item in (partial(pause.wait, 0.04), lambda number=number, image=image: frame(number, image=image))
        ]
        with (
            structlog.testing.capture_logs() as log,
            running(studio.daemon(Fresh(script), sink, studio.config(lag=lag, fps=20, iterations=1))),
        ):
            sink.await_that(lambda written: bool(written) and written[-1].sequence >= 12)
        (last,) = logged(list(log), "stats")[-1:]
        assert is_balanced(last)
        assert last["painting"] == last["waiting"] == 0
        assert set(last["dropped"]) <= {"busy", "draining"}
        fresh = [each for each in sink.written if not each.stale]
        assert explains_every_gap(fresh)
        assert [each.sequence for each in fresh] == sorted({each.sequence for each in fresh})
        ages[lag] = last["age_p50_ms"]
    assert ages[4] > ages[0] + 150, "four frames of at least 40 ms"


def test_when_the_source_falls_silent_what_waits_leaves_and_the_last_one_is_held(studio: Studio) -> None:
    sink = RecordingSink()
    source = ScriptedSource([frame(number, image=image) for number, image in enumerate(bikes()[:4])])
    config = studio.config(lag=2, fps=20, iterations=1)
    quick = config.model_copy(update={"input": config.input.model_copy(update={"stall_timeout_s": 0.3})})
    with running(studio.daemon(source, sink, quick)):
        written = sink.await_that(lambda written: bool(written) and written[-1].stale and written[-1].sequence == 3)
    assert [each.sequence for each in written if not each.stale][-1] == 3


@pytest.mark.parametrize("way", WAYS)
def test_in_any_way_the_last_picture_is_painted_on_while_none_comes(studio: Studio, way: Way) -> None:
    config, sink = studio.config(init=way, fps=4, iterations=2), RecordingSink()  # time enough for both iterations
    refining = config.model_copy(update={"output": config.output.model_copy(update={"when_idle": "refine"})})
    source = ScriptedSource([frame(0, image=bikes()[0])])
    with running(studio.daemon(source, sink, refining)):
        written = sink.await_that(lambda written: len(written) > 1)
    assert [each.stale for each in written[:2]] == [False, True]
    same_start = way == "independent"  # two iterations from the frame itself give what they gave
    assert np.array_equal(written[0].image, written[1].image) == same_start


def test_the_flags_of_run_choose_way_and_lag(tmp_path: Path) -> None:
    film, painted = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_film(film, bikes()[:4])
    flags = ["--init", "previous", "--lag", "2", "--iterations", "1", "--device", "cpu", "--listen", "off"]
    files = ["--weights", str(tmp_path / "tiny.safetensors"), "--style", str(tmp_path / "style.png")]
    command = [
        sys.executable,
        "-m",
        "streamer",
        "run",
        str(film),
        str(painted),
        *flags,
        *files,
        "--set",
        "log.format=json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    with av.open(str(painted)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4


@pytest.mark.parametrize("way", WAYS)
def test_the_picture_of_any_way_goes_on_after_a_restart(studio: Studio, way: Way) -> None:
    events: list[list[str]] = []
    for number in (0, 2):
        sink = RecordingSink()
        source = ScriptedSource([frame(number, image=bikes()[number])])
        with (
            structlog.testing.capture_logs() as log,
            running(studio.daemon(source, sink, studio.config(init=way))),
        ):
            painting = sink.await_frames(1)[0].painting
        events.append([entry["event"] for entry in log if entry["event"].startswith("checkpoint")])
    assert events == [[], ["checkpoint_restored"]]
    assert painting is not None
    assert not painting.cut
