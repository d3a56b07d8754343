"""The files of a training: names that are no paths, caches that know whose they are, damage, a folder that moves."""

import json
import os

import numpy as np
import pytest
import torch
from trained_studies import CPU, assert_same_weights, weights

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint


@pytest.mark.parametrize("file", ["teacher.safetensors", "slice_head.safetensors", "student_1_1.safetensors"])
def test_a_damaged_stage_is_named(trained, settings, file):
    path = trained.run_folder / file
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(InputError, match=f"{file}: is damaged"):
        train(trained, settings, CPU)


def rename_cases(study, *names):
    """Give the study's cases other names in its manifest."""
    path = study.folder / "study.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for case, name in zip(manifest["cases"], names, strict=False):
        case["name"] = name
    path.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("name", ["../../../precious", "..\\precious", "a/b"])
def test_a_name_that_is_a_path_is_refused_before_anything_is_written(study, settings, tmp_path, name):
    precious = tmp_path / "precious.safetensors"
    precious.write_text("precious")
    rename_cases(study, name)

    with pytest.raises(InputError, match="looks like a path"):
        train(study, settings, CPU)

    assert precious.read_text() == "precious"
    assert not study.run_folder.exists() or not list(study.run_folder.rglob("*.safetensors"))


def test_names_that_differ_in_case_alone_share_nothing_and_strange_ones_are_files(study, settings):
    rename_cases(study, "scan", "Scan", "con. ")
    study = Study.open(study.folder)

    train(study, settings, CPU, until="pseudo-labels")

    files = [path.name for path in (study.run_folder / "pseudo_labels").rglob("*.safetensors")]
    assert len({name.casefold() for name in files}) == 3 and not any(name.startswith("con.") for name in files)
    volumes = {name: study.read_scan(name) for name in ("scan", "Scan")}
    assert not np.array_equal(volumes["scan"].voxels, volumes["Scan"].voxels)


def test_what_earlier_versions_cached_by_name_is_made_again_and_leaves_nothing(study, settings):
    name = study.cases[0].name
    old = study.run_folder / "pseudo_labels" / "teacher" / f"{name}.safetensors"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of an earlier version")

    with pytest.warns(Notice, match="is made again"):
        train(study, settings, CPU, until="pseudo-labels")

    assert load_checkpoint(old)[0].keys() == {"probability", "deviation", "weight"}
    assert len(list(old.parent.iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut", "frames", "nan", "fewer"])
def test_a_damaged_alignment_is_made_again_and_told(trained, settings, damage):
    before = weights(trained)
    path = trained.run_folder / "alignment.safetensors"
    tensors, metadata = load_checkpoint(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "nan":
        save_checkpoint(path, {**tensors, "edges": tensors["edges"] * torch.nan}, metadata)
    else:
        frames = metadata["frames"][1:] if damage == "fewer" else [["x", None]] * 3
        save_checkpoint(path, tensors, {**metadata, "frames": frames})

    with pytest.warns(Notice, match="was damaged and is made again"):
        train(trained, settings, CPU)

    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(trained).items())


@pytest.mark.parametrize("moment", [4, 8])
def test_a_study_that_is_renamed_while_it_is_trained_stops_and_goes_on_at_its_new_place(
    study, settings, trained_study, tmp_path, moment
):
    asked = []

    def rename():
        asked.append(1)
        if len(asked) == moment:
            os.rename(study.folder, tmp_path / "renamed")
        return False

    with pytest.raises(InputError, match="was moved, renamed or removed while it was being written"):
        train(study, settings, CPU, cancelled=rename)
    assert not study.folder.exists(), "a ghost of the study was trained on"

    renamed = Study.open(tmp_path / "renamed")
    train(renamed, settings, CPU)

    assert_same_weights(renamed, Study.open(trained_study))
