"""What people may change while frames are painted. Every change acts from the next frame on.

Anybody may call a ``Control`` from any thread. The painter asks it before each frame and shows it what it painted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Condition

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from protocols.frame import Frame
from streamer.gallery import Gallery
from streamer.paint import Hot, Paint
from streamer.picture import PictureError
from streamer.recipe import PAINTINGS, names, renamed
from streamer.recordings import Recordings
from streamer.section import shown
from streamer.settings import allowed, nearest
from streamer.snapshot import as_png

__all__ = ["ChangeError", "Control", "Hot", "Orders", "hot_settings"]


class ChangeError(ValueError):
    """Nothing was changed.

    Args:
        problems: one line each, for people: the setting, what was expected, what came.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class Orders:
    """What the painter is to do from now on."""

    hot: Hot
    paused: bool
    afresh: bool
    """The next frame begins a picture of its own. Said once."""


def hot_settings(paint: Paint, gallery: Gallery) -> Hot:
    """Return what people may change of ``paint``, each painting by its name in the gallery."""
    hot = {name: getattr(paint, name) for name in Hot.model_fields}
    return Hot(**{**hot, **{key: renamed(hot[key], gallery.name_of) for key in PAINTINGS}})


class Control:
    """The settings of a stream that runs, its pause, its snapshots and its recording.

    Args:
        hot: the settings at the start.
        gallery: the paintings that may be chosen.
        recordings: what ``start_recording`` starts; None: films in ``rec``, which nobody feeds.
    """

    def __init__(self, hot: Hot, gallery: Gallery, *, recordings: Recordings | None = None) -> None:
        self._hot = hot
        self._gallery = gallery
        self._recordings = recordings or Recordings(Path("rec"))
        self._paused = self._afresh = False
        self._painted: tuple[Frame, Hot] | None = None
        self._waiting = 0
        self._changed = Condition()

    @property
    def gallery(self) -> Gallery:
        """The paintings that may be chosen."""
        return self._gallery

    @property
    def current(self) -> Hot:
        """The settings in effect from the next frame on."""
        with self._changed:
            return self._hot

    def change(self, changes: Mapping[str, object]) -> Hot:
        """Change these settings, all or none; return all settings as they are then.

        A painting is looked at first, which takes as long as it takes to read its file.

        Args:
            changes: by name; ``blend`` is a painting's name, or ``none`` or None.

        Raises:
            ChangeError: with every problem found. Nothing was changed.
        """
        problems = [
            f"unknown setting {shown(key)}{nearest(key[:80], Hot.model_fields)}"
            for key in changes
            if key not in Hot.model_fields
        ]
        known = {key: value for key, value in changes.items() if key in Hot.model_fields}
        wrong = {str(detail["loc"][0]): detail for detail in _mistakes(known)}
        problems += [_explain(key, detail) for key, detail in wrong.items()]
        read = Hot.model_validate({key: value for key, value in known.items() if key not in wrong})
        problems += [
            problem
            for key in PAINTINGS
            if key in known and key not in wrong
            for name in names(getattr(read, key))
            for problem in self._look(key, name)
        ]
        if problems:
            raise ChangeError(*problems)
        with self._changed:
            self._hot = Hot.model_validate({**dict(self._hot), **known})
            self._changed.notify_all()
            return self._hot

    def _look(self, key: str, name: str) -> list[str]:
        """Return what is wrong with the painting ``name``, which is a text of the right form."""
        known = self._gallery.names()
        if name not in known:
            return [f"{key}: expected one of {', '.join(known)}, got {shown(name)}{nearest(name[:80], known)}"]
        try:
            self._gallery.check(name)
        except PictureError as error:
            return [f"{key}: {error}"]
        return []

    def pause(self) -> None:
        """Paint no frames until ``resume``: those of a live source are counted as dropped, a file's wait."""
        self._turn(paused=True)

    def resume(self) -> None:
        """Paint again."""
        self._turn(paused=False)

    @property
    def paused(self) -> bool:
        """Whether no frames are painted."""
        with self._changed:
            return self._paused

    def _turn(self, *, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def await_resumed(self, timeout_s: float) -> bool:
        """Return whether frames are painted, as soon as they are or after ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._paused, timeout_s)

    def reset(self) -> None:
        """Let the next frame begin a picture of its own."""
        with self._changed:
            self._afresh = True
            self._changed.notify_all()

    def snapshot(self, timeout_s: float) -> bytes:
        """Return the next painted frame as a PNG that carries style, settings and version as text.

        Raises:
            TimeoutError: no frame was painted in time, as when painting is paused or the source is lost.
        """
        with self._changed:
            last = self._painted
            self._waiting += 1
            try:
                came = self._changed.wait_for(lambda: self._painted is not last, timeout_s)
                painted = self._painted
            finally:
                self._waiting -= 1
                if not self._waiting:
                    self._painted = None
        if not came or painted is None:
            why = ", as painting is paused" if self.paused else ""
            raise TimeoutError(f"no frame was painted within {timeout_s:g} s{why}")
        return as_png(*painted)

    def start_recording(self) -> Path:
        """Record what is painted from the next frame on; return the film's path, also if one is recorded already.

        Raises:
            RecordingError: the folder cannot be written, or there is none.
        """
        return self._recordings.start()

    def stop_recording(self) -> Path | None:
        """Finish the film; return its path, None if nothing was recorded."""
        return self._recordings.stop()

    @property
    def recording(self) -> Path | None:
        """The film being recorded, if any. It becomes None by itself when the film cannot be written on."""
        return self._recordings.path

    def orders(self) -> Orders:
        """Return what to do with the next frame. Only the painter asks."""
        with self._changed:
            orders = Orders(self._hot, self._paused, self._afresh)
            self._afresh = False
            return orders

    def painted(self, frame: Frame, hot: Hot) -> None:
        """A frame was painted with these settings. Only the painter says so."""
        with self._changed:
            if self._waiting:
                self._painted = frame, hot
                self._changed.notify_all()


def _mistakes(changes: Mapping[str, object]) -> list[ErrorDetails]:
    """Return what is wrong with the values of known settings, whatever the others are."""
    try:
        Hot.model_validate(changes)
    except ValidationError as error:
        return error.errors()
    return []


def _explain(key: str, mistake: ErrorDetails) -> str:
    if mistake["type"] == "value_error":
        return f"{key}: {mistake['ctx']['error']}"
    return f"{key}: expected {allowed(Hot.model_fields[key])}, got {shown(mistake['input'])}"
