"""What tests of training ask of a study: its weights, its stages, one more label."""

import torch

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.study.events import read_events
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint

CPU = torch.device("cpu")


def weights(study):
    return load_checkpoint(study.run_folder / MODEL_NAME)[0]


def assert_same_weights(study, other):
    first, second = weights(study), weights(other)
    assert first.keys() == second.keys() and len(first) > 10
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def stages(study, since=0):
    """The stages of a study's events in order, and whether each was trained or found trained."""
    found: dict[str, bool] = {}
    for event in read_events(study.events.path)[since:]:
        found[event.stage] = found.get(event.stage, False) or event.message != "already trained"
    return found


def label_another_slice(study):
    """Label the next slice of the first labelled case, as an annotator would who has edited the file."""
    case = next(case for case in study.cases if case.labels is not None)
    path = study.folder / case.labels.file
    label_map = read_label_map(path)
    free = next(k for k in range(label_map.voxels.shape[2]) if (label_map.voxels[:, :, k] == 255).all())
    voxels = label_map.voxels.copy()
    voxels[:, :, free] = 0
    voxels[8:14, 9:15, free] = 1
    write_label_map(path, LabelMap(voxels, label_map.geometry, label_map.name))
