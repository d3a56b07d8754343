"""Segmented 2-D images against references."""

import csv

import numpy as np
import pytest
from simulated_heads import write_png

from USLabelEfficientSegLib.errors import InputError, Notice
from USLabelEfficientSegLib.evaluation.case_metrics import evaluate_case
from USLabelEfficientSegLib.evaluation.evaluate import evaluate_pairs, organs_of, pair_folders
from USLabelEfficientSegLib.evaluation.summary import summarise, write_metrics_csv
from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.pixel_sizes import PixelSizes
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.segmentation.segments import segment_metadata

GRID = Geometry((60, 80, 1), (0.5, 0.5, 1.0), (0.0, 0.0, 0.0), np.eye(3))


def disc(radius, name="a", grid=GRID):
    i, j = np.indices((60, 80))
    return LabelMap((np.hypot(i - 30, j - 40) <= radius).astype(np.uint8)[..., None], grid, name)


def test_metrics_of_two_discs_are_those_of_geometry():
    (row,) = evaluate_case(disc(22), disc(20), ["head"])

    assert row.dice == pytest.approx(2 * 20**2 / (20**2 + 22**2), abs=0.01)
    assert row.hausdorff_95_mm == pytest.approx(1.0, abs=0.25)
    assert row.average_surface_distance_mm == pytest.approx(1.0, abs=0.15)
    assert row.size.error_percent == pytest.approx(21, abs=2)
    assert row.quantities[1].error == pytest.approx(2 * np.pi, rel=0.05)


def test_a_missed_organ_has_no_distance_and_no_circumference_error():
    (row,) = evaluate_case(disc(-1), disc(20), ["head"])

    assert row.missed and row.dice == 0 and row.size.error_percent == -100
    assert np.isnan(row.hausdorff_95_mm) and np.isnan(row.quantities[1].error)


def test_folders_are_paired_by_name_and_references_may_be_pictures(tmp_path):
    for kind in ("found", "true"):
        (tmp_path / kind).mkdir()
    write_label_map(tmp_path / "found" / "a.nrrd", disc(22))
    for name in ("a", "b"):
        write_png(tmp_path / "true" / f"{name}.png", 255 * disc(20).voxels[..., 0].T)

    pairs, left_out = pair_folders(tmp_path / "found", tmp_path / "true")
    rows = evaluate_pairs(pairs, ["head"])
    summary_path = write_metrics_csv(tmp_path / "metrics.csv", rows)

    assert left_out == ["b"] and rows == evaluate_case(disc(22), disc(20), ["head"])
    with (tmp_path / "metrics.csv").open(newline="") as file:
        (cells,) = csv.DictReader(file)
    assert float(cells["circumference_error_mm"]) == pytest.approx(rows[0].quantities[1].error, abs=1e-3)
    assert "absolute_outline_area_error_percent" in summary_path.read_text()
    dice = next(summary for summary in summarise(rows) if summary.metric == "dice")
    assert dice.mean == rows[0].dice and dice.cases == 1


def test_a_prediction_without_reference_and_other_pixels_are_refused(tmp_path):
    (tmp_path / "found").mkdir()
    (tmp_path / "true").mkdir()
    write_label_map(tmp_path / "found" / "a.nrrd", disc(22))
    write_png(tmp_path / "true" / "b.png", 255 * disc(20).voxels[..., 0].T)

    with pytest.raises(InputError, match=r"a\.nrrd: has no reference"):
        pair_folders(tmp_path / "found", tmp_path / "true")
    coarse = Geometry((60, 80, 1), (0.6, 0.6, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    with pytest.raises(InputError, match="has another geometry than its reference"):
        evaluate_case(disc(22), disc(20, grid=coarse), ["head"])


def test_organs_of_images_are_matched_by_name(tmp_path):
    two = disc(20)
    two.voxels[:30][two.voxels[:30] == 1] = 2
    swapped = LabelMap(np.array([0, 2, 1], np.uint8)[two.voxels], GRID, "a")
    for kind, labels, organs in (("found", swapped, ("skull", "brain")), ("true", two, ("Brain", "SKULL"))):
        (tmp_path / kind).mkdir()
        fields = {f"Segment{n}_LabelValue": str(n + 1) for n in range(2)}
        write_label_map(
            tmp_path / kind / "a.nrrd", labels, fields | {f"Segment{n}_Name": organ for n, organ in enumerate(organs)}
        )

    pairs, _ = pair_folders(tmp_path / "found", tmp_path / "true")
    rows = evaluate_pairs(pairs, organs_of(pairs)[0])

    assert [(row.organ, row.dice, row.size.error_percent) for row in rows] == [
        ("skull", 1.0, 0.0),
        ("brain", 1.0, 0.0),
    ]
    with pytest.raises(InputError, match="names its labels skull, brain, and the organs are liver, kidney"):
        evaluate_pairs(pairs, ["liver", "kidney"])


def test_the_tables_of_an_evaluation_of_images_have_just_these_columns_and_metrics(tmp_path):
    summary = write_metrics_csv(tmp_path / "metrics.csv", evaluate_case(disc(22), disc(20), ["head"]))

    assert (tmp_path / "metrics.csv").read_text(encoding="utf-8-sig").splitlines()[0] == (
        "case,organ,dice,hausdorff_95_mm,average_surface_distance_mm,predicted_outline_area_mm2,reference_area_mm2,"
        "outline_area_error_percent,predicted_circumference_mm,reference_circumference_mm,circumference_error_mm"
    )
    assert [line.split(",")[1] for line in summary.read_text(encoding="utf-8-sig").splitlines()[1:]] == [
        "dice", "hausdorff_95_mm", "average_surface_distance_mm", "outline_area_error_percent",
        "absolute_outline_area_error_percent", "circumference_error_mm", "absolute_circumference_error_mm",
    ]  # fmt: skip


def test_images_that_were_segmented_by_different_models_are_refused(tmp_path):
    for kind in ("found", "true"):
        (tmp_path / kind).mkdir()
    for name, organ in (("a", "skull"), ("b", "brain")):
        write_label_map(tmp_path / "found" / f"{name}.nrrd", disc(22, name), segment_metadata(disc(22, name), [organ]))
        write_png(tmp_path / "true" / f"{name}.png", 255 * disc(20).voxels[..., 0].T)
    pairs, _ = pair_folders(tmp_path / "found", tmp_path / "true")

    with pytest.raises(InputError, match="is of brain, other segmentations of skull"):
        organs_of(pairs)


def test_a_pixel_size_that_no_file_needs_is_not_ignored_silently(tmp_path):
    for kind in ("found", "true"):
        (tmp_path / kind).mkdir()
        write_label_map(tmp_path / kind / "a.nrrd", disc(20))
    pairs, _ = pair_folders(tmp_path / "found", tmp_path / "true")

    with pytest.warns(Notice, match=r"has pixels of 0\.5 mm by its file or its image, so --pixel-size 2 is not used"):
        evaluate_pairs(pairs, ["head"], sizes=PixelSizes(otherwise=2.0))
