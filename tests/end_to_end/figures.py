"""What the faults cost, in numbers: ``pytest -rP`` (or ``-s``) shows them."""

import math
from collections.abc import Sequence

MIB = 2**20


def figure(row: str, **values: object) -> None:
    """Print what was measured for one row of the fault table, or for one promise."""
    shown = ", ".join(f"{key} {f'{value:.3g}' if isinstance(value, float) else value}" for key, value in values.items())
    print(f"[{row}] {shown}")  # noqa: T201 - for the reader of the test report


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of ``values`` that at least ``share`` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
