"""What a render takes does not grow with the film."""

import re
from pathlib import Path

from tests.streamer.render.material import bikes, write
from tests.streamer.render.mortal import Mortals


def test_a_film_ten_times_as_long_takes_as_much_memory(tmp_path: Path) -> None:
    """The real clip, repeated: cuts, sound and all."""
    short = bikes()[24:36]
    peaks = []
    with Mortals() as mortals:
        for times in (1, 10):
            source = write(tmp_path / f"{times}.mp4", [*short] * times, sound=True)
            mortals.start(source, tmp_path / f"out{times}.mp4", first_iterations=1)
            assert mortals.wait() == 0
            told = (tmp_path / f"out{times}.mp4.told").read_text()
            assert f"painting {12 * times} frames in {2 * times} scenes" in told
            peaks.append(float(re.findall(r"peak ([\d.]+) MiB", told)[0]))
    assert peaks[1] < 1.03 * peaks[0], peaks
