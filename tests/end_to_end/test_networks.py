"""The daemon with networks of a user's own: it paints a real film with them, or says what is wrong with them."""

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests import clips
from tests.end_to_end.daemon import PATIENCE_S, Kit, mortal
from tests.onnx_files import color_inverter, failing_on_wide_pictures, shift_finder
from tests.protocols.films import write_film

FIRST, CUT, END = 26, 30, 36
"""Of the clip: frames around a cut."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film of two scenes."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_film(path, list(clips.film("bikes")[FIRST:END]))
    return path


def frames(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def likeness(image: NDArray[np.uint8], like: NDArray[np.uint8]) -> float:
    """Return how two pictures of the same proportions correlate."""
    small, smaller = (
        each[:: each.shape[0] // 12, :: each.shape[1] // 16][:12, :16].astype(float) for each in (image, like)
    )
    return float(np.corrcoef(small.ravel(), smaller.ravel())[0, 1])


def painted(kit: Kit, film: Path, out: Path, *options: str) -> list[NDArray[np.uint8]]:
    """Return every frame of a film as the daemon paints it."""
    with mortal(kit.command(str(film), str(out), "--once", *options), kit.environment) as daemon:
        daemon.process.wait(2 * PATIENCE_S)
        daemon.join()
    assert daemon.process.returncode == 0
    daemon.audit()
    return frames(out)


def test_a_film_is_painted_with_a_flow_and_a_fill_from_files(kit: Kit, film: Path, tmp_path: Path) -> None:
    flow, fill = shift_finder(tmp_path / "flow.onnx"), color_inverter(tmp_path / "fill.onnx", white=255)
    options = "--flow", f"onnx:{flow}", "--set", f"paint.fill=onnx:{fill}#range=0..255"
    usual = painted(kit, film, tmp_path / "usual.mp4")
    networked = painted(kit, film, tmp_path / "networked.mp4", *options)
    assert len(usual) == len(networked) == END - FIRST
    for first in (0, CUT - FIRST):
        content = frames(film)[first]
        assert likeness(usual[first], content) > 0.5
        assert likeness(networked[first], content) < -0.5


def test_a_live_stream_whose_network_fails_is_degraded_and_goes_on(kit: Kit, tmp_path: Path) -> None:
    flow = failing_on_wide_pictures(tmp_path / "flow.onnx")
    command = kit.command("test:#size=208x118", "null:", "--flow", f"onnx:{flow}", size=208)
    with mortal(command, kit.environment) as daemon:
        failed = daemon.await_entry("network_failed")
        assert failed.facts["part"] == "flow"
        assert "out of data bounds" in failed.facts["error"]
        stats = daemon.await_stats(lambda stats: stats["published"] >= 3)
        assert stats["state"] == "degraded"
        assert stats["dropped"].keys() <= {"busy"}
        daemon.stop()
        daemon.join()
        assert daemon.process.returncode == 0
        told, ran_s = daemon.entries("network_failed"), daemon.log[-1].at - failed.at
        assert len(told) <= 1 + ran_s / 10, "it fails at every frame"


def test_a_network_that_is_not_there_keeps_the_daemon_from_starting(kit: Kit) -> None:
    command = kit.command("test:", "null:", "--flow", "onnx:/nowhere/flow.onnx")
    ended = subprocess.run(command, env=kit.environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 78
    assert "command line: paint.flow: there is no file '/nowhere/flow.onnx'" in ended.stderr
