"""A study, a model or an image where another of them is needed: told as what it is, with the right order."""

import pytest


@pytest.fixture
def given(data, study_copy):
    return {
        "study": study_copy,
        "model": study_copy / "run" / "model.safetensors",
        "image": data / "images" / "simulated_0001.nrrd",
        "images": data / "images",
        "labels": data / "labels",
    }


@pytest.mark.parametrize("model", ["study", "model"])
@pytest.mark.parametrize(("image", "what"), [("image", "is an image"), ("images", "is neither a study nor a model")])
def test_segment_with_exchanged_arguments_tells_the_order(refused, given, tmp_path, model, image, what):
    line = refused("segment", given[image], given[model], "--output", tmp_path / "out")

    assert f"{what}, and {given[model]} is a {model}: they are in the wrong order" in line
    assert f"write `uslabelseg segment {given[model]} {given[image]} ...`" in line


def test_calibrate_with_exchanged_arguments_tells_the_order(refused, given):
    line = refused("calibrate", given["images"], given["study"], given["labels"])

    assert "they are in the wrong order" in line and f"calibrate {given['study']} {given['images']}" in line


@pytest.mark.parametrize("command", [("train",), ("suggest", "--count", 1), ("study", "show"), ("study", "add")])
@pytest.mark.parametrize(("path", "what"), [("image", "an image"), ("model", "a model")])
def test_what_is_no_study_is_told_as_what_it_is(refused, given, command, path, what):
    more = ("--images", given["images"]) if command == ("study", "add") else ()

    assert f"is not a study but {what}; give the folder" in refused(*command, given[path], *more)


def test_results_are_no_studies_models_or_images(refused, given, tmp_path):
    out = "--output", tmp_path / "x.csv"
    for what in ("study", "model"):
        assert f"is a {what}, not a segmentation" in refused("measure", given[what], *out)
        assert f"is a {what}, not an image" in refused("segment", given["study"], given[what], *out)
    assert "is a study, not a segmentation" in refused("evaluate", given["study"], given["labels"], *out)
    for what in ("model", "image"):
        line = refused("report", given[what], "--output", tmp_path / "x.html")
        assert "and a report is of a trained study or of segmentations" in line
    line = refused("segment", given["image"], given["image"], *out)
    assert "is an image, not a model; give the folder of a trained study or a model file" in line
