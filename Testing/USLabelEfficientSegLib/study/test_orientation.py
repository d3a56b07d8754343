"""Studies whose volumes are brought to the patient's axes, and images whose axes run otherwise than the study's."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from labelled_cases import labels_of, record_of

from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.orientation import Reordering
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.study.study import Study

STORED = {"simulated_0000": None, "simulated_0001": Reordering((2, 0, 1), (True, False, True))}
SLICE = 7


@pytest.fixture
def data(simulated, tmp_path):
    """Two simulated volumes with one labelled axial slice each, the second stored in another order."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name, order in STORED.items():
        volume = read_volume(simulated / "images" / f"{name}.nrrd")
        label_map = read_label_map(simulated / "labels" / f"{name}.nrrd")
        sparse = SparseLabels(label_map.voxels, label_map.geometry, ("a", "b")).keep_slices(2, [SLICE])
        label_map = replace(label_map, voxels=sparse.voxels)
        if order is not None:
            volume, label_map = order.scan(volume), order.scan(label_map)
        write_volume(tmp_path / "images" / f"{name}.nrrd", volume)
        write_label_map(tmp_path / "labels" / f"{name}.nrrd", label_map)
    return tmp_path


def test_an_anatomical_study_has_volumes_and_labels_in_one_order(data, simulated, call):
    folders = "--images", data / "images", "--labels", data / "labels", "--organs", "solid,fluid"
    code, _, err = call("study", "create", data / "study", *folders, "--orientation", "anatomical")
    assert code == 0, err
    study = Study.open(data / "study")

    assert study.orientation == "anatomical" and study.summary()["orientation"] == "anatomical"
    for name in STORED:
        original = read_volume(simulated / "images" / f"{name}.nrrd")
        kept = study.read_scan(name)
        np.testing.assert_array_equal(kept.voxels, original.voxels)
        assert kept.geometry.same_grid(original.geometry) and kept.geometry.axis_codes == "LPS"
        assert record_of(study.case(name)).slices == ((2, SLICE),)
        truth = read_label_map(simulated / "labels" / f"{name}.nrrd").voxels[..., SLICE]
        np.testing.assert_array_equal(labels_of(study, name).voxels[..., SLICE], truth)


def test_labels_for_an_anatomical_study_may_be_drawn_on_the_volume_as_it_is_stored(data, call):
    study = Study.create(data / "study", data / "images", organs=["solid", "fluid"], orientation="anatomical")

    assert call("study", "label", study.folder, "--labels", data / "labels")[0] == 0

    assert {record_of(case).slices for case in Study.open(study.folder).cases} == {((2, SLICE),)}


def test_a_study_is_kept_as_stored_by_default_and_earlier_ones_are(data):
    study = Study.create(data / "study", data / "images", data / "labels")
    manifest = study.folder / "study.json"
    record = json.loads(manifest.read_text())
    assert record.pop("orientation") == "as-stored"
    manifest.write_text(json.dumps(record))

    assert Study.open(study.folder).orientation == "as-stored"
    assert study.read_scan("simulated_0001").voxels.shape == (16, 24, 24)
    with pytest.raises(InputError, match="orientation anatomical: is for volumes"):
        Study.create(data / "other", data / "images", dimension=2, orientation="anatomical")


def test_an_image_whose_axes_run_otherwise_is_flagged_and_the_axes_are_named(trained_study, data, call):
    study = shutil.copytree(trained_study, data / "trained")
    images = find_images(data / "images")

    _, text, _ = call("segment", study, images["simulated_0001"], "--output", data / "out")
    _, usual, _ = call("segment", study, images["simulated_0000"], "--output", data / "out")

    assert "its axes run I-L-A, those of the training L-P-S" in text
    assert "its axes run" not in usual
    record = json.loads((data / "out" / "simulated_0001_measurements.json").read_text())
    assert all("other_axes" in row["flags"] and row["axes"] == ["I-L-A", "L-P-S"] for row in record["measurements"])
    report = data / "report.html"
    assert call("report", data / "out", "--images", data / "images", "--output", report)[0] == 0
    assert "its axes run I-L-A, those of the training L-P-S" in report.read_text()


def test_a_model_of_an_anatomical_study_segments_on_the_grid_of_the_image(trained_study, data, call):
    study = shutil.copytree(trained_study, data / "trained")
    path = study / "run" / "model.safetensors"
    model = SegmentationModel.load(path)
    assert model.statistics is not None
    statistics = model.statistics.model_copy(update={"orientation": "anatomical"})
    replace(model, orientation="anatomical", statistics=statistics).save(path)
    order = STORED["simulated_0001"]
    assert order is not None
    stored = read_volume(data / "images" / "simulated_0001.nrrd")
    (data / "plain").mkdir()
    plain = Reordering((1, 2, 0), (False, True, True)).scan(stored)
    write_volume(data / "plain" / "simulated_0001.nrrd", plain)

    _, text, _ = call("segment", study, data / "images", "--output", data / "out")
    call("segment", study, data / "plain", "--output", data / "plain-out")

    found = read_label_map(data / "out" / "simulated_0001.nrrd")
    expected = read_label_map(data / "plain-out" / "simulated_0001.nrrd")
    assert plain.geometry.axis_codes == "LPS" and found.geometry.same_grid(stored.geometry)
    np.testing.assert_array_equal(found.voxels, order.apply(expected.voxels))
    assert "its axes run" not in text
