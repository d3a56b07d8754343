"""The location prior as a rival: the same for every image of a size, and trained without a step."""

from __future__ import annotations

import torch

from USLabelEfficientSegLib.anatomy.training_volumes import prepare_volume
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.benchmark.peers.location import LocationAlone
from USLabelEfficientSegLib.benchmark.peers.training import Budget, Task, train_peer
from USLabelEfficientSegLib.imaging.simulator import simulate_volume
from USLabelEfficientSegLib.study.setting_sections import StudentSettings


def test_it_says_where_organs_lie_whatever_the_image_shows() -> None:
    case = simulate_volume(0, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0))
    labels = SparseLabels(case.label_map.voxels, case.volume.geometry, case.organs)
    volume = prepare_volume(case.volume, labels, 24)
    task = Task([volume], 3, 2, StudentSettings(window=24), (), torch.device("cpu"), 24)
    told: list[float] = []

    (network,), steps = train_peer(
        LocationAlone, task, Budget(seconds=100), 0, None, lambda share, _: told.append(share)
    )

    assert steps == 0 and told == [1.0]
    inputs = volume.inputs[None]
    other = torch.cat([torch.randn_like(inputs[:, :2]), inputs[:, 2:]], dim=1)
    probability = network(inputs).softmax(dim=1)
    torch.testing.assert_close(network(other).softmax(dim=1), probability)
    for organ in (1, 2):
        inside = torch.from_numpy(case.label_map.voxels == organ)
        assert probability[0, organ][inside].mean() > 4 * probability[0, organ][~inside].mean()
