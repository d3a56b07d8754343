import csv
from pathlib import Path

import numpy as np
import pytest

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.evaluation.case_metrics import evaluate_case
from USLabelEfficientSegLib.evaluation.evaluate import evaluate_folders, evaluate_pairs, organs_of, pair_folders
from USLabelEfficientSegLib.evaluation.summary import ALL_ORGANS, summarise, write_metrics_csv
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.report.sections.metrics import metrics_table

ORGANS = ("prostate", "bladder")


def label_map(prostate=8, bladder=4, name="a", spacing=(1.0, 2.0, 1.0)):
    """Cuboids of 5 x 5 voxels of the given heights, none for 0."""
    geometry = Geometry((16, 16, 20), spacing, (0.0, 0.0, 0.0), np.eye(3))
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[2:7, 2:7, 2 : 2 + prostate] = 1
    voxels[9:14, 9:14, 2 : 2 + bladder] = 2
    return LabelMap(voxels, geometry, name)


@pytest.fixture
def folders(tmp_path):
    predictions, references = tmp_path / "predictions", tmp_path / "references"
    for folder in (predictions, references):
        folder.mkdir()
    write_label_map(predictions / "a.nrrd", label_map(prostate=10))
    write_label_map(predictions / "b_segmentation.nrrd", label_map(bladder=0))
    for name in "ab":
        write_label_map(references / f"{name}.nii.gz", label_map())
    return predictions, references


def test_folders_are_paired_by_image_name_and_rows_hold_the_metrics(folders: tuple[Path, Path]):
    rows = {(row.case, row.organ): row for row in evaluate_folders(*folders, ORGANS)}

    assert list(rows) == [("a", "prostate"), ("a", "bladder"), ("b", "prostate"), ("b", "bladder")]
    larger = rows["a", "prostate"]
    assert larger.dice == pytest.approx(2 * 8 / 18)
    assert larger.size.error == pytest.approx(2 * 25 * 2 / 1000)
    assert larger.size.error_percent == pytest.approx(25.0)
    assert larger.hausdorff_95_mm == pytest.approx(2.0)
    assert rows["a", "bladder"].dice == 1.0 and not rows["a", "bladder"].missed
    lost = rows["b", "bladder"]
    assert lost.missed and lost.dice == 0.0 and np.isnan(lost.hausdorff_95_mm)
    assert lost.size.error_percent == -100.0


def test_summary_leaves_out_undefined_values_and_counts_missed_organs(folders: tuple[Path, Path]):
    summaries = {(s.organ, s.metric): s for s in summarise(evaluate_folders(*folders, ORGANS))}

    bladder = summaries["bladder", "dice"]
    assert (bladder.mean, bladder.median, bladder.cases, bladder.missed) == (0.5, 0.5, 2, 1)
    assert bladder.std == pytest.approx(np.sqrt(0.5))
    distance = summaries["bladder", "hausdorff_95_mm"]
    assert (distance.mean, distance.cases, distance.missed) == (0.0, 1, 1)
    assert np.isnan(distance.std)
    assert summaries[ALL_ORGANS, "absolute_outline_volume_error_percent"].mean == pytest.approx((25 + 100) / 4)
    assert summaries[ALL_ORGANS, "outline_volume_error_percent"].mean == pytest.approx((25 - 100) / 4)


def test_csv_files_hold_cases_and_summary_with_empty_cells_for_undefined_values(folders: tuple[Path, Path], tmp_path):
    summary_path = write_metrics_csv(tmp_path / "metrics.csv", evaluate_folders(*folders, ORGANS))

    with (tmp_path / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with summary_path.open(encoding="utf-8", newline="") as file:
        summary = list(csv.DictReader(file))
    assert summary_path.name == "metrics_summary.csv"
    assert rows[0]["dice"] == f"{16 / 18:.8g}" and rows[0]["outline_volume_error_ml"] == "0.1"
    assert rows[3]["hausdorff_95_mm"] == "" and rows[3]["dice"] == "0"
    missed = {(row["organ"], row["metric"]): row["missed"] for row in summary}
    assert missed["bladder", "dice"] == "1" and missed["prostate", "dice"] == "0"


def test_table_for_people_has_a_dash_for_undefined_numbers(folders: tuple[Path, Path]):
    table = metrics_table(summarise(evaluate_folders(*folders, ORGANS)))

    rows = {(row[0], row[1]): row[2:] for row in table.rows}
    assert rows["bladder", "HD95, mm"] == ["0.00", "–", "0.00", "1", "1"]
    assert rows["bladder", "Signed error of the outline volume, %"][0] == "−50.0"


def test_a_prediction_without_a_reference_is_refused(folders: tuple[Path, Path]):
    next(folders[1].glob("b*")).unlink()

    with pytest.raises(InputError, match="has no reference"):
        evaluate_folders(*folders, ORGANS)


def test_references_without_a_prediction_are_left_out(folders: tuple[Path, Path]):
    next(folders[0].glob("b*")).unlink()

    pairs, left_out = pair_folders(*folders)

    assert [pair.prediction.name for pair in pairs] == ["a.nrrd"] and left_out == ["b"]
    assert {row.case for row in evaluate_folders(*folders, ORGANS)} == {"a"}


def test_organs_are_those_that_the_predictions_name(folders):
    names = {"Segment0_LabelValue": "1", "Segment0_Name": "prostate"}
    write_label_map(folders[0] / "a.nrrd", label_map(), names)

    assert organs_of(pair_folders(*folders)[0])[0] == ["prostate"]


def test_organs_without_names_are_numbered_up_to_the_highest_label(folders):
    write_label_map(folders[0] / "a.nrrd", label_map(bladder=0))

    assert organs_of(pair_folders(*folders)[0])[0] == ["organ 1", "organ 2"]


def test_predictions_of_different_organs_are_refused(folders):
    for file, organ in (("a.nrrd", "prostate"), ("b_segmentation.nrrd", "heart")):
        write_label_map(folders[0] / file, label_map(), {"Segment0_LabelValue": "1", "Segment0_Name": organ})

    with pytest.raises(InputError, match="is of heart, other segmentations of prostate"):
        organs_of(pair_folders(*folders)[0])


def test_another_geometry_is_refused():
    with pytest.raises(InputError, match="another geometry"):
        evaluate_case(label_map(spacing=(1.0, 1.0, 1.0)), label_map(), ORGANS)


def test_a_sparse_reference_is_refused():
    sparse = label_map()
    sparse.voxels[:, :, 3] = 255

    with pytest.raises(InputError, match="unlabelled voxels"):
        evaluate_case(label_map(), sparse, ORGANS)


def named(*organs):
    return {
        f"Segment{n}_{field}": text
        for n, organ in enumerate(organs)
        for field, text in (("LabelValue", str(n + 1)), ("Name", organ))
    }


@pytest.mark.parametrize("organs", [None, ["bladder", "prostate"]])
def test_the_same_organs_with_exchanged_numbers_agree_perfectly(folders, organs):
    true = label_map()
    swapped = LabelMap(np.array([0, 2, 1], np.uint8)[true.voxels], true.geometry, "a")
    for file, prediction in (("a.nrrd", swapped), ("b_segmentation.nrrd", true)):
        names = ("Bladder", "PROSTATE") if prediction is swapped else ("prostate", "bladder")
        write_label_map(folders[0] / file, prediction, named(*names))
    for name in "ab":
        (folders[1] / f"{name}.nii.gz").unlink()
        write_label_map(folders[1] / f"{name}.nrrd", true, named("prostate", "bladder"))

    rows = evaluate_pairs(pairs := pair_folders(*folders)[0], organs or organs_of(pairs)[0])

    assert len(rows) == 4 and all(row.dice == 1.0 and row.size.error == 0.0 for row in rows)
    assert {row.organ.casefold() for row in rows} == {"prostate", "bladder"}


def test_references_of_other_organs_are_refused_and_both_lists_told(folders: tuple[Path, Path]):
    for name in "ab":
        (folders[1] / f"{name}.nii.gz").unlink()
        write_label_map(folders[1] / f"{name}.nrrd", label_map(), named("liver", "kidney"))

    with pytest.raises(InputError, match="names its labels liver, kidney, and the organs are prostate, bladder"):
        evaluate_folders(*folders, ORGANS)


def test_a_reference_of_0_and_255_is_the_mask_of_the_only_organ(folders):
    for file in ("a.nrrd", "b_segmentation.nrrd"):
        write_label_map(folders[0] / file, label_map(bladder=0))
    for name in "ab":
        mask = label_map(bladder=0)
        mask.voxels[:] = 255 * (mask.voxels == 1)
        write_label_map(folders[1] / f"{name}.nii.gz", mask)

    with pytest.warns(Notice, match="255 is taken for the organ"):
        rows = evaluate_pairs(pairs := pair_folders(*folders)[0], organs_of(pairs)[0])

    assert [(row.organ, row.dice) for row in rows] == [("organ 1", 1.0)] * 2


def test_the_tables_of_an_evaluation_of_volumes_have_just_these_columns_and_metrics(
    folders: tuple[Path, Path], tmp_path
):
    summary = write_metrics_csv(tmp_path / "metrics.csv", evaluate_folders(*folders, ["prostate", "bladder"]))

    assert (tmp_path / "metrics.csv").read_text(encoding="utf-8-sig").splitlines()[0] == (
        "case,organ,dice,hausdorff_95_mm,average_surface_distance_mm,predicted_outline_volume_ml,reference_volume_ml,"
        "outline_volume_error_ml,outline_volume_error_percent"
    )
    first, *lines = summary.read_text(encoding="utf-8-sig").splitlines()
    assert first == "organ,metric,mean,std,median,cases,missed"
    assert [line.split(",")[1] for line in lines if line.startswith("prostate,")] == [
        "dice", "hausdorff_95_mm", "average_surface_distance_mm", "outline_volume_error_ml",
        "absolute_outline_volume_error_ml", "outline_volume_error_percent", "absolute_outline_volume_error_percent",
    ]  # fmt: skip
