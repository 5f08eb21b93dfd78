"""What frames are painted towards when they are matched: a film's that is known whole, and a stream's."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.exposure import match_histograms
from torch import Tensor

from models.cuts import CutDetector
from models.flow import DIS
from models.histogram import Histogram
from models.look import Look, Mixture, Original
from models.sight import Observer, Sight
from models.vgg import VGG
from streamer.matching import MOVED, FilmMatcher, LiveMatcher, Match
from streamer.pixels import to_tensor
from tests.clips import brightened, film, flashed, photographs
from tests.tiny import tiny_network

LEVEL = 1 / 255
SIZE = 64
LUMA = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> VGG:
    return tiny_network(tmp_path_factory.mktemp("network") / "tiny.safetensors")


class Studio:
    """Paintings, and how often they were looked at."""

    def __init__(self, network: VGG) -> None:
        self._network = network
        self.looks = 0

    def look(self, picture: Tensor) -> Look:
        self.looks += 1
        return Look.of(self._network, picture)

    def mixture(self, *names: str) -> Mixture:
        parts = [(Original.of(tensor(photographs()[name]), self.look), 1 / len(names)) for name in names]
        self.looks = 0
        return Mixture.of(parts)


@pytest.fixture
def studio(network: VGG) -> Studio:
    return Studio(network)


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Return a frame as it is painted."""
    return to_tensor(pixels, size=SIZE, device="cpu")


def pixels(image: Tensor) -> NDArray[np.float64]:
    """Return a picture for scikit-image, its levels as numbers to 255."""
    return image[0].permute(1, 2, 0).double().numpy() * 255


def sights(frames: Iterable[NDArray[np.uint8]]) -> Iterator[Sight]:
    """Return what frames show, cuts found by the detector."""
    observer = Observer(DIS(), CutDetector())
    return (observer.observe(tensor(frame)) for frame in frames)


def light(match: Match) -> float:
    """Return how light the picture is to be."""
    return float(match.level @ LUMA)


def lights(studio: Studio, frames: Iterable[NDArray[np.uint8]], painting: str = "coffee") -> NDArray[np.float64]:
    """Return how light each picture of a stream is to be."""
    matcher, mixture = LiveMatcher(), studio.mixture(painting)
    return np.array([light(matcher.match(sight, mixture)) for sight in sights(frames)])


# -- films ------------------------------------------------------------------------------------------------------------


def test_a_films_frames_are_matched_in_the_papers_two_steps(studio: Studio, network: VGG) -> None:
    frames = [tensor(frame) for frame in film("bikes")[::30]]
    painting = tensor(photographs()["coffee"])
    whole = Histogram.of(frames[0])
    for frame in frames[1:]:
        whole = whole + Histogram.of(frame)
    matcher = FilmMatcher(whole, studio.mixture("coffee"))

    strip = np.concatenate([pixels(frame) for frame in frames])
    as_one = np.split(match_histograms(strip, pixels(painting), channel_axis=-1), len(frames))
    for frame, wanted in zip(frames[::3], as_one[::3], strict=True):
        match = matcher.match(frame)
        content = match.content(frame)
        assert np.abs(pixels(content) - wanted).max() < 0.01
        relit = torch.tensor(match_histograms(pixels(painting), wanted, channel_axis=-1) / 255).permute(2, 0, 1)[None]
        look = Look.of(network, relit.float())
        for name, gram in look.style.grams.items():
            assert float((match.look.style.grams[name] - gram).abs().max()) < 0.01 * float(gram.abs().max())
        assert match.level.numpy() == pytest.approx(wanted.mean((0, 1)) / 255, abs=1e-3)


def test_a_films_match_is_that_of_its_frame_alone_in_whatever_order(studio: Studio) -> None:
    frames = [tensor(frame) for frame in film("bikes")[::80]]
    matcher = FilmMatcher(Histogram.of(torch.cat(frames, 3)), studio.mixture("coffee", "rocket"))
    forth = [matcher.match(frame) for frame in frames]
    back = [matcher.match(frame) for frame in reversed(frames)][::-1]
    for one, other in zip(forth, back, strict=True):
        assert torch.equal(one.look.style.grams["conv3_1"], other.look.style.grams["conv3_1"])
        assert torch.equal(one.look.fill(frames[0]), other.look.fill(frames[0]))


# -- streams ----------------------------------------------------------------------------------------------------------


def test_a_flash_stays_a_flash(studio: Studio) -> None:
    clip = flashed(film("bikes")[:20], (1.8, 2.5, 1.8), at=10)
    found = lights(studio, clip)
    given = clip.mean((1, 2, 3))
    assert np.corrcoef(found, given)[0, 1] > 0.95
    assert found[11] > max(found[:10]) + 0.1
    assert abs(found[14] - found[9]) < 0.03, "and is over when it is over"


@pytest.mark.parametrize("painting", ["coffee", "rocket"])
def test_a_dark_scene_after_a_bright_one_is_dark_from_its_first_frame(studio: Studio, painting: str) -> None:
    bright, dark = film("bigbuckbunny")[:30], brightened(film("bikes")[:30], 0.2)
    found = lights(studio, np.concatenate([bright, dark]), painting)
    assert max(found[30:]) < 0.7 * min(found[:30])
    assert abs(found[30] - found[33]) < 3 * LEVEL, "it does not become dark in steps"


def test_a_stream_that_begins_in_the_dark_begins_dark(studio: Studio) -> None:
    dark = lights(studio, brightened(film("bikes")[:3], 0.2))[0]
    assert dark < 0.6 * lights(studio, film("bikes")[:3])[0]


def test_what_stands_still_does_not_pump(studio: Studio) -> None:
    noise = np.random.default_rng(0)
    still = film("bikes")[40].astype(np.float64)
    clip = [np.clip(still + noise.normal(0, 4, still.shape), 0, 255).astype(np.uint8) for _ in range(120)]
    found = lights(studio, clip)
    assert np.abs(np.diff(found)).max() < LEVEL
    assert abs(found[-1] - found[0]) < 0.1, "nor does it drift to where the painting is"


def test_a_change_of_scene_moves_no_level_by_itself(studio: Studio) -> None:
    matcher, mixture = LiveMatcher(), studio.mixture("coffee")
    seen = [matcher.match(sight, mixture) for sight in sights([*film("bikes")[:10], *film("bigbuckbunny")[:10]])]
    again = Observer(DIS(), CutDetector())
    first = again.observe(tensor(film("bikes")[9]))
    apart = LiveMatcher()
    lit = [light(apart.match(Sight(n, scene, first.content, None), mixture)) for n, scene in ((1, 1), (2, 1), (3, 2))]
    assert np.abs(np.diff(lit)).max() < LEVEL
    assert len({id(match.look) for match in seen}) == 2, "each scene has one look"


def test_the_painting_is_looked_at_again_only_when_the_light_has_moved(studio: Studio) -> None:
    matcher, mixture = LiveMatcher(), studio.mixture("coffee")
    still = [film("bikes")[40]] * 60
    for sight in sights(still):
        matcher.match(sight, mixture)
    assert studio.looks == 1
    dusk = [brightened(film("bikes")[40:41], gain)[0] for gain in np.linspace(1.0, 0.3, 120)]
    found = [matcher.match(Sight(61 + n, 1, tensor(frame), None), mixture) for n, frame in enumerate(dusk)]
    assert 2 <= studio.looks <= 6, "every 25 frames at most"
    assert light(found[-1]) < 0.6 * light(found[0])


def test_a_frame_that_comes_once_more_counts_once(studio: Studio) -> None:
    matcher, mixture = LiveMatcher(), studio.mixture("coffee")
    *_, last = sights(film("bikes")[:5])
    first = matcher.match(last, mixture)
    for _ in range(200):
        again = matcher.match(last.again(), mixture)
    assert torch.equal(first.level, again.level)
    assert again.look is first.look


def test_shares_that_move_take_no_further_look(studio: Studio) -> None:
    matcher, both = LiveMatcher(), studio.mixture("coffee", "rocket")
    (one, _), (other, _) = both.parts
    sight = next(sights(film("bikes")[:1]))
    matcher.match(sight, both)
    assert studio.looks == 2
    grams = []
    for share in (0.25, 0.5, 0.75):
        match = matcher.match(sight, Mixture.of([(one, 1 - share), (other, share)]))
        grams.append(match.look.style.grams["conv2_1"])
    assert studio.looks == 2
    torch.testing.assert_close(grams[1], (grams[0] + grams[2]) / 2)
    assert MOVED > 4 * LEVEL
