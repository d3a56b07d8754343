"""A training that has no room in memory gives the same weights as one that keeps every volume."""

import pytest
import torch
from trained_studies import CPU, weights

from USLabelEfficientSegLib.anatomy import alignment, kept
from USLabelEfficientSegLib.disk.study_layout import FEATURES, PSEUDO_LABELS, VOLUMES
from USLabelEfficientSegLib.errors import Cancelled
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.settings import changed
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.teacher import features


@pytest.fixture
def without_room(monkeypatch):
    """Nothing stays in memory, volumes are aligned two at a time, and features of one volume alone are on the disk."""
    monkeypatch.setattr(kept, "LATEST", kept.Latest(0, fewest=0))
    monkeypatch.setattr(alignment, "AT_ONCE", 2)
    monkeypatch.setattr(features, "MOST_BYTES", 0)


def test_weights_are_the_same_bit_for_bit_without_room_for_any_volume(study, settings, trained_study, without_room):
    train(study, settings, CPU)

    before = weights(Study.open(trained_study))
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(study).items())
    assert len(list((study.run_folder / FEATURES).iterdir())) == 1
    assert not (study.run_folder / VOLUMES).exists()


def test_2d_networks_and_their_votes_are_the_same_without_room(study, settings, monkeypatch):
    networks = {"slice_network.steps": 2, "slice_network.widths": [4, 8], "slice_network.starter": False}
    settings = changed(settings, {**networks, "student.rounds": 2})
    train(study, settings, CPU)
    before = weights(study)
    votes = list((study.run_folder / PSEUDO_LABELS).glob("slices_*/*"))
    monkeypatch.setattr(kept, "LATEST", kept.Latest(0, fewest=0))
    monkeypatch.setattr(alignment, "AT_ONCE", 1)

    train(study, settings, CPU, restart=True)

    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(study).items())
    assert list((study.run_folder / PSEUDO_LABELS).glob("slices_*/*")) == votes


def test_what_is_on_the_disk_for_want_of_room_goes_when_a_training_is_stopped(study, settings):
    seen = []

    def stop():
        seen.append((study.run_folder / VOLUMES).is_dir() and len(list((study.run_folder / VOLUMES).iterdir())))
        return len(seen) > 5

    with pytest.raises(Cancelled):
        train(study, settings, CPU, cancelled=stop)

    labelled = sum(case.labels is not None for case in study.cases)
    assert max(seen) == len(study.cases) + labelled
    assert not (study.run_folder / VOLUMES).exists()
