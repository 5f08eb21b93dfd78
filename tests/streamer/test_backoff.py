"""The pauses between two tries."""

import random
from itertools import pairwise

from streamer.backoff import Backoff
from streamer.pulse import Pulse


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def longest(backoff: Backoff, count: int, *, patient: bool = False) -> list[float]:
    return [backoff.fail(patient=patient) for _ in range(count)]


def outage(backoff: Backoff, clock: Clock, *, lasting_s: float) -> list[float]:
    """Return the pauses of a peer that does not answer for so long."""
    pauses, over_at = [], clock.now + lasting_s
    while clock.now < over_at:
        pauses.append(backoff.fail())
        clock.now += pauses[-1]
    return pauses


def test_the_first_retry_is_at_once_and_later_ceilings_double() -> None:
    assert longest(Backoff(rng=lambda: 1.0), 5) == [0, 0.25, 0.5, 1, 1.5]


def test_the_pauses_are_short_in_a_short_outage_and_up_to_eight_seconds_in_a_long_one() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock, rng=lambda: 1.0)
    assert max(outage(backoff, clock, lasting_s=10)) == 1.5
    assert set(outage(backoff, clock, lasting_s=60)) == {8}
    backoff.succeed()
    assert max(outage(backoff, clock, lasting_s=10)) == 1.5


def test_a_peer_that_comes_and_goes_each_second_is_asked_about_once_a_second() -> None:
    clock = Clock()
    backoff, tries = Backoff(clock=clock, rng=random.Random(1).random), 0
    began = clock.now
    while clock.now - began < 600:
        tries += 1
        second, phase = divmod(clock.now - began, 1.0)
        if second % 2 == 0:
            backoff.succeed()
            clock.now += 1 - phase
        clock.now += backoff.fail() + 1e-6
    assert tries < 1.1 * 600


def test_a_pause_is_drawn_from_the_whole_range_below_its_ceiling() -> None:
    assert longest(Backoff(rng=lambda: 0.0), 4) == [0, 0, 0, 0]
    assert longest(Backoff(rng=lambda: 0.5), 3) == [0, 0.125, 0.25]


def test_a_short_success_does_not_reset_the_pauses_but_thirty_healthy_seconds_do() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock, rng=lambda: 1.0)
    longest(backoff, 4)
    backoff.succeed()
    clock.now += 29.9
    backoff.succeed()
    assert backoff.fail() == 1.5
    backoff.succeed()
    clock.now += 30
    backoff.succeed()
    assert backoff.fail() == 0


def test_time_between_two_failures_is_not_health() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock, rng=lambda: 1.0)
    backoff.succeed()
    longest(backoff, 3)
    clock.now += 1000
    backoff.succeed()
    assert backoff.fail() == 1


def test_a_wrong_password_is_tried_at_most_six_times_a_minute() -> None:
    backoff = Backoff(rng=lambda: 0.0)
    pauses = longest(backoff, 6, patient=True)
    assert 1 + sum(sum(pauses[: count + 1]) < 60 for count in range(6)) <= 6
    assert all(before <= after for before, after in pairwise(pauses))
    assert max(longest(Backoff(rng=lambda: 1.0), 50, patient=True)) == 60


def test_a_loop_is_overdue_once_it_breaks_its_word_and_never_while_it_rests() -> None:
    clock = Clock()
    pulse = Pulse(clock=clock)
    assert not pulse.is_overdue
    pulse.expect(2)
    clock.now += 1.9
    assert not pulse.is_overdue
    clock.now += 0.2
    assert pulse.is_overdue
    pulse.rest()
    clock.now += 1e6
    assert not pulse.is_overdue
