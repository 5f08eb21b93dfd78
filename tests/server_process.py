"""A server in a process of its own, which can lose power or freeze."""

import signal
import subprocess
from types import TracebackType
from typing import Self


class ServerProcess:
    """Ends with the block; whoever inherits starts it."""

    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it at once, as a camera that loses power."""
        self.process.kill()
        self.process.wait(10)

    def freeze(self) -> None:
        """Stop it while its connections stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self.process.stdout:
            self.process.stdout.close()
