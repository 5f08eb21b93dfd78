"""Each term gets its share of the energy, whatever the weights of the settings: at once, and then steadily."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.cuts import CutDetector
from models.descent import Budget, Eager, Loop, descend
from models.flow import DIS
from models.initialization import PaperStylizer
from models.lbfgs import Lbfgs
from models.memory import Memory
from models.objective import EVEN, Balance, Boosts, Objective, Style, Terms
from models.replay import Replayed
from models.shares import AIM, FAR, LEAST, LOWERED, RAISED, adjusted
from models.stylizer import Stylized, Stylizer
from tests import clips
from tests.readbacks import Readbacks
from tests.tiny import random_image, tiny_network

BAD = Balance(content=1e-3, style=1e4, variation=1.0, in_shares=True)
BAD_WITH_FLOW = Balance(content=1e-3, style=1e4, variation=1.0, temporal=1.0, in_shares=True)
FIVE_PERCENT = 0.05


def film(count: int) -> list[Tensor]:
    """Return frames of a real clip, without a cut, 36 x 64."""
    frames = torch.from_numpy(clips.film("bikes")[31 : 31 + count]).permute(0, 3, 1, 2) / 255
    small = torch.nn.functional.interpolate(frames, (36, 64), mode="area")
    return [frame[None] for frame in small]


def objective_of(folder: Path, balance: Balance) -> AdjointObjective:
    network = tiny_network(folder / "w.safetensors")
    return AdjointObjective(Objective(network, Style.of(network, random_image(48, 64, seed=9)), balance=balance))


def painter(objective: AdjointObjective, loop: Loop | None = None) -> Stylizer:
    return Stylizer(objective, flow=DIS(), cuts=CutDetector(), fill=lambda content: content, loop=loop)


def shares(terms: Terms | None) -> list[float]:
    assert terms is not None
    return [float(term / terms.total) for term in (terms.content, terms.style, terms.variation, terms.temporal)]


def assert_shares(painted: Sequence[Stylized], *, terms: int) -> None:
    for each in painted:
        assert min(shares(each.terms)[:terms]) >= FIVE_PERCENT, shares(each.terms)


@pytest.mark.parametrize(("balance", "terms"), [(BAD, 3), (BAD_WITH_FLOW, 4)])
def test_from_bad_weights_every_term_of_a_real_clip_gets_five_percent(
    tmp_path: Path, balance: Balance, terms: int
) -> None:
    stylizer = painter(objective_of(tmp_path, balance))
    painted = [stylizer.step(frame, Budget(4)) for frame in film(24)]
    assert_shares(painted[-8:], terms=terms)
    assert_shares(painted[:1], terms=3)


@pytest.mark.parametrize("init", ["flow", "independent"])
def test_the_ways_of_the_paper_know_the_weights_of_the_last_frame(tmp_path: Path, init: str) -> None:
    objective = objective_of(tmp_path, BAD)
    stylizer = PaperStylizer(objective, init=init, flow=DIS(), cuts=CutDetector())  # type: ignore[arg-type]
    assert_shares([stylizer.step(frame, Budget(4)) for frame in film(20)][-5:], terms=3)


def test_lbfgs_goes_down_with_shares_too(tmp_path: Path) -> None:
    stylizer = painter(objective_of(tmp_path, BAD), Eager(Lbfgs.at))
    assert_shares([stylizer.step(frame, Budget(4)) for frame in film(20)][-5:], terms=3)


def test_a_single_picture_gets_its_shares_on_the_way_down(tmp_path: Path) -> None:
    [frame] = film(1)
    result = painter(objective_of(tmp_path, BAD)).step(frame, Budget(60))
    assert_shares([result], terms=3)
    assert shares(painter(objective_of(tmp_path, Balance(1e-3, 1e4))).step(frame, Budget(60)).terms)[0] < 1e-3


def test_once_known_the_weights_change_little_from_frame_to_frame(tmp_path: Path) -> None:
    stylizer = painter(objective_of(tmp_path, BAD))
    found = []
    for frame in film(24):
        stylizer.step(frame, Budget(4))
        assert stylizer.memory is not None
        found.append(stylizer.memory.moments.boosts or EVEN)
    changes = [later / sooner for one, other in pairwise(found[8:]) for sooner, later in zip(one, other, strict=True)]
    assert max(*changes, *(1 / change for change in changes)) < 1.25


class Fixed:
    """An energy of which only the weights are known."""

    in_shares = True

    def __init__(self, weights: Boosts, boosts: Boosts = EVEN) -> None:
        self.weights = weights
        self.boosts = boosts

    def boosted(self, boosts: Boosts) -> "Fixed":
        return Fixed(self.weights, boosts)

    def value_and_grad(self, image: Tensor) -> tuple[Terms, Tensor]:
        raise NotImplementedError


def terms_of(*values: float) -> Terms:
    return Terms(*(torch.tensor(value, dtype=torch.float64) for value in values))


def test_small_terms_are_raised_to_their_share_and_large_ones_left_as_they_are() -> None:
    values = (0.02, 8.0, 0.2, 0.0)
    boosts = adjusted(Fixed((1.0, 30.0, 1.0, 0.0)), terms_of(*values), at_once=True)
    weighed = [value * boost for value, boost in zip(values, boosts, strict=True)]
    assert boosts[1] == boosts[3] == 1
    assert [weighed[place] / sum(weighed) for place in (0, 2)] == pytest.approx([AIM, AIM])


def test_a_term_that_is_almost_nothing_is_raised_as_if_it_were_more() -> None:
    boosts = adjusted(Fixed((2.0, 30.0, 0.0, 0.0)), terms_of(1e-9, 8.0, 0.0, 0.0), at_once=True)
    assert boosts[0] == pytest.approx(AIM * 8 / (1 - AIM) / (2 * LEAST[0]))


def test_a_boost_that_is_far_off_is_raised_at_once_and_all_else_goes_part_of_the_way() -> None:
    weights = (1.0, 1.0, 1.0, 0.0)
    far = adjusted(Fixed(weights), terms_of(0.02, 10.0, 5.0, 0.0), at_once=False)
    near = adjusted(Fixed(weights), terms_of(0.7, 10.0, 5.0, 0.0), at_once=False)
    high = adjusted(Fixed(weights, (9.0, 1.0, 1.0, 1.0)), terms_of(9.0, 10.0, 5.0, 0.0), at_once=False)
    whole = 15 / (1 - AIM)
    assert far[0] == pytest.approx(AIM * whole / 0.02)
    assert far[0] > FAR
    assert near[0] == pytest.approx((AIM * whole / 0.7) ** RAISED)
    assert high[0] == pytest.approx(9 * (AIM * whole / 1.0 / 9) ** LOWERED)


def test_a_term_that_is_off_and_numbers_that_are_not_finite_change_nothing() -> None:
    energy = Fixed((0.0, 30.0, 1.0, 5.0), (7.0, 1.0, 2.0, 3.0))
    assert adjusted(energy, terms_of(0.0, 8.0, 2.0, 2.0), at_once=True)[0] == 7
    assert adjusted(energy, terms_of(0.0, float("nan"), 2.0, 2.0), at_once=True) == energy.boosts


def test_a_flat_picture_has_no_variation_at_any_weight_and_is_painted_all_the_same(tmp_path: Path) -> None:
    flat = torch.full((1, 3, 36, 64), 0.5)
    objective = objective_of(tmp_path, Balance(content=1.0, style=1e-9, variation=1.0, in_shares=True))
    result = descend(objective.at(flat), flat, budget=Budget(1), refuge=flat)
    assert shares(result.terms)[2] == 0
    assert result.moments.boosts is not None
    assert all(1 <= boost < 1e9 for boost in result.moments.boosts)


def test_both_twins_weigh_their_terms_by_the_boosts(tmp_path: Path) -> None:
    objective = objective_of(tmp_path, BAD_WITH_FLOW)
    frame, last, image = (random_image(36, 64, seed=seed) for seed in (1, 2, 3))
    visible = torch.ones(1, 1, 36, 64)
    boosts = (3.0, 0.5, 7.0, 11.0)
    results = []
    for energy in (one.at(frame, warped=last, visible=visible) for one in (objective, objective.objective)):
        plain, boosted = energy.value_and_grad(image)[0], energy.boosted((2.0, 2.0, 2.0, 2.0)).boosted(boosts)
        terms, gradient = boosted.value_and_grad(image)
        for name, boost in zip(("content", "style", "variation", "temporal"), boosts, strict=True):
            torch.testing.assert_close(getattr(terms, name), boost * getattr(plain, name))
        results.append(gradient)
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-3 * float(results[0].abs().max()))


def test_other_weights_need_no_new_recording(tmp_path: Path) -> None:
    recorded = Replayed(lambda body: body)
    ours, expected = painter(objective_of(tmp_path, BAD), recorded), painter(objective_of(tmp_path, BAD))
    for frame in film(5):
        assert torch.equal(ours.step(frame, Budget(3)).image, expected.step(frame, Budget(3)).image)
    assert recorded.recordings == 1


def test_they_cost_no_look_at_the_device_once_something_is_known(tmp_path: Path) -> None:
    counts = []
    for balance in (BAD, Balance()):
        objective = objective_of(tmp_path, balance)
        frame = film(1)[0]
        known = descend(objective.at(frame), frame, budget=Budget(2), refuge=frame).moments
        with Readbacks() as readbacks:
            descend(objective.at(frame), frame, budget=Budget(12), refuge=frame, moments=known)
        counts.append(readbacks.count)
    on_the_host = 4
    assert counts == [1 + on_the_host, 1], "the four terms are numbers of the host when they are looked at"


def test_another_process_goes_on_with_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    first, second = (painter(objective_of(tmp_path, BAD_WITH_FLOW)) for _ in range(2))
    *frames, last = film(5)
    for frame in frames:
        first.step(frame, Budget(3))
    assert first.memory is not None
    second.resume(Memory.of(first.memory.tensors()))
    assert torch.equal(first.step(last, Budget(3)).image, second.step(last, Budget(3)).image)


@pytest.mark.parametrize("wrong", [torch.ones(3).double(), torch.ones(4), -torch.ones(4).double()])
def test_boosts_that_cannot_be_are_refused(tmp_path: Path, wrong: Tensor) -> None:
    stylizer = painter(objective_of(tmp_path, BAD))
    stylizer.step(film(1)[0], Budget(1))
    assert stylizer.memory is not None
    with pytest.raises(ValueError, match="boosts must be four finite float64 above 0"):
        Memory.of({**stylizer.memory.tensors(), "boosts": wrong})
