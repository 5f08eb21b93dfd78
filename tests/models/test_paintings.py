"""The built-in paintings are painted by code, always alike, and kept on disk."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models import brush, paintings


def _entropy_bits(image: np.ndarray) -> float:
    """Entropy of the colors, five bits a channel."""
    codes = (image >> 3).astype(np.int64) @ np.array([1024, 32, 1])
    shares = np.bincount(codes.ravel())
    shares = shares[shares > 0] / codes.size
    return float(-(shares * np.log2(shares)).sum())


@pytest.mark.parametrize("name", paintings.NAMES)
def test_a_painting_is_bit_equal_whenever_it_is_painted(name: str) -> None:
    first, second = (paintings.paint(name, width=128) for _ in range(2))
    assert first.shape == (96, 128, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)


def test_the_seed_changes_the_painting() -> None:
    assert not np.array_equal(paintings.paint("storm", width=96), paintings.paint("storm", width=96, seed=1))


@pytest.mark.parametrize("name", paintings.NAMES)
def test_a_painting_has_the_contrast_and_the_colors_of_oil(name: str) -> None:
    painting = paintings.paint(name)
    blurred = cv2.GaussianBlur(painting, (0, 0), 3.0)
    strokes = (painting.astype(float) - blurred).std()
    assert strokes > 20, "strokes stand out from their neighborhood"
    assert painting.std(axis=(0, 1)).min() > 45, "each channel uses its range"
    assert _entropy_bits(painting) > 10, "about a thousand colors and more"


def test_paintings_differ_in_their_palettes() -> None:
    means = np.stack([paintings.paint(name, width=128).mean(axis=(0, 1)) for name in paintings.NAMES])
    apart = np.linalg.norm(means[:, None] - means[None], axis=2)
    assert apart[~np.eye(len(means), dtype=bool)].min() > 20


def test_strokes_run_along_the_field() -> None:
    color = np.random.default_rng(0).random((96, 128, 3)).astype(np.float32) * 0.2 + 0.4
    for angle, along in ((0.0, 1), (np.pi / 2, 0)):
        sketch = brush.Sketch(color, np.full((96, 128), angle, np.float32))
        gray = brush.paint(sketch, np.random.default_rng(1)).mean(axis=2)
        change = [np.abs(np.diff(gray, axis=axis)).mean() for axis in (0, 1)]
        assert change[along] < 0.8 * change[1 - along]


def test_relief_is_lit_from_the_upper_left() -> None:
    height = np.zeros((64, 64), np.float32)
    height[24:40, 24:40] = 1.0
    lit = brush._light(np.full((64, 64, 3), 0.5, np.float32), height)[..., 0]
    assert lit[32, 24] > 0.55
    assert lit[24, 32] > 0.55
    assert lit[32, 39] < 0.45
    assert lit[39, 32] < 0.45
    assert lit[32, 32] == pytest.approx(0.5)


@pytest.mark.parametrize(("wrong", "nearest"), [("stary", "starry"), ("Harvest", "harvest"), ("???", "")])
def test_an_unknown_painting_is_refused_and_the_nearest_named(wrong: str, nearest: str) -> None:
    for get in (paintings.paint, paintings.load):
        with pytest.raises(ValueError, match=f"starry, harvest, storm, blossom.*nearest is '{nearest}"):
            get(wrong)


def test_a_painting_too_small_for_strokes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 x 16"):
        paintings.paint("storm", width=8)


def test_a_loaded_painting_is_the_painted_one_and_comes_from_disk_the_second_time(tmp_path: Path) -> None:
    cache = tmp_path / "not" / "yet" / "there"
    painted = paintings.paint("storm", width=96)
    assert np.array_equal(paintings.load("storm", 96, cache), painted)
    (file,) = cache.iterdir()
    assert np.array_equal(paintings.load("storm", 96, cache), painted)
    marked = 255 - painted
    cv2.imwrite(str(file), cv2.cvtColor(marked, cv2.COLOR_RGB2BGR))
    assert np.array_equal(paintings.load("storm", 96, cache), marked)


@pytest.mark.parametrize("damage", ["torn", "garbage", "empty", "other size", "bit rot"])
def test_a_damaged_cache_file_is_painted_anew(tmp_path: Path, damage: str) -> None:
    painted = paintings.load("storm", 96, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    small = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    rotten = whole[: len(whole) // 2] + bytes(64) + whole[len(whole) // 2 + 64 :]
    damages = {"torn": whole[: len(whole) // 2], "garbage": b"\x00" * 99, "empty": b"", "other size": small}
    file.write_bytes(damages.get(damage, rotten))
    assert np.array_equal(paintings.load("storm", 96, tmp_path), painted)
    assert file.read_bytes() == whole
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]
