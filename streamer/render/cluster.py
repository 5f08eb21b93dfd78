"""Lets a Ray cluster paint: a task for each chunk, the chunks of a scene one after the other, scenes side by side.

Nothing but tasks and answers travels, so no file system need be shared: the frames of a chunk go out, encoded pieces
and what the next chunk goes on from come back, and are kept here. Of a film there is never more on the way than a chunk
for each scene at work. Ray begins a task again whose process was killed.
"""

import os
import signal
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamer import machine
from streamer.config import ConfigError
from streamer.exits import Exit, FatalError
from streamer.render.atomic import put
from streamer.render.failure import Failure
from streamer.render.film import Film
from streamer.render.progress import Report
from streamer.render.reading import Reader
from streamer.render.remote import Answer, pack, perform
from streamer.render.scenes import SceneWork
from streamer.render.stopping import StoppedError
from streamer.render.tasks import Task

MOST_DEATHS = 3
"""Of processes at one task."""
LOOK_UP_S = 0.5
"""How often a wait looks whether somebody wants us to end."""


class Cluster:
    """A connection to a cluster; a context manager that leaves it, and ends one that was only for us.

    Args:
        address: as Ray has it: ``auto``, ``host:port`` or ``ray://host:port``; empty: one on this machine, for us.
        film: what is painted.
        jobs: so many scenes at once; 1: as many as the cluster has room for.
        preview: where the newest frame goes now and then.
        report: shows how far the work is.
    """

    def __init__(self, address: str, film: Film, *, jobs: int, preview: Path | None, report: Report) -> None:
        self._address = address
        self._film = film
        self._jobs = jobs
        self._preview = preview
        self._report = report
        self._ray = _imported()
        self._flying: dict[Any, _Flight] = {}

    def __enter__(self) -> Self:
        job = self._film.job
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if not self._address:
            options |= {"num_cpus": max(machine.cores(), self._jobs * job.threads), "include_dashboard": False}
        before = signal.getsignal(signal.SIGTERM)
        failure = None
        try:
            self._ray.init(self._address or "local", **options)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            failure = str(error).partition("\n")[0]
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray's own handler would leave nothing to be said
        if failure:
            raise FatalError(f"no Ray cluster at {self._address or 'this machine'}: {failure}", code=Exit.UNAVAILABLE)
        self._parcel = self._ray.put(pack(job, self._film.survey, self._preview))
        self._perform = self._ray.remote(perform).options(
            num_cpus=job.threads, num_gpus=int(job.device.startswith("cuda")), max_retries=MOST_DEATHS - 1
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for flying in self._flying:
            self._ray.cancel(flying, force=True)
        self._ray.shutdown()

    def paint(self, works: Sequence[SceneWork]) -> None:
        """Paint what is missing of all these scenes.

        Raises:
            SourceError: the film cannot be read.
            OSError: what came back cannot be kept.
            ConfigError: a machine of the cluster cannot paint it.
            FatalError: process after process died of the same task.
        """
        try:
            self._paint(deque(works))
        except SystemError as error:
            if isinstance(error.__cause__, StoppedError):  # which a signal raised in the middle of Ray
                raise error.__cause__ from None
            raise

    def _paint(self, waiting: deque[SceneWork]) -> None:
        most = self._jobs if self._jobs > 1 else self._room()
        while waiting or self._flying:
            while waiting and len(self._flying) < most:
                work = waiting.popleft()
                self._report.scene(work.scene.number, work.frames(), work.frames_done())
                self._send(work, Reader(self._film.reel, self._film.survey, self._film.timetable))
            ready, _ = self._ray.wait(list(self._flying), timeout=LOOK_UP_S) if self._flying else ([], [])
            for each in ready:
                flight = self._flying.pop(each)
                self._take(flight, self._answer(each, flight.task))
                self._send(flight.work, flight.reader)

    def _room(self) -> int:
        """Return how many tasks the cluster can have at work; there is always one."""
        has, job = self._ray.cluster_resources(), self._film.job
        room = has.get("CPU", 1) / job.threads
        if job.device.startswith("cuda"):
            room = min(room, has.get("GPU", 0))
        return max(1, int(room))

    def _send(self, work: SceneWork, reader: Reader) -> None:
        """Send the next task of a scene, if there is one."""
        task = work.next()
        if task is None:
            self._report.over(work.scene.number)
            return
        frames = list(reader.frames(task.chunk.first, task.chunk.end)) if task.wants_frames else []
        self._flying[self._perform.remote(self._parcel, task, frames)] = _Flight(work, reader, task)

    def _answer(self, reference: object, task: Task) -> Answer:
        """Return what came of a task.

        Raises:
            ConfigError, FatalError, SinkError: nothing.
        """
        failures = self._ray.exceptions
        try:
            answer: Answer | Failure = self._ray.get(reference)
        except failures.RayTaskError as error:
            failure: Exception = FatalError(
                f"{task.chunk}: a process of the cluster failed: {error.cause!r}", code=Exit.BUG
            )
        except failures.RayError as error:
            what = str(error).partition("\n")[0]
            failure = FatalError(f"{task.chunk}: {MOST_DEATHS} times in the cluster: {what}", code=Exit.RESOURCES)
        else:
            if isinstance(answer, Answer):
                return answer
            failure = answer.error()
        raise failure

    def _take(self, flight: "_Flight", answer: Answer) -> None:
        flight.work.keep(flight.task, list(answer.made))
        for _ in range(answer.painted):
            self._report.painted(flight.work.scene.number)
        if self._preview is not None and answer.preview is not None:
            put(self._preview, answer.preview)


@dataclass(frozen=True, slots=True)
class _Flight:
    """A task that was sent, and what goes on with its scene."""

    work: SceneWork
    reader: Reader
    task: Task


def _imported() -> Any:  # noqa: ANN401 - the package may not be there
    """Return the package Ray, which tells nobody about us.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray  # noqa: PLC0415 - heavy, and only here
    except ImportError:
        raise ConfigError("--ray: the package ray is not installed; mend: pip install 'deepmovie[ray]'") from None
    return ray
