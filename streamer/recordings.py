"""Films of the painted stream, begun and ended by people while it runs."""

import time
from pathlib import Path
from threading import Lock, RLock, Thread

import structlog

from protocols.errors import SinkError
from protocols.frame import Frame
from protocols.recording import VideoSink, free_path
from streamer.ledger import Account, Ledger, Place
from streamer.mailbox import Closed, Mailbox

NAME = "%Y-%m-%d_%H-%M-%S.mp4"
"""Of a film: when it began, in local time."""
WAITING_FRAMES = 16
"""Before a disk that is too slow costs frames of a live stream."""
FINISH_PATIENCE_S = 5.0

log = structlog.get_logger()


class RecordingError(RuntimeError):
    """No film can be recorded; the message says why."""


class Recordings:
    """An outlet of the painter that films what it is handed, while it is told to.

    A film that cannot be written on ends alone: that is logged, and what is in it can be played.

    Args:
        folder: where films go; made when the first one begins.
        fps: frames per second to expect; only a hint.
        live: the newest frame wins when the disk is too slow; otherwise the painter waits for it.
    """

    def __init__(self, folder: Path, *, fps: float = 25.0, live: bool = True) -> None:
        self._folder = folder
        self._fps = fps
        self._live = live
        self._film: _Recording | None = None
        self._lock = Lock()

    @property
    def path(self) -> Path | None:
        """The film being recorded, if any."""
        film = self._film
        return film.path if film and not film.is_over else None

    def start(self) -> Path:
        """Begin a film; return its path, or that of the film being recorded.

        Raises:
            RecordingError: its folder is not there and cannot be made, or cannot be written.
        """
        with self._lock:
            if path := self.path:
                return path
            path = self._free_path()
            self._film = _Recording(path, fps=self._fps, live=self._live)
            log.info("recording_started", path=str(path))
            return path

    def stop(self) -> Path | None:
        """Finish the film, which takes a moment; return its path, None if none was recorded."""
        with self._lock:
            film, self._film = self._film, None
        if film is None or film.is_over:
            return None
        film.finish(FINISH_PATIENCE_S)
        return film.path

    def hand(self, frame: Frame) -> None:
        """Take over a frame from the painter."""
        if film := self._film:
            film.hand(frame)

    def close(self) -> None:
        """Finish the film: no more frames will be handed over."""
        self.stop()

    def _free_path(self) -> Path:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = free_path(self._folder.absolute() / time.strftime(NAME))
            path.touch()  # an empty file is none to the sink; but it tells whether one can be written
        except OSError as error:
            raise RecordingError(f"no film can be written in {self._folder.absolute()}: {error.strerror}") from None
        return path


class _Recording:
    """One film and the thread that writes it."""

    def __init__(self, path: Path, *, fps: float, live: bool) -> None:
        self.path = path
        self.is_over = False
        self._sink = VideoSink(path, fps=fps)
        self._outbox: Mailbox[Frame] = Mailbox(WAITING_FRAMES, waits=not live)
        self._ledger = Ledger(RLock())
        self._thread = Thread(target=self._write, name="recording", daemon=True)
        self._thread.start()

    def hand(self, frame: Frame) -> None:
        """Take over a frame."""
        self._ledger.enter()
        for dropped in self._outbox.put(frame):
            self._ledger.drop("over" if dropped is frame else "busy", Place.WAITING)

    def finish(self, patience_s: float) -> None:
        """Write what waits, then end."""
        self._outbox.close()
        self._thread.join(patience_s)

    def _write(self) -> None:
        try:
            self._sink.open()
            while True:
                frame = self._outbox.take()
                self._ledger.begin()
                self._sink.write(frame)
                self._ledger.finish()
        except Closed:
            self._end(None)
        except SinkError as error:
            self._end(error)

    def _end(self, error: SinkError | None) -> None:
        self.is_over = True
        self._outbox.close()
        try:
            self._sink.close()
        except SinkError as late:
            error = error or late
        for _ in self._outbox.clear():
            self._ledger.drop("over", Place.WAITING)
        if not self._ledger.account().done and _is_empty(self.path):
            self.path.unlink()
        if error is not None:
            log.error("recording_failed", path=str(self.path), reason=error.reason, error=str(error))
        log.info("recording_stopped", path=str(self.path), **_facts(self._ledger.account()))


def _is_empty(path: Path) -> bool:
    """Return whether there is a file, but nothing in it."""
    return path.exists() and path.stat().st_size == 0


def _facts(account: Account) -> dict[str, object]:
    return {"frames": account.done, "dropped": sum(account.dropped.values())}
