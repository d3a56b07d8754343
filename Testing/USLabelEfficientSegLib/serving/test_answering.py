"""Requests are answered as the commands of their names do, and the second time from what was kept."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.annotation.sparse_labels import LabelledSlice
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.files import read_label_map
from USLabelEfficientSegLib.method import suggesting
from USLabelEfficientSegLib.segmentation.loading import load_model
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.serving.kept import Lately
from USLabelEfficientSegLib.study.inbox import leave_labels
from USLabelEfficientSegLib.study.kept_slices import KeptSlices
from USLabelEfficientSegLib.study.study import Study

CPU = torch.device("cpu")


def places(result):
    return [(one["volume"], one["axis"], one["index"]) for one in result["slices"]]


def test_suggestions_are_those_of_the_command_and_scans_are_read_once(ask, study, monkeypatch):
    expected = [asdict(one) for one in suggesting.suggest(study, 5)]

    assert ask("suggest", study=study.folder, count=5) == {"slices": expected}

    monkeypatch.setattr(Study, "read_scan", lambda study, name: pytest.fail("a second look"))
    assert ask("suggest", study=study.folder, count=5) == {"slices": expected}


def test_labels_in_the_inbox_count(ask, study):
    (first,) = ask("suggest", study=study.folder, count=1)["slices"]
    labels = study.read_labels(first["volume"]) or study.read_labels(study.cases[0].name)
    empty = np.zeros(labels.voxels.take(0, first["axis"]).shape, np.uint8)
    labels = type(labels).unlabelled(study.read_scan(first["volume"]).geometry, study.organs)
    labels.set_slice(first["axis"], first["index"], empty)
    leave_labels(study, first["volume"], labels)

    again = places(ask("suggest", study=study.folder, count=5))

    assert (first["volume"], first["axis"], first["index"]) not in again


def test_slices_that_a_program_kept_before_it_was_killed_count_and_stay_where_they_are(ask, study):
    (first,) = ask("suggest", study=study.folder, count=1)["slices"]
    empty = np.zeros(study.read_scan(first["volume"]).voxels.take(0, first["axis"]).shape, np.uint8)
    KeptSlices().write(study, first["volume"], {LabelledSlice(first["axis"], first["index"]): empty})

    again = places(ask("suggest", study=study.folder, count=5))

    assert (first["volume"], first["axis"], first["index"]) not in again
    assert list((study.folder / "kept").iterdir())


def test_a_new_model_changes_suggestions_and_predictions(ask, trained, tmp_path):
    before = ask("suggest", study=trained.folder, count=3)
    name = trained.cases[0].name
    found = ask("predict", study=trained.folder, volume=name, output=tmp_path / "found.nrrd")
    model = load_model(trained.folder)
    assert isinstance(model, SegmentationModel)
    expected = model.predict(trained.read_scan(name), CPU)

    assert before == {"slices": [asdict(one) for one in suggesting.suggest(trained, 3)]}
    assert (read_label_map(found["file"]).voxels == expected.labels().voxels).all()
    assert list(found["volumes_ml"].values()) == pytest.approx(expected.volumes_ml())

    (trained.run_folder / MODEL_NAME).unlink()
    assert "no model yet" in ask("suggest", study=trained.folder, count=1)["slices"][0]["reason"]
    with pytest.raises(InputError, match="is not trained to the end yet"):
        ask("predict", study=trained.folder, volume=name, output=tmp_path / "found.nrrd")


def test_a_study_made_anew_in_the_same_place_is_looked_at_anew(ask, study, simulated):
    ask("suggest", study=study.folder)
    shutil.rmtree(study.folder)
    images = study.folder.parent / "images"
    images.mkdir()
    shutil.copy(simulated / "images" / "simulated_0001.nrrd", images / "another.nrrd")
    Study.create(study.folder, images, organs=["a"])

    assert {one["volume"] for one in ask("suggest", study=study.folder)["slices"]} == {"another"}


def test_segmentations_are_those_of_the_command(ask, trained, simulated, tmp_path, call):
    result = ask("segment", model=trained.folder, images=[simulated / "images"], output=tmp_path / "asked")
    assert call("segment", trained.folder, simulated / "images", "--output", tmp_path / "commanded")[0] == 0

    assert ask.records == [{"file": file} for file in result["files"]] and len(result["files"]) == 3
    for commanded in sorted((tmp_path / "commanded").iterdir()):
        assert (tmp_path / "asked" / commanded.name).read_bytes() == commanded.read_bytes()


def test_a_damaged_image_does_not_keep_the_others(ask, trained, simulated, tmp_path):
    shutil.copytree(simulated / "images", tmp_path / "images")
    (tmp_path / "images" / "broken.nrrd").write_bytes(b"NRRD0004\n")

    with pytest.raises(InputError, match=r"1 of 4 images: failed: .*broken.nrrd.*; the others are done"):
        ask("segment", model=trained.folder, images=[tmp_path / "images"], output=tmp_path / "out")
    assert len(ask.records) == 3


def test_preparing_a_study_in_which_all_is_labelled_is_no_error(ask, study, monkeypatch):
    assert ask("prepare", study=study.folder) == {}
    monkeypatch.setattr(
        suggesting, "_places", lambda case, labelled: [(a, i) for a in range(3) for i in range(case.image.shape[a])]
    )

    with pytest.raises(InputError, match="no slice left"):
        ask("suggest", study=study.folder)
    assert ask("prepare", study=study.folder) == {}


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("dance", {}, "request dance: is unknown"),
        ("suggest", {}, "argument study: is wrong"),
        ("suggest", {"study": "x", "count": 0}, "argument count: is wrong"),
        ("suggest", {"study": "x", "colour": "red"}, "argument colour: is wrong"),
        ("suggest", {"study": "nowhere"}, "nowhere: is not a study"),
    ],
)
def test_wrong_requests_are_refused_in_a_sentence(ask, verb, arguments, sentence):
    with pytest.raises(InputError) as refused:
        ask(verb, **arguments)
    assert str(refused.value).startswith(sentence)


def test_what_is_kept_is_bounded():
    made = []
    lately: Lately[bytes] = Lately(10, len)

    def get(key: str, size: int) -> bytes:
        def make() -> bytes:
            made.append(key)
            return bytes(size)

        return lately.get(key, make)

    get("a", 4), get("b", 4), get("a", 4), get("c", 4), get("a", 4), get("b", 4)
    assert made == ["a", "b", "c", "b"]
    assert len(get("large", 100)) == 100  # one is kept however large


def test_the_command_answers_before_networks_are_loaded(study):
    program = f"""
import sys
from USLabelEfficientSegLib.serving.answering import Answering
from USLabelEfficientSegLib.serving.networks import Networks
result = Answering(Networks())("suggest", {{"study": {str(study.folder)!r}}}, print)
assert len(result["slices"]) == 12 and "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_writes_answers_only(study):
    command = [sys.executable, "-m", "USLabelEfficientSegLib.cli", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        count = 2
        request = {"id": 1, "request": "suggest", "study": str(study.folder), "count": count}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        told = [json.loads(process.stdout.readline()) for _ in range(2 + count + 1)]
        process.stdin.close()
        rest = process.stdout.read()

    assert told[0]["protocol"] == 1 and told[1]["progress"]["done"] == 0
    assert told[-1]["end"] == "done" and len(told[-1]["result"]["slices"]) == 2
    assert rest == "" and process.returncode == 0
