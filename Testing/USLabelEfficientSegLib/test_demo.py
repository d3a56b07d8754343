import csv
import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import torch
from labelled_cases import record_of

from USLabelEfficientSegLib import demo
from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.demo import DemoDesign, run_demo
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.study.events import Event
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study

TINY = DemoDesign(
    training_volumes=3, held_out_volumes=2, shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0), label_fraction=0.2
)


@pytest.fixture(scope="module")
def run(tiny_changes):
    """Run the tiny demo; returns its result and the events."""

    def run_tiny(output, *, cancelled=lambda: False, **changes):
        events: list[Event] = []
        settings = changed(Settings(), {**tiny_changes, **changes})
        result = run_demo(
            output,
            seed=0,
            settings=settings,
            device=torch.device("cpu"),
            listener=events.append,
            cancelled=cancelled,
            design=TINY,
        )
        return result, events

    return run_tiny


@pytest.fixture(scope="module")
def finished(tmp_path_factory, run):
    """A finished demo: its folder and result."""
    output = tmp_path_factory.mktemp("demo") / "out"
    return output, run(output)[0]


def test_the_demo_leaves_report_volumes_metrics_and_segmentations(finished):
    output, result = finished
    with (output / "volumes.csv").open(encoding="utf-8", newline="") as file:
        volumes = list(csv.DictReader(file))
    with (output / "metrics.csv").open(encoding="utf-8", newline="") as file:
        metrics = list(csv.DictReader(file))
    true = json.loads((output / "simulated" / "held-out" / "true_volumes_ml.json").read_text())

    assert [(row["case"], row["organ"]) for row in volumes] == [(c, o) for c in true for o in true[c]]
    for row in volumes:
        assert float(row["true_volume_ml"]) == pytest.approx(true[row["case"]][row["organ"]], abs=1e-3)
        assert float(row["volume_ml"]) > 0
    assert result.mean_dice == pytest.approx(sum(float(row["dice"]) for row in metrics) / 4, abs=1e-3)
    errors = sorted(abs(float(row["volume_ml"]) / float(row["true_volume_ml"]) - 1) * 100 for row in volumes)
    assert result.median_volume_error_percent == pytest.approx((errors[1] + errors[2]) / 2, rel=1e-3)
    assert len(list((output / "segmentations").glob("*_probability.nrrd"))) == 2
    study = Study.open(output / "study")
    on_slices = [np.zeros(case.image.shape, bool) for case in study.cases]
    for case, voxels in zip(study.cases, on_slices, strict=True):
        for axis, index in record_of(case).slices:
            np.moveaxis(voxels, axis, 0)[index] = True
    share = np.mean(on_slices)
    assert study.label_fraction() == pytest.approx(share) and share < 10 / 48
    assert result.labelled_slices == 10
    assert result.labelled_share == f"{100 * share:.2g} % of all, where they cross counted once"
    report = result.report.read_text(encoding="utf-8")
    assert f"{result.mean_dice:.3f}" in report and "student.steps" in report
    assert f"10 ({result.labelled_share})" in report


def test_a_finished_demo_is_reported_again_without_training(finished, run):
    output, result = finished
    result.report.unlink()

    again, events = run(output)

    assert again == result and result.report.exists()
    assert not any(event.losses or event.stage.startswith("simulating") for event in events)


def test_a_stopped_demo_goes_on_and_ends_as_if_it_had_not_been_stopped(finished, run, tmp_path):
    for stop_after in (1, 7):
        asked = iter(range(100))
        with pytest.raises(Cancelled):
            run(tmp_path / "out", cancelled=lambda asked=asked, stop_after=stop_after: next(asked) >= stop_after)

    result, _ = run(tmp_path / "out")

    assert result.mean_dice == finished[1].mean_dice
    model = "study/run/model.safetensors"
    assert (tmp_path / "out" / model).read_bytes() == (finished[0] / model).read_bytes()
    assert (tmp_path / "out" / "volumes.csv").read_text() == (finished[0] / "volumes.csv").read_text()


def test_a_folder_with_anything_else_is_refused(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")

    with pytest.raises(InputError, match="something else than a demo"):
        run(tmp_path)
    with pytest.raises(InputError, match="something else than a demo"):
        run(tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_demo_with_other_settings_is_refused(run, finished, tmp_path):
    output = shutil.copytree(finished[0], tmp_path / "out")

    with pytest.raises(InputError, match="another seed or other settings"):
        run(output, **{"student.steps": 4})


def test_the_command_prints_the_main_numbers_and_where_the_report_is(finished, monkeypatch, tiny_changes, capsys):
    output, result = finished
    monkeypatch.setattr(demo, "DemoDesign", lambda: TINY)
    changes = [text for name, value in tiny_changes.items() for text in ("--set", f"{name}={json.dumps(value)}")]

    with pytest.raises(SystemExit) as stop:
        main(["demo", str(output), "--device", "cpu", *changes])

    printed = capsys.readouterr().out
    assert stop.value.code == 0
    assert f"Mean Dice on held-out volumes: {result.mean_dice:.3f}" in printed and str(result.report) in printed


def test_the_demo_labels_at_most_half_a_percent_of_the_slices_along_all_axes(finished):
    design = DemoDesign()
    slices = design.shape[2] * design.training_volumes
    study = Study.open(finished[0] / "study")

    assert 0 < round(design.label_fraction * slices) / slices <= 0.005
    assert asdict(design)["held_out_volumes"] >= 6
    assert {axis for case in study.cases for axis, _ in record_of(case).slices} == {0, 1, 2}
