"""A 2-D network in training can be watched and used; it does not notice."""

import pytest
import torch
from trained_studies import CPU

from USLabelEfficientSegLib.calibration.shares import Shares
from USLabelEfficientSegLib.disk.study_layout import FIRST_MODEL_NAME
from USLabelEfficientSegLib.errors import Cancelled, Notice
from USLabelEfficientSegLib.imaging.files import read_label_map
from USLabelEfficientSegLib.imaging.resampling import working_geometry
from USLabelEfficientSegLib.method import candidates, present_model
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.segmentation import preview
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.study.settings import changed
from USLabelEfficientSegLib.study.watching import PREVIEW, watch_volume

STEPS = 4


@pytest.fixture(scope="module")
def with_networks(settings):
    small = {"slice_network.steps": STEPS, "slice_network.widths": [4, 8], "slice_network.starter": False}
    return changed(settings, small)


def alone(monkeypatch):
    """2-D networks are found to be the whole model."""
    monkeypatch.setattr(candidates, "measured_shares", lambda run, trainings: Shares(0.97, 4, (0.8, 0.2)))


def models_so_far(study, settings):
    """The first models of a training, by the step after which they were there, and the model in the end."""
    found = {}

    def observe(stage, share, model):
        path = study.run_folder / FIRST_MODEL_NAME
        if path.exists():
            found[round(share * STEPS)] = path.stat().st_mtime_ns

    return found, train(study, settings, CPU, observer=observe)


def test_2d_networks_are_watched_while_they_learn_and_become_the_same(study, with_networks, monkeypatch):
    monkeypatch.setattr(preview, "SECONDS_BETWEEN_PREVIEWS", 0.0)
    unwatched = train(study, with_networks, CPU)
    name = study.cases[1].name
    watch_volume(study.folder, name)
    before = len(read_events(study.events.path))
    model = train(study, with_networks, CPU, restart=True)

    assert unwatched is not None and model is not None and model.digest() == unwatched.digest()
    shown = [event for event in read_events(study.events.path) if event.preview == PREVIEW]
    assert before and {event.stage.split()[0] for event in shown} >= {"slice", "cross-fitting"}
    assert [event.step for event in shown if event.stage == "slice network 1"] == [1, 2, 3, 4]
    picture = read_label_map(study.folder / PREVIEW)
    scan = study.read_scan(name)
    assert picture.geometry.same_grid(working_geometry(scan.geometry, with_networks.working_grid.max_voxels))
    assert picture.voxels.max() <= len(study.organs)


def test_a_model_of_2d_networks_can_be_used_from_a_quarter_of_their_steps_on(study, with_networks, monkeypatch):
    alone(monkeypatch)
    with pytest.raises(Cancelled):
        train(study, with_networks, CPU, cancelled=(study.run_folder / FIRST_MODEL_NAME).exists)

    with pytest.warns(Notice, match="has not ended"):
        first = load_model(study.folder, first=True)
    assert isinstance(first, SegmentationModel)
    assert first.networks == () and first.calibration is None
    told = [event for event in read_events(study.events.path) if event.message and "first model" in event.message]
    assert [(event.stage, event.step) for event in told] == [("slice network 1", 1)]
    labels = first.predict(study.read_scan(study.cases[0].name), CPU).labels()
    assert labels.voxels.max() <= len(study.organs)


@pytest.mark.parametrize(("seconds", "renewed"), [(0.0, True), (1e9, False)])
def test_the_first_model_is_renewed_from_time_to_time(study, with_networks, monkeypatch, seconds, renewed):
    alone(monkeypatch)
    monkeypatch.setattr(present_model, "SECONDS_BETWEEN_MODELS", seconds)
    found, model = models_so_far(study, with_networks)

    assert model is not None
    # The observer is told before the model is saved.
    assert sorted(found) == [2, 3, 4]
    assert (len(set(found.values())) > 1) is renewed


def test_an_observer_follows_2d_networks(study, with_networks, monkeypatch):
    alone(monkeypatch)
    seen = []
    scan = study.read_scan(study.cases[0].name)

    def observe(stage, share, model):
        seen.append((stage, share))
        assert torch.isfinite(torch.from_numpy(model().predict(scan, CPU).probability)).all()

    train(study, with_networks, CPU, observer=observe)

    assert seen == [("slice network 1", share) for share in (0.25, 0.5, 0.75, 1.0)]
