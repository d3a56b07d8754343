import math
import time
from dataclasses import replace
from typing import Any

import pytest
import torch

from USLabelEfficientSegLib.anatomy.training_volumes import prepare_volume
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.benchmark.peers.catalogue import PEERS
from USLabelEfficientSegLib.benchmark.peers.co_training import CrossPseudoSupervision, OrthogonalCoTraining
from USLabelEfficientSegLib.benchmark.peers.consistency import (
    InterpolationConsistency,
    MeanTeacher,
    UncertaintyAwareMeanTeacher,
)
from USLabelEfficientSegLib.benchmark.peers.information_divergence import grey_of
from USLabelEfficientSegLib.benchmark.peers.networks import SliceUNet, VolumeUNet
from USLabelEfficientSegLib.benchmark.peers.supervised import LabelsOnly, labelled_slices, slice_grid
from USLabelEfficientSegLib.benchmark.peers.training import Budget, Peer, Task, perturbed, ramp, train_peer
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.student.augmentation import PoseRange
from USLabelEfficientSegLib.study.setting_sections import StudentSettings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def task():
    """Three volumes; two slices of the first are labelled."""
    volumes = []
    for seed in range(3):
        case = simulate_volume(seed, shape=(20, 22, 16), spacing=(3.3, 3.3, 4.0))
        labels = SparseLabels(case.label_map.voxels, case.volume.geometry, case.organs).keep_slices(2, [5, 9])
        volumes.append(prepare_volume(case.volume, labels if seed == 0 else None, 24))
    return Task(volumes, 3, 2, StudentSettings(window=24), (), CPU, 24)


def probabilities(networks, volume):
    with torch.no_grad():
        return torch.stack([network(volume.inputs[None]).softmax(dim=1) for network in networks]).mean(dim=0)


@pytest.mark.parametrize("name", PEERS)
def test_every_rival_trains_to_finite_probabilities_the_same_for_a_seed(name, task):
    results = [train_peer(PEERS[name].make, task, Budget(steps=2), seed)[0] for seed in (0, 0, 1)]

    first, again, other = (probabilities(networks, task.volumes[1]) for networks in results)

    assert first.shape == (1, 3, 20, 22, 16)
    assert first.isfinite().all()
    assert torch.equal(first, again)
    # A prior has no random weights.
    assert torch.equal(first, other) == (name == "location-prior")


@pytest.mark.parametrize("name", [name for name in PEERS if name != "location-prior"])
def test_all_rivals_with_2d_networks_have_the_same_precision(name, task, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    peer = PEERS[name].make(task)
    assert isinstance(peer, Peer)
    is_2d = any(isinstance(module, torch.nn.Conv2d) for module in peer.network.modules())

    with peer.precision():
        assert (torch.eye(2) @ torch.eye(2)).dtype == (torch.bfloat16 if is_2d else torch.float32)


@pytest.mark.parametrize("name", ["labels-3d", "labels-2d"])
def test_a_rival_learns_its_labels(name, task):
    networks, steps = train_peer(PEERS[name].make, task, Budget(steps=60), 0)

    volume = task.volumes[0]
    known, truth = volume.known
    predicted = probabilities(networks, volume)[0]
    agreement = (predicted.argmax(dim=0) == truth.argmax(dim=0))[known].float().mean()
    organ = truth[1:].sum(dim=0) > 0.5
    assert steps == 60
    assert agreement > 0.9
    assert predicted[1:].sum(dim=0)[known & organ].mean() > 2 * predicted[1:].sum(dim=0)[known & ~organ].mean()


def test_grey_values_are_those_of_training_up_to_clipping(task):
    volume = task.volumes[1]
    grey = grey_of(volume.inputs[0])
    inside = volume.sector & (volume.image[0].abs() < 4)
    assert (grey - volume.grey)[inside].abs().max() < 0.06
    assert not grey[~volume.sector].any()


def test_a_budget_of_seconds_ends_in_time(task):
    told: list[float] = []
    _, steps = train_peer(PEERS["labels-3d"].make, task, Budget(seconds=0.5), 0, on_step=told.append)

    assert steps == len(told) >= 1
    assert told[0] < 0.1 and told == sorted(told) and told[-1] < 1


def test_what_is_done_after_a_step_is_not_part_of_the_budget(task):
    spent = []

    def slow(share, peer):
        assert peer.predictors() == (peer.average,)
        time.sleep(0.2)
        spent.append(share)

    plain, steps = train_peer(PEERS["labels-3d"].make, task, Budget(steps=2), 0)
    watched, _ = train_peer(PEERS["labels-3d"].make, task, Budget(steps=2), 0, after_step=slow)
    assert spent == [0.5, 1.0]
    assert torch.equal(probabilities(plain, task.volumes[1]), probabilities(watched, task.volumes[1]))

    spent.clear()
    started = time.monotonic()
    _, steps = train_peer(PEERS["labels-3d"].make, task, Budget(seconds=0.5), 0, after_step=slow)
    assert len(spent) == steps and spent[-1] == 1.0
    assert time.monotonic() - started > 0.5 + 0.2 * steps


def test_a_budget_is_either_seconds_or_steps():
    assert Budget(steps=4).spent(1, 1000.0) == 0.25
    assert Budget(seconds=4.0).spent(1000, 1.0) == 0.25
    refused: tuple[dict[str, Any], ...] = ({}, {"seconds": 1.0, "steps": 1})
    for wrong in refused:
        with pytest.raises(ValueError, match="either seconds or steps"):
            Budget(**wrong)


def test_without_labels_nothing_is_trained(task):
    unlabelled = replace(task, volumes=task.volumes[1:])
    with pytest.raises(ValueError, match="needs labels"):
        train_peer(LabelsOnly, unlabelled, Budget(steps=1), 0)


def test_networks_take_volumes_of_any_size_and_slices_do_not_see_their_neighbours():
    torch.manual_seed(0)
    volume = torch.randn(1, 5, 9, 14, 11)
    for network in (VolumeUNet(3), SliceUNet(3, axis=1)):
        assert network.eval()(volume).shape == (1, 3, 9, 14, 11)

    changed = volume.clone()
    changed[:, :, :, 4] += 1
    difference = (network(changed) - network(volume)).abs().amax(dim=(0, 1, 2, 4))
    assert difference[4] > 1e-3
    assert difference[torch.arange(14) != 4].max() < 1e-6


def test_perturbation_leaves_positions_alone(task):
    inputs = task.volumes[1].inputs[None]
    changed = perturbed(inputs, torch.Generator().manual_seed(0))
    assert torch.equal(changed[:, 2:], inputs[:, 2:])
    assert not torch.equal(changed[:, :2], inputs[:, :2])


def test_unlabelled_losses_are_ramped_up():
    assert ramp(0.0) == pytest.approx(math.exp(-5))
    assert ramp(0.5) == pytest.approx(math.exp(-1.25))
    assert ramp(1.0) == 1.0


def test_consistency_is_zero_for_a_network_that_sees_nothing_and_positive_for_one_that_does(task):
    torch.manual_seed(0)
    inputs = task.volumes[1].inputs[None]
    for kind in (MeanTeacher, UncertaintyAwareMeanTeacher, InterpolationConsistency):
        peer = kind(task)
        assert peer.consistency(inputs, 1.0, torch.Generator().manual_seed(0)) > 0
        for network in (peer.network, peer.average):
            for parameter in network.parameters():
                parameter.data.zero_()
        assert peer.consistency(inputs, 1.0, torch.Generator().manual_seed(0)) == 0


def test_only_certain_voxels_are_consistent_in_ua_mt(task, monkeypatch):
    peer = UncertaintyAwareMeanTeacher(task)
    monkeypatch.setattr(peer, "teacher", lambda inputs: torch.full((1, 3, *inputs.shape[2:]), 1 / 3))
    inputs = task.volumes[1].inputs[None]

    early = peer.consistency(inputs, 0.0, torch.Generator().manual_seed(0))

    assert early == 0  # the teacher's entropy is the largest possible


def test_gradients_reach_the_network_and_not_its_teacher(task):
    torch.manual_seed(0)
    peer = MeanTeacher(task)
    peer.loss(1.0, torch.Generator().manual_seed(0)).backward()
    assert all(parameter.grad is not None for parameter in peer.network.parameters())
    assert all(parameter.grad is None for parameter in peer.average.parameters())


def test_crossed_decisions_are_cross_entropy_of_the_others_arg_max(task):
    first = torch.tensor([[2.0, 0.0, 0.0]]).reshape(1, 3, 1, 1, 1)
    second = torch.tensor([[0.0, 1.0, 0.0]]).reshape(1, 3, 1, 1, 1)
    of_first = math.log(math.exp(2) + 2)  # -log softmax at class 1
    of_second = math.log(math.e + 2)  # at class 0
    any_peer: Any = None
    assert CrossPseudoSupervision.crossed(any_peer, first, second) == pytest.approx(of_first + of_second)

    peer = OrthogonalCoTraining(task)
    assert peer.crossed(first, second) == pytest.approx(of_second)  # only the first is sure: 0.79 against 0.58
    assert len(peer.predictors()) == 2


def test_labelled_slices_are_those_that_somebody_labelled(task):
    inputs, weighted, weight = labelled_slices(task)
    assert len(inputs) == len(weighted) == len(weight) == 2
    torch.testing.assert_close(inputs[0], task.volumes[0].inputs[:, :, :, 5])
    assert weight[1].min() == 1


def test_a_pose_without_range_leaves_a_slice_where_it_is():
    grid = slice_grid(torch.Size((6, 9)), PoseRange(0, 0, 0, 0), torch.Generator().manual_seed(0))
    image = torch.randn(1, 1, 6, 9)
    torch.testing.assert_close(torch.nn.functional.grid_sample(image, grid, align_corners=False), image)


def test_every_rival_cites_its_paper_and_says_how_faithful_it_is():
    for entry in PEERS.values():
        text = (entry.make.__doc__ or "").lower()
        assert "arxiv" in text or "our own method" in text
        assert "faithful" in text or "simplified" in text
