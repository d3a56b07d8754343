import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from USLabelEfficientSegLib.annotation.protocol import choose_labelled_slices
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import write_label_map, write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap, Scan
from USLabelEfficientSegLib.study import creation
from USLabelEfficientSegLib.study.provenance import read_settings, start_run
from USLabelEfficientSegLib.study.settings import changed, preset
from USLabelEfficientSegLib.study.study import Study

COS, SIN = np.cos(0.3), np.sin(0.3)
OBLIQUE = Geometry(
    (6, 7, 8),
    (0.199, 0.4, 2.0 / 3.0),
    (-12.34567890123, 1e-3, 777.7),
    np.array([[COS, -SIN, 0], [SIN, COS, 0], [0, 0, 1]]),
)
NAMES = ("größe 1", "b", "c")


@dataclass
class Data:
    """A folder of three images, and of dense labels with the classes 1 and 2."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def labels(self) -> Path:
        return self.root / "labels"

    def write_label(self, name: str, voxels: np.ndarray, geometry: Geometry = OBLIQUE) -> None:
        write_label_map(self.labels / f"{name}.nii.gz", LabelMap(voxels.astype(np.uint8), geometry, name))

    def dense(self, name: str) -> np.ndarray:
        voxels = np.zeros(OBLIQUE.shape, dtype=np.uint8)
        voxels[1:3, 1:4, 2:6] = 1
        voxels[3:5, 1:4, 3:6] = 2
        voxels[0, 0, NAMES.index(name)] = 1
        return voxels


@pytest.fixture
def data(tmp_path: Path) -> Data:
    data = Data(tmp_path)
    data.images.mkdir()
    data.labels.mkdir()
    random = np.random.default_rng(0)
    for name in NAMES:
        voxels = random.integers(0, 256, OBLIQUE.shape).astype(np.uint8)
        write_volume(data.images / f"{name}.mha", Scan(voxels, OBLIQUE, name))
        data.write_label(name, data.dense(name))
    return data


def refused(data: Data, message: str, **options: object) -> None:
    """Creating a study fails with this message and leaves nothing behind."""
    before = sorted(data.root.rglob("*"))
    arguments = {"images": data.images, "labels": data.labels, **options}
    with pytest.raises(InputError, match=message) as caught:
        Study.create(data.root / "study", **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert sorted(data.root.rglob("*")) == before


def test_study_holds_exact_copies(data: Data) -> None:
    study = Study.create(data.root / "deep" / "study", data.images, data.labels, organs=["prostate", "bladder"])
    assert [case.name for case in study.cases] == sorted(NAMES)
    assert study.organs == ("prostate", "bladder")
    random = np.random.default_rng(0)
    for name in NAMES:
        volume = study.read_scan(name)
        assert volume.name == name and volume.voxels.dtype == np.uint8
        assert np.array_equal(volume.voxels, random.integers(0, 256, OBLIQUE.shape).astype(np.uint8))
        places: list[tuple[ArrayLike, ArrayLike]] = [
            (volume.geometry.spacing, OBLIQUE.spacing),
            (volume.geometry.origin, OBLIQUE.origin),
            (volume.geometry.direction, OBLIQUE.direction),
        ]
        for found, expected in places:
            assert np.allclose(found, expected, rtol=0, atol=1e-9)
        labels = study.read_labels(name)
        assert labels is not None and np.array_equal(labels.voxels, data.dense(name))
    assert sorted(path.name for path in study.folder.iterdir()) == ["images", "labels", "study.json"]
    assert study.label_fraction() == 1.0


def test_label_fraction_follows_the_protocol_and_stores_nothing_else(data: Data) -> None:
    (data.labels / "c.nii.gz").unlink()  # only volumes with a label take part
    study = Study.create(data.root / "study", data.images, data.labels, label_fraction=0.2, seed=4)
    chosen = dict(zip(["b", "größe 1"], choose_labelled_slices([8, 8], 0.2, 4), strict=True))
    assert sum(len(indices) for indices in chosen.values()) == 3
    for name, indices in chosen.items():
        labels = study.read_labels(name)
        if not indices:
            assert labels is None and not (study.folder / "labels" / f"{name}.nrrd").exists()
            continue
        assert labels is not None and [s.index for s in labels.labelled_slices()] == indices
        assert np.array_equal(labels.voxels[..., indices], data.dense(name)[..., indices])
        assert (np.delete(labels.voxels, indices, axis=2) == 255).all()
    assert study.read_labels("c") is None
    assert study.label_fraction() == pytest.approx(3 / 24)
    assert (study.summary()["labelled_slices"], study.summary()["label_seed"]) == (3, 4)


@pytest.mark.parametrize("axis", [0, 1])
def test_protocol_counts_slices_along_the_slice_axis(data: Data, axis: int) -> None:
    study = Study.create(data.root / "study", data.images, data.labels, slice_axis=axis, label_fraction=0.25)
    chosen = choose_labelled_slices([OBLIQUE.shape[axis]] * 3, 0.25, 0)
    for name, indices in zip(sorted(NAMES), chosen, strict=True):
        record = study.case(name).labels
        assert (() if record is None else record.slices) == tuple((axis, index) for index in indices)


def test_sparse_labels_on_any_axis_are_taken_as_they_are(data: Data) -> None:
    for name, axis in zip(NAMES, range(3), strict=True):
        dense = SparseLabels(data.dense(name), OBLIQUE, ("a", "b"))
        data.write_label(name, dense.keep_slices(axis, [2, 3]).voxels)
    study = Study.create(data.root / "study", data.images, data.labels, organs=["a", "b"])
    for name, axis in zip(NAMES, range(3), strict=True):
        record = study.case(name).labels
        assert record is not None and record.slices == ((axis, 2), (axis, 3))
    assert study.label_fraction() == pytest.approx(6 / 24)
    assert study.summary()["organs"]["a"]["labelled_slices"] == 5  # slices 2 and 3, of axis 0 only slice 2


def test_study_without_labels_can_be_pretrained(data: Data) -> None:
    study = Study.create(data.root / "study", data.images)
    assert study.label_fraction() == 0.0 and study.organs == ("organ 1",)
    assert [study.read_labels(name) for name in NAMES] == [None] * 3


def test_moved_study_opens(data: Data) -> None:
    Study.create(data.root / "study", data.images, data.labels)
    (data.root / "study").rename(data.root / "verschobene Studie")
    study = Study.open(data.root / "verschobene Studie")
    study.check_files()
    assert study.read_labels("b") is not None


def test_bad_labels_are_refused(data: Data) -> None:
    data.write_label("extra", data.dense("b"))
    refused(data, r"extra\.nii\.gz: is a label without an image of the same name")
    (data.labels / "extra.nii.gz").unlink()

    moved = Geometry(OBLIQUE.shape, (0.2, 0.4, 0.7), OBLIQUE.origin, OBLIQUE.direction)
    data.write_label("b", data.dense("b"), moved)
    refused(data, r"b\.nii\.gz: has another geometry than its image")

    data.write_label("b", np.where(np.indices(OBLIQUE.shape)[2] == 3, 3, data.dense("b")))
    refused(data, r"b\.nii\.gz: has the class 3, which no other label has")
    refused(data, "has the class 3, but only 2 organs are named", organs=["prostate", "bladder"])
    study = Study.create(data.root / "named", data.images, data.labels, organs=["prostate", "bladder", "cyst"])
    assert study.summary()["organs"]["cyst"]["labelled_slices"] == 1

    checkered = np.where(np.indices(OBLIQUE.shape).sum(0) % 2, 255, 1)
    data.write_label("b", checkered)
    refused(data, r"b\.nii\.gz: has no labelled slice")


def test_labels_with_a_missing_class_or_without_organs_are_refused(data: Data) -> None:
    for name in NAMES:
        data.write_label(name, np.where(data.dense(name) == 2, 5, data.dense(name)))
    refused(data, "lack the class 2, though they hold 5")
    for name in NAMES:
        data.write_label(name, np.zeros(OBLIQUE.shape))
    refused(data, "hold no organ")


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5])
def test_bad_fraction_is_refused(data: Data, fraction: float) -> None:
    refused(data, r"outside \(0, 1\]", label_fraction=fraction)


def test_other_bad_options_are_refused(data: Data) -> None:
    refused(data, "slice axis 3: does not exist", slice_axis=3)
    refused(data, "was given without labels", labels=None, label_fraction=0.5)
    refused(data, "are not 1 to 254 different names", organs=["a", "a"])
    (data.root / "empty").mkdir()
    refused(data, "no images", images=data.root / "empty")
    for name in NAMES:
        sparse = SparseLabels(data.dense(name), OBLIQUE, ("a", "b")).keep_slices(2, [3])
        data.write_label(name, sparse.voxels)
    refused(data, "densely labelled", label_fraction=0.5)


def test_folder_that_is_in_use_is_refused_and_an_empty_one_is_used(data: Data) -> None:
    (data.root / "study").mkdir()
    Study.create(data.root / "study", data.images, data.labels)
    refused(data, "already exists and is not an empty folder")


def test_bad_image_is_found_before_anything_is_written(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("written before everything was validated")

    monkeypatch.setattr(creation, "write_volume", never)
    (data.images / "größe 1.mha").write_bytes(b"ObjectType = Image")
    refused(data, r"größe 1\.mha")


def test_failure_while_writing_leaves_nothing(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, label: LabelMap) -> None:
        raise InputError(path, "the disk is full", "free some space")

    monkeypatch.setattr(creation, "write_label_map", full)
    refused(data, "the disk is full")


def edit(study: Study, change: Callable[[dict], None]) -> None:
    path = study.folder / "study.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m.update(format=2, more={}),
            "newer version .format 2, this program knows 1.; update the program",
        ),
        (lambda m: m.update(slice_axis=3), "'slice_axis' is wrong"),
        (lambda m: m.update(colour=1), "'colour' is wrong"),
        (lambda m: m["cases"][0]["image"].update(file="../secret.nrrd"), "relative to the study folder"),
        (lambda m: m["cases"][0]["image"].update(file="images/gone.nrrd"), "is missing from the study"),
        (lambda m: m["cases"][0]["image"].update(file="run/model.safetensors"), "in its folder images"),
        (lambda m: m["cases"][0]["image"].update(file="images/sub/b.nrrd"), "in its folder images"),
        (lambda m: m["cases"][0].update(name="../../other/model"), "'../../other/model' looks like a path"),
        (lambda m: m["cases"][0].update(name="/other/model"), "looks like a path"),
        (lambda m: m["cases"][0].update(name="C:model"), "looks like a path"),
        (lambda m: m["cases"][0].update(name="scan\0"), "looks like a path"),
        (lambda m: m["cases"][0].update(name=m["cases"][1]["name"]), "two cases have the name"),
        (lambda m: m["cases"][0]["image"].update(file=m["cases"][1]["image"]["file"].upper()), "folder images"),
        (
            lambda m: m["cases"][1]["image"].update(file="images/B.nrrd"),
            r"study.json: is wrong \(two cases share a file\); correct this.$",
        ),
        (lambda m: m["cases"][0]["image"].update(shape=[6, -7, 8]), "greater than or equal to 1"),
        (lambda m: m["cases"][0]["image"].update(spacing=[0.2, 0, 0.6]), "greater than 0"),
        (lambda m: m.update(organs=["prostate", "prostate"]), "two organs have the same name"),
        (lambda m: m.update(organs=["Left Kidney", "left_kidney "]), "two organs have the same name"),
        (lambda m: m.update(organs=["scan\ud800"]), "no name of an organ"),
    ],
)
def test_bad_manifest_is_refused(data: Data, change: Callable[[dict], None], message: str) -> None:
    study = Study.create(data.root / "study", data.images)
    edit(study, change)
    with pytest.raises(InputError, match=message):
        Study.open(study.folder)


def test_folders_that_are_no_study_are_refused(data: Data) -> None:
    with pytest.raises(InputError, match="is not a study"):
        Study.open(data.images)
    study = Study.create(data.root / "study", data.images)
    text = (study.folder / "study.json").read_text(encoding="utf-8")
    (study.folder / "study.json").write_text(text[:50], encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        Study.open(study.folder)


def test_labels_can_be_replaced(data: Data) -> None:
    study = Study.create(data.root / "study", data.images, organs=["prostate"])
    labels = SparseLabels.unlabelled(study.read_scan("b").geometry, study.organs)
    with pytest.raises(InputError, match="no labelled slice"):
        study.set_labels("b", labels)
    labels.set_slice(0, 4, np.ones((7, 8), dtype=np.uint8))
    study.set_labels("b", labels)
    for reopened in (study, Study.open(study.folder)):
        found = reopened.read_labels("b")
        assert found is not None and np.array_equal(found.voxels, labels.voxels)
        assert reopened.summary()["organs"] == {"prostate": {"labelled_slices": 1}}
    study.check_files()
    with pytest.raises(InputError, match="is of kidney; label prostate"):
        study.set_labels("b", SparseLabels(labels.voxels, labels.geometry, ("kidney",)))
    with pytest.raises(InputError, match="has no volume named x"):
        study.read_scan("x")


def test_edited_labels_are_taken_over_and_edited_images_refused(data: Data) -> None:
    study = Study.create(data.root / "study", data.images, data.labels)
    labels = study.read_labels("b")
    assert labels is not None
    labels.clear_slice(2, 0)
    write_label_map(study.folder / "labels" / "b.nrrd", LabelMap(labels.voxels, labels.geometry, "b"))
    study.check_files()
    record = Study.open(study.folder).case("b").labels
    assert record is not None and record.slices == tuple((2, index) for index in range(1, 8))
    with (study.folder / "images" / "c.nrrd").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"c\.nrrd: has changed since the study was created"):
        study.check_files()


def test_lock_keeps_others_out_and_cleans_up(data: Data) -> None:
    study = Study.create(data.root / "study", data.images)
    leftover = study.folder / "images" / ".0123456789abcdef.nrrd"
    leftover.write_bytes(b"half")
    Study.open(study.folder)
    assert leftover.exists(), "reading changes nothing"
    with study.lock():
        assert not leftover.exists()
        with pytest.raises(InputError, match=f"is being written by process {os.getpid()}"), study.lock():
            pass


def test_run_record_reproduces_and_guards_the_run(data: Data) -> None:
    study = Study.create(data.root / "study", data.images, data.labels)
    assert read_settings(study) is None
    quick = preset("quick")
    start_run(study, quick, "cpu")
    start_run(study, quick, "cpu")
    record = json.loads((study.run_folder / "run.json").read_text(encoding="utf-8"))
    assert len(record["starts"]) == 2 and record["starts"][0]["device"] == "cpu"
    assert record["starts"][0]["versions"]["torch"][0].isdigit()
    assert record["data"]["images"]["b"] == study.case("b").image.sha256
    assert record["data"]["labels"].keys() == set(NAMES)
    assert read_settings(study) == quick
    with pytest.raises(InputError, match=r"other settings \(student.steps is .*, now 3\); use --restart"):
        start_run(study, changed(quick, {"student.steps": 3}), "cpu")
    (study.run_folder / "run.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        read_settings(study)


def test_opening_a_study_loads_no_heavy_library() -> None:
    root = str(Path(creation.__file__).parents[2])
    program = (
        "import sys, USLabelEfficientSegLib.study.study, USLabelEfficientSegLib.study.provenance\n"
        "print({'torch', 'monai', 'matplotlib'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": root}
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr


def test_a_stopped_start_after_the_end_of_training_does_not_hide_the_model(data: Data) -> None:
    study = Study.create(data.root / "study", data.images, data.labels, organs=["prostate", "tumour"])
    assert study.training() is None

    study.events.emit("reading volumes", 2, 3)
    assert study.training() == {"stage": "reading volumes", "step": 2, "of": 3, "state": "stopped"}
    with study.lock():
        assert study.training() == {"stage": "reading volumes", "step": 2, "of": 3, "state": "running"}

    (study.run_folder / "model.safetensors").write_bytes(b"")
    study.events.emit("finished", 1, 1)
    study.events.emit("reading volumes", 1, 3)
    assert study.training() == {"stage": "finished", "step": 1, "of": 1, "state": "finished"}
