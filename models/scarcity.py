"""Too little memory: one error for it, whatever the device."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_OF_THE_CPU = "DefaultCPUAllocator: can't allocate memory"


@contextmanager
def one_memory_error() -> Iterator[None]:
    """Raise ``torch.OutOfMemoryError``, as on CUDA, where torch's allocator of the CPU raises a ``RuntimeError``."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or _OF_THE_CPU not in str(error):
            raise
        raise torch.OutOfMemoryError(str(error)) from None
