"""A MONAI bundle: runs by MONAI's own command, is a model for `segment`, tells what it is, and names nobody."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.disk.study_layout import BUNDLE_METADATA, BUNDLE_MODEL, BUNDLE_RUN, MODEL_NAME
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.exchange.bundle_predictor import BundlePredictor
from USLabelEfficientSegLib.exchange.exporting import export_model
from USLabelEfficientSegLib.exchange.facts import facts_of
from USLabelEfficientSegLib.imaging.files import read_label_map
from USLabelEfficientSegLib.segmentation.image_model import ImageModel
from USLabelEfficientSegLib.segmentation.loading import load_model, model_dimension
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, trained_study):
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    export_model(trained_study, folder, "monai-bundle", licence="CC-BY-4.0", authors="A hospital")
    return folder


@pytest.fixture(scope="module")
def expected(tmp_path_factory, trained_study, simulated):
    """The label maps of `segment`, by file name."""
    from USLabelEfficientSegLib.cli import main

    output = tmp_path_factory.mktemp("segmented")
    with pytest.raises(SystemExit) as stop:
        main(["segment", str(trained_study), str(simulated / "images"), "--output", str(output), "--quiet"])
    assert stop.value.code == 0
    return output


def assert_same_results(folder, expected):
    names = sorted(path.name for path in expected.iterdir())
    assert len(names) == 6 and sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        if name.endswith(".nrrd"):
            found, wanted = read_label_map(folder / name), read_label_map(expected / name)
            np.testing.assert_array_equal(found.voxels, wanted.voxels)
            assert found.geometry.same_grid(wanted.geometry)
        else:
            found, wanted = (json.loads((place / name).read_text()) for place in (folder, expected))
            assert found == wanted


@pytest.mark.skipif(find_spec("fire") is None, reason="MONAI's command needs fire: pip install .[exchange]")
def test_monai_runs_it_and_gives_what_segment_gives(bundle, expected, simulated, tmp_path):
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", BUNDLE_RUN]
    places = ["--dataset_dir", str(simulated / "images"), "--output_dir", str(tmp_path / "result"), "--device", "cpu"]

    done = subprocess.run([*command, *places], cwd=bundle, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
    assert_same_results(tmp_path / "result", expected)


def test_its_predictor_and_its_folder_as_a_model_give_the_same(bundle, expected, simulated, call, tmp_path):
    files = BundlePredictor(str(bundle), "cpu").segment(str(simulated / "images"), str(tmp_path / "one"))
    assert len(files) == 3
    assert_same_results(tmp_path / "one", expected)

    code, _, err = call("segment", bundle, simulated / "images", "--output", tmp_path / "other")
    assert code == 0, err
    assert_same_results(tmp_path / "other", expected)


def test_the_configuration_is_read_by_monai_and_runs_the_predictor_of_this_package(bundle):
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(bundle / BUNDLE_RUN)
    parser["bundle_root"] = str(bundle)
    predictor = parser.get_parsed_content("network_def")

    assert isinstance(predictor, BundlePredictor) and predictor.model.organs == ("solid", "fluid")


# Name and type of what the schema asks for, and of what it knows beside that.
ASKED = {
    "schema": str, "version": str, "monai_version": str, "pytorch_version": str, "numpy_version": str,
    "required_packages_version": dict, "task": str, "description": str, "authors": str, "copyright": str,
    "network_data_format": dict,
}  # fmt: skip
KNOWN = {
    "changelog": dict, "data_source": str, "data_type": str, "image_classes": str, "label_classes": str,
    "pred_classes": str, "eval_metrics": dict, "intended_use": str, "references": list,
}  # fmt: skip
OF_TENSORS = {"type": str, "format": str, "num_channels": int, "spatial_shape": list, "dtype": str, "value_range": list}


def test_metadata_have_what_monai_s_schema_asks_for(bundle):
    metadata = json.loads((bundle / BUNDLE_METADATA).read_text())

    assert all(isinstance(metadata[name], kind) for name, kind in {**ASKED, **KNOWN}.items())
    formats = metadata["network_data_format"]
    for tensor in (formats["inputs"]["image"], formats["outputs"]["pred"]):
        assert all(isinstance(tensor[name], kind) for name, kind in OF_TENSORS.items())
    assert metadata["label_classes"] == "0: background, 1: solid, 2: fluid"
    assert (metadata["license"], metadata["authors"]) == ("CC-BY-4.0", "A hospital")
    assert metadata["weights_digest"] == load_model(bundle).digest()


def test_the_card_tells_data_intervals_and_cautions(bundle, trained_study):
    card = (bundle / "docs" / "README.md").read_text()
    study, model = Study.open(trained_study), load_model(trained_study)

    slices = sum(len(case.labels.slices) for case in study.cases if case.labels)
    assert f"Labelled: {slices} slices, " in card and "It has learnt from 3 ultrasound volumes" in card
    assert model.calibration is not None and model.calibration.method in card
    for heading in ("Intended use", "What it was trained on", "How good it is", "Cautions", "Licence", "How to use it"):
        assert f"\n## {heading}\n" in card
    assert "| 1 | solid |\n| 2 | fluid |" in card and "\nCC-BY-4.0\n" in card
    assert "no medical device" in card


def test_nobody_is_named_in_it(bundle, trained_study):
    names = [case.name for case in Study.open(trained_study).cases]
    for path in (path for path in bundle.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not any(name.encode() in content for name in names), path
        assert str(trained_study).encode() not in content, path


def test_a_dice_is_told_with_the_slices_that_it_was_measured_on(trained_study):
    model = load_model(trained_study)
    votes = {
        "slice_networks": 1.0,
        "held_out_slices": 7,
        "held_out_dice": {"slice_networks": 0.81, "location_prior": 0.4},
        "by_settings": False,
    }
    model.provenance["votes"] = votes

    (only,) = facts_of(model).expected

    assert (only.dice, only.of) == (0.81, "2-D networks on slices alone")
    assert only.on == "7 labelled slices of the training study, left out in turn (cross-fitting)"


def test_names_in_the_provenance_of_an_earlier_version_do_not_leave_with_a_model(tmp_path):
    torch.manual_seed(0)
    provenance = {"settings": {}, "images": {"Jane Doe": "0" * 64}, "labels": {"Jane Doe": "1" * 64}}
    ImageModel(UNeXt(2).eval(), ("head",), 32, False, provenance).save(tmp_path / "model.safetensors")

    export_model(tmp_path / "model.safetensors", tmp_path / "bundle", "monai-bundle")

    assert b"Jane Doe" in (tmp_path / "model.safetensors").read_bytes()
    assert not any(b"Jane" in path.read_bytes() for path in (tmp_path / "bundle").rglob("*") if path.is_file())
    assert model_dimension(tmp_path / "bundle") == 2
    assert "None is granted" in (tmp_path / "bundle" / "docs" / "README.md").read_text()


def test_what_cannot_be_exported_leaves_nothing(bundle, trained_study, untrained, tmp_path):
    with pytest.raises(InputError, match="is not trained to the end yet"):
        export_model(untrained, tmp_path / "new", "monai-bundle")
    with pytest.raises(InputError, match="exists already"):
        export_model(trained_study, bundle, "monai-bundle")
    with pytest.raises(InputError, match="is inside the study"):
        export_model(trained_study, trained_study / "bundle", "monai-bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_of_another_program_and_the_calibration_of_one_are_refused(bundle, call, simulated, tmp_path):
    (tmp_path / "other" / "configs").mkdir(parents=True)
    (tmp_path / "other" / "configs" / "metadata.json").write_text("{}")
    images = simulated / "images"
    code, _, err = call("segment", tmp_path / "other", images, "--output", tmp_path / "out")
    assert code == 2 and "is a MONAI bundle of another program; give one that" in err
    code, _, err = call("calibrate", bundle, images, simulated / "labels")
    assert code == 2 and "calibrate the study that it was exported from" in err
    (tmp_path / "other" / "models").mkdir()
    (tmp_path / "other" / BUNDLE_MODEL).write_bytes(b"PK")
    code, _, err = call("segment", tmp_path / "other", images, "--output", tmp_path / "out")
    assert code == 2 and "is damaged or was not written by this program" in err


def test_the_command_exports_a_model_file_and_tells_what_comes_next(call, trained_study, tmp_path):
    model = trained_study / "run" / MODEL_NAME
    code, out, err = call("export-model", model, tmp_path / "bundle", "--format", "monai-bundle")

    assert code == 0, err
    assert out.splitlines()[-1] == f"Next: uslabelseg segment {tmp_path / 'bundle'} IMAGE... --output segmentations"
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == ["configs", "docs", "models"]
