"""`--workers`: the results are those of the command without it, and a table holds them."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map
from USLabelEfficientSegLib.text.numbers import three_digits


@pytest.fixture
def images(simulated, tmp_path):
    return shutil.copytree(simulated / "images", tmp_path / "images")


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def alone(call, trained_study, images, tmp_path):
    """The results without workers."""
    assert call("segment", trained_study, images, "--output", tmp_path / "alone")[0] == 0
    return tmp_path / "alone"


def test_a_cohort_is_segmented_as_its_volumes_are_alone(call, trained_study, images, alone, tmp_path):
    out = tmp_path / "out"
    cut = images / "simulated_0001.nrrd"
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-300])

    code, said, err = call("segment", trained_study, images, "--output", out, "--workers", 2)

    assert code == 2 and f"{cut}: is cut short" in err and said.count("\n") < 6
    assert err.splitlines()[-1] == f"uslabelseg: error: 1 of 3 failed; {out / 'measurements_failures.csv'} tells why"
    assert [row["case"] for row in rows_of(out / "measurements_failures.csv")] == ["simulated_0001"]

    cut.write_bytes(whole)
    code, said, _ = call("segment", trained_study, images, "--output", out, "--workers", 1)

    assert code == 0 and "2 of 3 are done already." in said
    for labels in alone.glob("*.nrrd"):
        assert (out / labels.name).read_bytes() == labels.read_bytes()
    assert call("measure", alone, "--output", tmp_path / "alone.csv")[0] == 0
    assert rows_of(out / "measurements.csv") == rows_of(tmp_path / "alone.csv")


def test_a_corrected_segmentation_is_not_replaced_by_a_cohort(call, refused, trained_study, images, tmp_path):
    out = tmp_path / "out"
    call("segment", trained_study, images, "--output", out)
    (out / "simulated_0002.nrrd").write_bytes(b"corrected elsewhere")

    sentence = refused("segment", trained_study, images, "--output", out, "--workers", 1)

    assert "simulated_0002.nrrd: exists already" in sentence
    assert (out / "simulated_0002.nrrd").read_bytes() == b"corrected elsewhere"


def test_another_model_is_not_mixed_in(call, refused, trained_study, images, tmp_path):
    out = tmp_path / "out"
    call("segment", trained_study, images, "--output", out, "--workers", 1)

    sentence = refused("segment", trained_study, images, "--output", out, "--workers", 1, "--uncertainty")

    assert "measurements.csv: has rows of a run with another uncertainty" in sentence


def test_options_that_exclude_each_other_are_told(refused, trained_study, images, tmp_path):
    given = ("segment", trained_study, images, "--output", tmp_path / "out", "--workers", 2)

    assert "--workers and --cluster: exclude each other" in refused(*given, "--cluster", "tcp://127.0.0.1:1")
    assert "--json: tells each result, and a cohort has a table" in refused(*given, "--json")
    assert not (tmp_path / "out").exists()


def test_a_cohort_is_measured_as_its_segmentations_are_alone(call, alone, images, trained_study, tmp_path):
    given = ("measure", alone, "--images", images, "--model", trained_study, "--output")
    assert call(*given, tmp_path / "alone.csv")[0] == 0

    code, said, _ = call(*given, tmp_path / "volumes.csv", "--workers", 1)

    assert code == 0 and f"{tmp_path / 'volumes.csv'}: 3 of 3" in said
    assert rows_of(tmp_path / "volumes.csv") == rows_of(tmp_path / "alone.csv")
    (alone / "simulated_0001_measurements.json").unlink()  # then its outline counts
    assert "2 of 3 are done already." in call(*given, tmp_path / "volumes.csv", "--workers", 1)[1]
    first, second, third = (rows_of(tmp_path / "volumes.csv")[n] for n in (0, 2, 4))
    assert first["interval_low_ml"] and third["interval_low_ml"] and not second["interval_low_ml"]


def test_segmentations_without_names_need_the_organs_and_the_table_is_csv(call, refused, simulated, tmp_path):
    labels = simulated / "labels"

    code, _, err = call("measure", labels, "--output", tmp_path / "table.csv", "--workers", 1)
    assert code == 2 and "does not name its organs, and the others may have more of them; name them with" in err

    given = ("measure", labels, "--organs", "solid,fluid", "--workers", 1, "--output")
    assert "is no name of a CSV file" in refused(*given, tmp_path / "table.json")
    assert call(*given, tmp_path / "named.csv")[0] == 0
    assert [row["organ"] for row in rows_of(tmp_path / "named.csv")] == ["solid", "fluid"] * 3


def test_drawings_are_continued_in_a_cohort_as_in_volumes_alone(call, simulated, tmp_path):
    dense = read_label_map(simulated / "labels" / "simulated_0001.nrrd")
    voxels = np.full_like(dense.voxels, 255)
    voxels[:, :, ::3] = dense.voxels[:, :, ::3]
    (tmp_path / "labels").mkdir()
    write_label_map(tmp_path / "labels" / "simulated_0001.nrrd", replace(dense, voxels=voxels))
    given = ("propagate", simulated / "images", "--labels", tmp_path / "labels", "--organs", "solid,fluid", "--output")
    assert call(*given, tmp_path / "alone")[0] == 0

    code, said, _ = call(*given, tmp_path / "out", "--workers", 1)

    assert code == 0 and "Passed over, without labels: simulated_0000, simulated_0002" in said
    found, expected = (tmp_path / name / "simulated_0001.nrrd" for name in ("out", "alone"))
    assert found.read_bytes() == expected.read_bytes()
    assert [row["flags"].split()[-1] for row in rows_of(tmp_path / "out" / "measurements.csv")] == ["few_slices"] * 2


def test_a_report_that_workers_have_read_is_that_of_the_cohort_and_leaves_no_journal(call, alone, images, tmp_path):
    (alone / "simulated_0001.nrrd").write_bytes(b"cut")
    (tmp_path / "page").mkdir()
    page = tmp_path / "page" / "report.html"

    code, _, err = call("report", alone, "--images", images, "--output", page, "--workers", 2)

    assert code == 2 and "1 of 3 failed and are not in the report" in err
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    text = page.read_text(encoding="utf-8")
    assert "Could not be read" in text and "Case 001 to Case 003" in text and "simulated_0" not in text
    assert call("measure", alone / "simulated_0000.nrrd", "--output", tmp_path / "one.csv")[0] == 0
    assert three_digits(float(rows_of(tmp_path / "one.csv")[0]["volume_ml"])) in text


def test_a_study_is_not_reported_by_workers(refused, trained_study, tmp_path):
    sentence = refused("report", trained_study, "--output", tmp_path / "report.html", "--workers", 2)

    assert "--workers and --cluster: are for segmentations in files with their images" in sentence
