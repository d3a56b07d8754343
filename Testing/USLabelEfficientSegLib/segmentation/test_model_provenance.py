"""What a model file, which one gives to others, tells of its making."""

import json

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.model_provenance import knows_labels_of, without_names
from USLabelEfficientSegLib.study.study import Study

WITH_NAMES = {
    "settings": {
        "seed": 3,
        "teacher": {"weights": "/home/jane.doe/nets/dino.pth", "steps": 200},
        "divergence": {"transformer_weights": "C:\\Users\\jane\\swin.pth"},
    },
    "images": {"Miller Anna 1961": "1" * 64, "Smith John": "0" * 64},
    "labels": {"Miller Anna 1961": "2" * 64},
}


def test_names_and_folders_are_left_out_and_checksums_kept():
    public = without_names({**WITH_NAMES, "continued_from": {"sha256": "3" * 64, **WITH_NAMES}})

    text = json.dumps(public)
    assert not any(word in text for word in ("Miller", "1961", "Smith", "jane", "/home", "Users"))
    assert public["images"] == ["0" * 64, "1" * 64] and public["labels"] == ["2" * 64]
    assert public["settings"]["teacher"] == {"weights": "dino.pth", "steps": 200}
    assert public["continued_from"]["sha256"] == "3" * 64
    assert without_names(public) == public


def test_cases_whose_labels_are_known_are_recognised_and_no_others():
    for provenance in (WITH_NAMES, without_names(WITH_NAMES)):
        assert knows_labels_of(provenance, "Miller Anna 1961")
        assert not knows_labels_of(provenance, "Smith John")
        assert not knows_labels_of(provenance, "Miller Anna")
    assert not knows_labels_of({}, "Miller Anna 1961")


def test_digests_of_one_name_differ_from_study_to_study_and_are_repeated():
    other = {**WITH_NAMES, "images": {"Miller Anna 1961": "4" * 64}}
    assert without_names(WITH_NAMES)["labelled"] == without_names(WITH_NAMES)["labelled"]
    assert without_names(WITH_NAMES)["labelled"] != without_names(other)["labelled"]


def test_a_trained_model_names_none_of_its_cases_and_no_folder(trained_study):
    study = Study.open(trained_study)
    data = (study.run_folder / MODEL_NAME).read_bytes()

    assert all(case.name.encode() not in data for case in study.cases)
    assert str(trained_study.parent).encode() not in data
    provenance = SegmentationModel.load(study.run_folder / MODEL_NAME).provenance
    assert [knows_labels_of(provenance, case.name) for case in study.cases] == [
        case.labels is not None for case in study.cases
    ]
