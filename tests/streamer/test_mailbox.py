"""The hand-over between threads."""

import threading

import pytest

from streamer.mailbox import Closed, Mailbox


def test_the_newest_wins_and_what_gave_way_is_returned() -> None:
    mailbox = Mailbox[int](1, waits=False)
    assert mailbox.put(1) == []
    assert mailbox.put(2) == [1]
    assert mailbox.put(3) == [2]
    assert mailbox.take() == 3


def test_the_oldest_of_several_gives_way_and_the_rest_keeps_its_order() -> None:
    mailbox = Mailbox[int](2, waits=False)
    assert [mailbox.put(item) for item in range(4)] == [[], [], [0], [1]]
    assert [mailbox.take(), mailbox.take()] == [2, 3]


def test_a_full_mailbox_that_waits_loses_nothing() -> None:
    mailbox = Mailbox[int](2, waits=True)
    dropped: list[int] = []
    most = 0

    def fill() -> None:
        for item in range(200):
            dropped.extend(mailbox.put(item))
        mailbox.close()

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    taken: list[int] = []
    while len(taken) < 200:
        most = max(most, len(mailbox))
        taken.append(mailbox.take())
    thread.join()
    assert taken == list(range(200))
    assert dropped == []
    assert most <= 2


def test_closing_wakes_who_waits_to_put_and_gives_the_item_back() -> None:
    mailbox = Mailbox[int](1, waits=True)
    mailbox.put(1)
    returned: list[list[int]] = []
    thread = threading.Thread(target=lambda: returned.append(mailbox.put(2)), daemon=True)
    thread.start()
    mailbox.close()
    thread.join(10)
    assert returned == [[2]]


def test_closing_wakes_who_waits_to_take() -> None:
    mailbox = Mailbox[int](1, waits=False)
    raised = threading.Event()

    def take() -> None:
        with pytest.raises(Closed):
            mailbox.take()
        raised.set()

    threading.Thread(target=take, daemon=True).start()
    mailbox.close()
    assert raised.wait(10)


def test_what_is_inside_a_closed_mailbox_can_still_be_taken() -> None:
    mailbox = Mailbox[int](2, waits=False)
    mailbox.put(1)
    mailbox.close()
    assert mailbox.put(2) == [2]
    assert mailbox.take_within(0) == 1
    with pytest.raises(Closed):
        mailbox.take_within(0)


def test_nothing_within_the_time_is_none() -> None:
    assert Mailbox[int](1, waits=False).take_within(0.01) is None


def test_clearing_returns_what_was_inside() -> None:
    mailbox = Mailbox[int](2, waits=False)
    mailbox.put(1)
    mailbox.put(2)
    assert mailbox.clear() == [1, 2]
    assert len(mailbox) == 0
