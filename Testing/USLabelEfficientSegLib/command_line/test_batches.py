"""One bad volume is one line, the others are done, and the exit code tells."""

import shutil

import numpy as np
import pytest

from USLabelEfficientSegLib.imaging.files import write_label_map
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import LabelMap


@pytest.fixture
def images(simulated, tmp_path):
    return shutil.copytree(simulated / "images", tmp_path / "images")


@pytest.fixture
def found(simulated, tmp_path):
    return shutil.copytree(simulated / "labels", tmp_path / "found")


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


def test_a_damaged_volume_is_told_and_the_others_are_segmented(call, trained_study, images, tmp_path):
    cut(images / "simulated_0000.nrrd")

    code, out, err = call("segment", trained_study, images, "--output", tmp_path / "out")

    first, last = err.splitlines()
    assert code == 2 and first.startswith("uslabelseg: error: ") and "simulated_0000.nrrd" in first
    assert last == "uslabelseg: error: 1 of 3 failed, the others are done: simulated_0000.nrrd"
    done = sorted(path.name for path in (tmp_path / "out").glob("*.nrrd"))
    assert done == ["simulated_0001.nrrd", "simulated_0002.nrrd"] and out.count("ml") >= 2


def test_a_fault_in_one_volume_is_a_line_and_its_traceback_in_the_log(
    call, trained_study, images, tmp_path, monkeypatch
):
    from USLabelEfficientSegLib.segmentation import inference

    def fails_once(model, volume, device, predict=inference.predict):
        if volume.name == "simulated_0001":
            raise ZeroDivisionError("a fault")
        return predict(model, volume, device)

    monkeypatch.setenv("USLABELSEG_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(inference, "predict", fails_once)

    code, _, err = call("segment", trained_study, images, "--output", tmp_path / "out")

    assert code == 2 and "made this program fail (ZeroDivisionError: a fault)" in err and "Traceback" not in err
    (log,) = (tmp_path / "state" / "logs").iterdir()
    assert "Traceback" in log.read_text() and len(list((tmp_path / "out").glob("simulated_000[02].nrrd"))) == 2


def test_a_number_that_is_none_ends_no_batch(call, trained_study, images, tmp_path, monkeypatch):
    from dataclasses import replace

    from USLabelEfficientSegLib.measurement import segmenting

    def with_nan(model, prediction, label_map, measure=segmenting.measure_prediction):
        rows = measure(model, prediction, label_map)
        return [replace(rows[0], volume_ml=float("nan")), *rows[1:]] if rows[0].case == "simulated_0000" else rows

    monkeypatch.setattr(segmenting, "measure_prediction", with_nan)

    code, _, err = call("segment", trained_study, images, "--output", tmp_path / "out")

    assert code == 2 and "1 of 3 failed" in err and "not finite" in err
    assert not (tmp_path / "out" / "simulated_0000.nrrd").exists()


def test_the_other_segmentations_are_measured_evaluated_and_reported(call, found, simulated, tmp_path):
    cut(found / "simulated_0001.nrrd")

    code, _, err = call("measure", found, "--output", tmp_path / "volumes.csv")
    assert code == 2 and "1 of 3 failed, the others are done: simulated_0001.nrrd" in err
    cases = {line.split(",")[0] for line in (tmp_path / "volumes.csv").read_text().splitlines()[1:]}
    assert cases == {"simulated_0000", "simulated_0002"}

    code, _, err = call("evaluate", found, simulated / "labels", "--output", tmp_path / "metrics.csv")
    assert code == 2 and "1 of 3 failed" in err
    rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]]
    assert len(rows) == 4 and all(float(row[2]) == 1 for row in rows)

    report = "report", found, "--images", simulated / "images", "--output", tmp_path / "report.html"
    code, out, err = call(*report)
    assert code == 2 and "1 of 3 failed" in err and "Report of 2 volumes" in out


def test_where_all_fail_alike_one_line_tells_it_and_nothing_is_written(refused, found, simulated, tmp_path):
    geometry = Geometry((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    for path in found.iterdir():
        write_label_map(path, LabelMap(np.ones((4, 4, 4), np.uint8), geometry, path.stem))

    line = refused("evaluate", found, simulated / "labels", "--organs", "a,b", "--output", tmp_path / "metrics.csv")
    assert "and 2 more: has another geometry" in line


def test_a_model_is_not_calibrated_on_what_is_left_of_a_damaged_set(refused, trained_study, images, simulated):
    cut(images / "simulated_0001.nrrd")

    refused("calibrate", trained_study, images, simulated / "labels")


def test_calibration_counts_the_volumes_before_it_reads_them(
    refused, trained_study, images, simulated, monkeypatch, tmp_path
):
    from USLabelEfficientSegLib.method import held_out_calibration

    def read(*_):
        raise AssertionError("a volume was read")

    monkeypatch.setattr(held_out_calibration, "read_scan", read)
    labels = shutil.copytree(simulated / "labels", tmp_path / "labels")
    for path in (*images.iterdir(), *labels.iterdir()):
        path.rename(path.with_name(f"new_{path.name}"))

    assert "has 3 volumes with labels, too few" in refused("calibrate", trained_study, images, labels)
