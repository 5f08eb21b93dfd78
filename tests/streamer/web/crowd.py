"""Many viewers in one thread, who only read: they shall cost the daemon something, and the test little."""

import selectors
import socket
import threading
from types import TracebackType
from typing import Self

from tests.streamer.web.studio import Site


class Crowd:
    """Watches a motion JPEG many times.

    Args:
        site: where.
        count: how many.
    """

    def __init__(self, site: Site, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.refused = 0
        self.read_bytes = 0
        question = f"GET /out.mjpg HTTP/1.1\r\nHost: {site.netloc}\r\n\r\n".encode()
        for _ in range(count):
            viewer = site.connect()
            viewer.sendall(question)
            self._selector.register(viewer, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.1):
                viewer = key.fileobj
                assert isinstance(viewer, socket.socket)
                heard = viewer.recv(2**16)
                self.read_bytes += len(heard)
                self.refused += heard.startswith(b"HTTP/1.1 503")
                if not heard:
                    self._selector.unregister(viewer)
                    viewer.close()
