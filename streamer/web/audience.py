"""Those who watch the picture move: how many there may be, and what each is shown next.

All of this runs in the loop of the HTTP thread.
"""

import asyncio
from asyncio import AbstractEventLoop, Future
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from streamer.web.viewing import Shot, Side, Viewing

T = TypeVar("T")

REPEAT_S = 1.0
"""While nothing new is painted, viewers hear so often that nothing is."""


class FullError(Exception):
    """Nobody more can watch."""


class Audience:
    """Hands every viewer the newest frame as soon as the viewer is ready for it; frames in between are left out.

    All viewers of one side share one JPEG.

    Args:
        viewing: where frames come from.
        limit: most viewers.
        pool: the threads that encode.
    """

    def __init__(self, viewing: Viewing, *, limit: int, pool: ThreadPoolExecutor) -> None:
        self._viewing = viewing
        self._limit = limit
        self._pool = pool
        self._loop: AbstractEventLoop | None = None
        self._came = asyncio.Event()
        self._is_over = False
        self._jpegs: dict[tuple[int, Side], Future[bytes]] = {}
        self.viewers = 0

    def begin(self) -> None:
        """Follow the painter; called in the loop."""
        self._loop = asyncio.get_running_loop()
        self._viewing.listen(self._announce)

    def dismiss(self) -> None:
        """Let every viewer's pictures end."""
        self._is_over = True
        self._wake()

    def end(self) -> None:
        """Follow the painter no more, who must not touch a loop that is over."""
        self._viewing.unlisten(self._announce)

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Be one of the viewers.

        Raises:
            FullError: there are as many as there may be.
        """
        if self.viewers >= self._limit:
            raise FullError(f"{self._limit} viewers are watching already; http.max_viewers allows no more")
        self.viewers += 1
        try:
            yield
        finally:
            self.viewers -= 1

    async def pictures(self, side: Side) -> AsyncIterator[tuple[bytes | None, bool]]:
        """Yield the newest frame as a JPEG and True, from now on and as fast as they are taken.

        While there is no newer one, the last JPEG comes once a second with False; None before the first.
        """
        seen, jpeg = 0, None
        while not self._is_over:
            came = self._came
            shot = self._viewing.newest
            if is_new := shot is not None and shot.number != seen:
                seen, jpeg = shot.number, await self.jpeg(shot, side)
            elif await self._comes(came):
                continue
            if not self._is_over:
                yield jpeg, is_new

    async def jpeg(self, shot: Shot, side: Side) -> bytes:
        """Return a frame from one side, encoded once for everybody."""
        key = shot.number, side
        if key not in self._jpegs:
            self._jpegs = {known: made for known, made in self._jpegs.items() if known[0] >= shot.number}
            self._jpegs[key] = self.aside(shot.jpeg, side)
        # A viewer who leaves meanwhile must not take it from the others.
        return await asyncio.shield(self._jpegs[key])

    def aside(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        """Do something that takes a moment in the threads that encode."""
        return asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def _comes(self, came: asyncio.Event) -> bool:
        """Return whether something new came within a second."""
        try:
            async with asyncio.timeout(REPEAT_S):
                await came.wait()
        except TimeoutError:
            return False
        return True

    def _announce(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._came.set()
        self._came = asyncio.Event()
