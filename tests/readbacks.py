"""How often the host waits for the device."""

from torch.utils._python_dispatch import TorchDispatchMode


class Readbacks(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's own
    """Counts how often a tensor's numbers are asked for by the host."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's own
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204 - torch's own signature
        self.count += "_local_scalar_dense" in str(func)
        return func(*args, **(kwargs or {}))
