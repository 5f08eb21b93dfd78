"""What a render takes does not grow with the film."""

from pathlib import Path

from tests.streamer.render.material import bikes, write
from tests.streamer.render.weighed import peak_mib


def test_a_film_ten_times_as_long_takes_as_much_memory(tmp_path: Path) -> None:
    """The real clip, repeated: with its cuts, sound and all."""
    short = [*bikes()[26:36], *bikes()[140:152]]
    one = peak_mib(write(tmp_path / "one.mp4", short, sound=True), tmp_path / "1.mp4")
    ten = peak_mib(write(tmp_path / "ten.mp4", short * 10), tmp_path / "10.mp4")
    assert ten < 1.03 * one, f"{one:.0f} and {ten:.0f} MiB"
