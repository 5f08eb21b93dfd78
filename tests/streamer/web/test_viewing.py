"""What is kept to look at, and that nothing is computed before somebody looks."""

import math
import threading

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from protocols.frame import Frame, Painting
from protocols.jpeg import decode_jpeg
from streamer.web import viewing as viewing_file
from streamer.web.viewing import MOMENTS, Scale, Side, Viewing
from tests.endpoints import frame
from tests.streamer.web.studio import stylized


def smooth(height: int, width: int, color: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return one color, which a JPEG hardly changes."""
    return np.full((height, width, 3), color, np.uint8)


def painted(image: NDArray[np.uint8], *, number: int = 0, stale: bool = False) -> Frame:
    return Frame(
        image=image,
        sequence=number,
        pts=0,
        captured_at=0,
        received_at=0,
        stale=stale,
        painting=Painting(3, cut=False, temporal_error=0.25),
    )


def seen(viewing: Viewing, side: Side) -> NDArray[np.uint8]:
    assert viewing.newest is not None
    return decode_jpeg(viewing.newest.jpeg(side), max_pixels=10**6)


def is_like(image: NDArray[np.uint8], color: tuple[int, int, int]) -> bool:
    return bool(np.abs(image.astype(int) - np.array(color)).max() <= 6)


RED, BLUE, WHITE = (200, 30, 30), (30, 30, 200), (255, 255, 255)


def test_each_side_shows_what_it_says_at_the_size_of_the_painted_picture() -> None:
    viewing = Viewing()
    assert viewing.newest is None
    viewing.show(frame(0, image=smooth(96, 128, RED)), painted(smooth(48, 64, BLUE)), stylized())
    assert seen(viewing, Side.IN).shape == (48, 64, 3)
    assert is_like(seen(viewing, Side.IN), RED)
    assert is_like(seen(viewing, Side.OUT), BLUE)
    pair = seen(viewing, Side.PAIR)
    assert pair.shape == (48, 128, 3)
    assert is_like(pair[:, :56], RED)
    assert is_like(pair[:, 72:], BLUE)
    assert is_like(seen(viewing, Side.FLOW), WHITE), "no flow is known after a cut"


@pytest.mark.parametrize(
    ("motion", "color"), [((4, 0), (255, 0, 0)), ((-4, 0), (0, 255, 255)), ((0, 4), (128, 255, 0)), ((0, 0), WHITE)]
)
def test_the_flow_is_shown_as_motion_since_the_frame_before(
    motion: tuple[float, float], color: tuple[int, int, int]
) -> None:
    viewing = Viewing()
    back = -torch.tensor(motion, dtype=torch.float32).reshape(1, 2, 1, 1).expand(1, 2, 48, 64)
    viewing.show(frame(0, image=smooth(48, 64, RED)), painted(smooth(48, 64, BLUE)), stylized(flow=back))
    assert is_like(seen(viewing, Side.FLOW), color)


def test_the_scale_of_the_flow_grows_at_once_and_shrinks_slowly() -> None:
    scale = Scale()
    assert scale.follow(10) == 10
    assert scale.follow(1) == pytest.approx(9.5)
    assert scale.follow(20) == 20


def test_each_side_is_encoded_once_and_only_when_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []

    def encode(image: NDArray[np.uint8], *, quality: int) -> bytes:
        encoded.append(threading.current_thread().name)
        return cv2.imencode(".jpg", image)[1].tobytes()

    monkeypatch.setattr(viewing_file, "encode_jpeg", encode)
    viewing = Viewing()
    for number in range(3):
        viewing.show(frame(number), painted(smooth(24, 32, BLUE), number=number), stylized())
    assert encoded == []
    shot = viewing.newest
    assert shot is not None
    viewers = [threading.Thread(target=shot.jpeg, args=[Side.OUT], name="viewer") for _ in range(8)]
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    assert encoded == ["viewer"]
    shot.jpeg(Side.IN)
    assert len(encoded) == 2


def test_the_last_moments_tell_how_frames_were_painted_and_hold_no_picture() -> None:
    viewing = Viewing()
    for number in range(MOMENTS + 5):
        viewing.show(frame(number), painted(smooth(24, 32, BLUE), number=number), stylized())
    moments = viewing.moments
    assert [moment.sequence for moment in moments] == list(range(5, MOMENTS + 5))
    assert (moments[-1].iterations, moments[-1].cut, moments[-1].temporal_error) == (3, False, 0.25)
    energy = moments[-1].energy
    assert energy is not None
    assert (energy.total, energy.content, energy.style, energy.variation, energy.temporal) == (4, 1, 2, 0.5, 0.5)
    assert moments[-1].energy is energy, "asked of the device once"
    assert moments[-1].terms is None


def test_an_energy_that_is_not_finite_is_told_as_such() -> None:
    viewing = Viewing()
    odd = stylized()
    assert odd.terms is not None
    odd.terms.style.fill_(math.nan)
    viewing.show(frame(0), painted(smooth(24, 32, BLUE)), odd)
    energy = viewing.moments[-1].energy
    assert energy is not None
    assert math.isnan(energy.total)


def test_a_picture_that_goes_out_again_is_not_a_new_one_unless_it_changed() -> None:
    viewing = Viewing()
    image = smooth(24, 32, BLUE)
    viewing.show(frame(0), painted(image), stylized())
    first = viewing.newest
    viewing.show(frame(0), painted(image, stale=True), stylized())
    assert viewing.newest is first
    viewing.show(frame(0), painted(image.copy(), stale=True), stylized())
    assert viewing.newest is not first, "painted further, or a slate"
    assert len(viewing.moments) == 1


def test_listeners_hear_of_each_frame_until_they_leave() -> None:
    viewing = Viewing()
    heard: list[int] = []

    def listen() -> None:
        heard.append(1)

    viewing.listen(listen)
    viewing.show(frame(0), painted(smooth(24, 32, BLUE)), stylized())
    viewing.unlisten(listen)
    viewing.show(frame(1), painted(smooth(24, 32, BLUE)), stylized())
    assert heard == [1]
