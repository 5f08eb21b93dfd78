"""A bounded hand-over between two threads."""

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - an end, as StopIteration is, not an error
    """Nothing is left in the mailbox and nothing will come."""


class Mailbox(Generic[T]):
    """Holds at most ``capacity`` items, first in, first out.

    Args:
        capacity: most items that wait.
        waits: a full mailbox makes ``put`` wait (every item counts); otherwise the oldest gives way (the newest wins).
    """

    def __init__(self, capacity: int, *, waits: bool) -> None:
        self._capacity = capacity
        self._waits = waits
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = Condition()

    def put(self, item: T) -> list[T]:
        """Leave ``item``; return what gave way to it, or ``item`` itself when the mailbox is closed."""
        with self._changed:
            if self._waits:
                self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                return [item]
            self._items.append(item)
            self._changed.notify_all()
            return [self._items.popleft() for _ in range(len(self._items) - self._capacity)]

    def take(self) -> T:
        """Return the oldest item, however long it takes to come.

        Raises:
            Closed: the mailbox is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._items)
            return self._pop()

    def take_within(self, timeout_s: float) -> T | None:
        """Return the oldest item, or None if none came in time.

        Raises:
            Closed: the mailbox is closed and empty.
        """
        with self._changed:
            came = self._changed.wait_for(lambda: self._closed or self._items, timeout_s)
            return self._pop() if came else None

    def close(self) -> None:
        """Refuse what comes from now on; what is inside can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> list[T]:
        """Empty the mailbox; return what was inside."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
            self._changed.notify_all()
            return items

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)

    def _pop(self) -> T:
        if not self._items:
            raise Closed
        self._changed.notify_all()
        return self._items.popleft()
