import json
import multiprocessing
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.benchmark import plan
from USLabelEfficientSegLib.benchmark.data import read_dataset
from USLabelEfficientSegLib.benchmark.design import Design
from USLabelEfficientSegLib.benchmark.methods import ABLATION, VARIANTS
from USLabelEfficientSegLib.benchmark.peers import nnunet
from USLabelEfficientSegLib.benchmark.peers.training import Budget
from USLabelEfficientSegLib.benchmark.plan import open_benchmark, organs_of, planned_jobs, run_benchmark
from USLabelEfficientSegLib.benchmark.results import (
    CaseResult,
    Job,
    JobResult,
    read_results,
    result_path,
    write_result,
)
from USLabelEfficientSegLib.benchmark.run import RunOptions, budget_of, run_job
from USLabelEfficientSegLib.benchmark.study import sparse_study
from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.disk.study_layout import TEACHER_NAME
from USLabelEfficientSegLib.errors import Cancelled, InputError
from USLabelEfficientSegLib.imaging.files import read_label_map, read_volume, write_label_map
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study

ORGANS = ("solid", "fluid")
OUR_JOB = Job("ours", 0.2, "random", 0)


@pytest.fixture
def design(simulated, tiny_changes):
    return Design(data=simulated, organs=ORGANS, steps=2, changes=tiny_changes, test_share=0.3)


def run(job, output, design, **options):
    return run_job(job, output=output, design=design, device="cpu", options=RunOptions(**options))


def test_every_kind_of_method_is_trained_judged_and_cleared_away(tmp_path, design):
    for method, labelled in (("ours", 6), ("labels-3d", 6), ("unet-2d", 6), ("full-3d", 32)):
        fraction = 1.0 if method == "full-3d" else 0.2
        result = run(Job(method, fraction, "random", 1), tmp_path, design)
        assert result.labelled_slices == labelled
        assert [row.organ for row in result.cases] == list(ORGANS)
        assert all(0 <= row.dice <= 1 and row.reference_ml > 0 and row.expected_ml > 0 for row in result.cases)
        assert result.minutes > 0
        assert result.steps == (None if method == "ours" else 2)
    assert len(read_results(tmp_path)) == 4
    assert not list((tmp_path / "work").iterdir())


def test_all_methods_get_the_labels_that_the_seed_or_the_suggestion_gives(tmp_path, design):
    dataset = read_dataset(design.data)
    training = design.split(dataset).training

    def labelled(name, choice, seed, method="ours"):
        study = sparse_study(tmp_path / name, dataset, training, design, Job(method, 0.1, choice, seed))
        for case in study.cases:
            if case.labels is not None:
                labels, dense = study.read_labels(case.name), read_label_map(dataset.labels[case.name]).voxels
                assert labels is not None
                known = labels.voxels != 255
                np.testing.assert_array_equal(labels.voxels[known], dense[known])
        return {(case.name, index) for case in study.cases if case.labels for _, index in case.labels.slices}

    first, again, other = (labelled(f"random {n}", "random", seed) for n, seed in enumerate((0, 0, 1)))
    suggested = labelled("suggested", "suggested", 0)

    assert first == again != other
    assert len(first) == len(suggested) == 3
    assert {name for name, _ in suggested} == set(training)
    assert labelled("suggested", "suggested", 0) == suggested
    assert labelled("of a rival", "suggested", 0, "cps") == suggested
    assert labelled("random of a rival", "random", 0, "cps") == first


def test_degraded_images_are_judged_as_well_and_only_when_asked_for(tmp_path, design):
    jobs = [Job("labels-3d", 0.2, "random", 0)]
    ((_, plain),) = run_benchmark(tmp_path, design, jobs, device="cpu")
    assert not list(run_benchmark(tmp_path, design, jobs, device="cpu"))

    options = RunOptions(degradations=True)
    ((_, degraded),) = run_benchmark(tmp_path, design, jobs, device="cpu", options=options)

    assert plain is not None and degraded is not None
    assert not plain.has_degradations
    # six degradations of the image and, as the volumes are simulated, other probes
    assert len(degraded.cases) == len(plain.cases) * (1 + 6 * 3 + 3)
    assert [row.dice for row in degraded.plain] == [row.dice for row in plain.plain]
    assert not list(run_benchmark(tmp_path, design, jobs, device="cpu", options=options))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, simulated, tiny_changes):
    """The design, and the run of our method that nobody stopped and nobody watched."""
    design = Design(data=simulated, organs=ORGANS, steps=2, changes=tiny_changes, test_share=0.3, validation=True)
    return design, run(OUR_JOB, tmp_path_factory.mktemp("whole"), design)


def expected_ml(result):
    return [row.expected_ml for row in result.cases]


def test_our_method_continues_where_it_was_stopped(tmp_path, finished):
    design, whole = finished
    run_folder = tmp_path / "work" / OUR_JOB.name / "study" / "run"
    teacher = run_folder / TEACHER_NAME

    with pytest.raises(Cancelled):
        run(OUR_JOB, tmp_path, design, cancelled=teacher.exists)
    assert not result_path(tmp_path, OUR_JOB).exists()
    assert teacher.exists() and not list(run_folder.glob("student*"))

    assert expected_ml(run(OUR_JOB, tmp_path, design)) == expected_ml(whole)


def test_a_killed_benchmark_continues_to_the_same_result(tmp_path, finished):
    design, whole = finished
    teacher = tmp_path / "work" / OUR_JOB.name / "study" / "run" / TEACHER_NAME
    options = {"output": tmp_path, "design": design, "device": "cpu", "options": RunOptions()}
    process = multiprocessing.get_context("spawn").Process(target=run_job, args=(OUR_JOB,), kwargs=options)
    process.start()
    while not teacher.exists():
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not result_path(tmp_path, OUR_JOB).exists()

    ((job, result),) = run_benchmark(tmp_path, design, [OUR_JOB], device="cpu")

    assert job == OUR_JOB and expected_ml(result) == expected_ml(whole)
    assert read_results(tmp_path) == [result] and not list((tmp_path / "work").iterdir())


def test_dice_over_time_is_measured_without_changing_the_result(tmp_path, finished):
    design, whole = finished
    rival = Job("labels-3d", 0.2, "random", 0)
    jobs = [OUR_JOB, rival]
    ours, theirs = (
        result for _, result in run_benchmark(tmp_path, design, jobs, device="cpu", options=RunOptions(curve=True))
    )

    assert ours is not None and theirs is not None
    assert expected_ml(ours) == expected_ml(whole)
    assert [point.stage for point in ours.curve] == ["student 1.1"] * 3 + ["labels alone 1"] * 3  # three steps
    assert [(point.stage, point.share) for point in theirs.curve] == [("training", 0.5), ("training", 1.0)]
    assert theirs.curve[-1].dice == pytest.approx(np.mean([row.dice for row in theirs.cases]))
    assert ours.curve[-1].dice == pytest.approx(np.mean([row.dice for row in ours.cases]))
    assert 0 < ours.curve[0].seconds < ours.curve[-1].seconds <= 60 * ours.minutes
    assert not list(run_benchmark(tmp_path, design, jobs, device="cpu", options=RunOptions(curve=True)))

    on_test_subjects = replace(design, validation=False)
    with pytest.raises(InputError, match="would be measured on test subjects"):
        run_benchmark(tmp_path, on_test_subjects, jobs, device="cpu", options=RunOptions(curve=True))


def test_every_switch_of_the_ablation_changes_what_is_learnt(tmp_path, simulated, tiny_changes):
    """The same settings twice give the same student bit for bit, so that a difference is that of the switch."""
    images, labels = simulated / "images", simulated / "labels"
    base = {**tiny_changes, "working_grid.max_voxels": 16, "student.rounds": 2}

    def student_of(folder, changes):
        settings = changed(Settings(), {**base, **changes})
        last, seen, weights = f"student {settings.student.rounds}.1", [], {}

        def observe(stage, share, model):
            seen.append(stage)
            for taught in model().networks[:1]:  # while 2-D networks learn there is none
                weights.update({key: value.clone() for key, value in taught.state_dict().items()})

        study = Study.create(tmp_path / folder, images, labels, organs=ORGANS, label_fraction=0.05)
        with pytest.raises(Cancelled):  # before calibration, which comes after the students
            train(
                study,
                settings,
                torch.device("cpu"),
                observer=observe,
                cancelled=lambda: seen.count(last) == settings.student.steps - 1,
            )
        return torch.cat([value.double().flatten() for _, value in sorted(weights.items())])

    # The prior takes most of the time of so small a training: it is there where it or its alignment is at stake.
    quick = {"location_prior": False}
    on_prior = {"ours-no-location", "ours-no-prior-vote", "ours-no-alignment"}
    with_prior, without = student_of("with", {}), student_of("without", quick)
    assert torch.equal(student_of("again", quick), without)
    assert on_prior < set(ABLATION)
    for name in set(ABLATION[1:]) - {"ours-no-slice-networks"}:  # which students know nothing of
        other = student_of(name, {**({} if name in on_prior else quick), **VARIANTS[name].changes})
        assert not torch.equal(other, with_prior if name in on_prior else without), name


@pytest.mark.parametrize("name", ["ours-no-slice-networks", "ours-divergence", "cdkd"])
def test_these_variants_have_no_2d_networks_beside_the_students(name):
    assert changed(Settings(), VARIANTS[name].changes).slice_network.steps == 0 < Settings().slice_network.steps


def test_training_images_are_degraded_each_in_its_own_way_the_same_in_every_run(tmp_path, design):
    design = replace(design, training_degradation="noise")
    dataset = read_dataset(design.data)
    training = design.split(dataset).training

    def images(name, job):
        study = sparse_study(tmp_path / name, dataset, training, design, job)
        return [study.read_scan(case).voxels for case in training]

    first, other = images("first", Job("ours", 0.2, "random", 0)), images("other", Job("cps", 0.2, "suggested", 1))
    for case, voxels, same in zip(training, first, other, strict=True):
        np.testing.assert_array_equal(voxels, same)
        assert np.abs(voxels - read_volume(dataset.images[case]).voxels.astype(float)).mean() > 0.5
    assert design.record(dataset)["training_degradation"] == "noise"
    with pytest.raises(InputError, match="degradation rain: does not exist; choose among gain,"):
        replace(design, training_degradation="rain")


def test_rivals_get_the_time_that_ours_took_with_the_same_labels_and_seed(tmp_path, design):
    design = replace(design, steps=None, time_of="ours")
    rival, ceiling = Job("location-prior", 0.2, "random", 0), Job("full-3d", 1.0, "random", 0)
    with pytest.raises(InputError, match="has the time of ours, which was not run; add that method"):
        run(rival, tmp_path, design)
    cases = (CaseResult("a", "solid", 0.5, 1.0, 1.0, 1.0, 1.0, 1.0),)
    for fraction, seed, minutes in ((0.2, 0, 2.0), (0.2, 1, 9.0), (0.1, 0, 3.0)):
        write_result(tmp_path, JobResult(Job("ours", fraction, "random", seed), 1, minutes, 1.0, None, cases))

    assert budget_of(rival, design, tmp_path) == Budget(seconds=120.0)
    assert budget_of(ceiling, design, tmp_path) == Budget(seconds=180.0)  # of all its fractions the longest
    assert budget_of(rival, replace(design, steps=3, time_of=None), tmp_path) == Budget(steps=3)


def test_the_method_whose_time_rivals_get_is_run_first(tmp_path, design, monkeypatch):
    monkeypatch.setattr(plan, "run_job", lambda job, **_: job.method)
    jobs = [Job(method, 0.2, "random", seed) for seed in (0, 1) for method in ("cps", "ours")]
    done = run_benchmark(tmp_path, replace(design, steps=None, time_of="ours"), jobs, device="cpu")
    assert [job.method for job, _ in done] == ["ours", "ours", "cps", "cps"]


def test_nnunet_waits_for_its_predictions(tmp_path, design):
    job = Job("nnunet", 0.2, "random", 0)
    assert run(job, tmp_path, design) is None
    work, dataset = tmp_path / "work" / job.name, read_dataset(design.data)
    assert (work / nnunet.SCRIPT).exists()
    (work / "predictions").mkdir()
    for case in design.split(dataset).held_out:
        label = read_label_map(dataset.labels[case])
        write_label_map(work / "predictions" / f"{case}{nnunet.SUFFIX}", label)

    result = run(job, tmp_path, design)

    assert [row.dice for row in result.cases] == [1.0, 1.0]
    assert result.minutes != result.minutes and read_results(tmp_path)[0].job == job


def test_methods_that_use_all_labels_run_once_a_seed():
    jobs = planned_jobs(["ours", "full-3d"], [0.01, 0.1], ["random", "suggested"], [0, 1])
    assert len(jobs) == len(set(jobs)) == 2 * (4 + 1)
    assert {job.label_fraction for job in jobs if job.method == "full-3d"} == {1.0}
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs)


def test_a_folder_holds_one_design(tmp_path, design, simulated):
    output = tmp_path / "table"
    open_benchmark(output, design)
    moved = shutil.copytree(simulated, tmp_path / "moved")
    open_benchmark(output, Design(moved, ORGANS, steps=2, changes=design.changes, test_share=0.3))
    with pytest.raises(InputError, match="a benchmark with other steps; choose a new folder"):
        open_benchmark(output, Design(simulated, ORGANS, steps=3, changes=design.changes, test_share=0.3))
    with pytest.raises(InputError, match="holds something else"):
        open_benchmark(simulated, design)


def test_organs_are_counted(simulated):
    assert organs_of(read_dataset(simulated)) == ("organ 1", "organ 2")


def test_the_command_writes_a_page_and_repeats_nothing(tmp_path, simulated, capfd):
    output = tmp_path / "table"

    def call(*more):
        with pytest.raises(SystemExit) as stop:
            main(["benchmark", str(simulated), "--output", str(output), "--device", "cpu", *more])
        return stop.value.code, capfd.readouterr()

    grid = ("--steps", "2", "--set", "working_grid.max_voxels=24", "--label-fractions", "0.2")
    code, text = call("--methods", "labels-3d", "--seeds", "0", "--test-share", "0.3", "--workers", "2", *grid)
    assert code == 0, text.err
    assert "1 runs, 3 cases" in text.out and "labels-3d_random_0.2_0: Dice" in text.out
    before = {path: path.stat().st_mtime_ns for path in (output / "results").iterdir()}
    assert len(before) == 1

    code, text = call("--methods", "labels-3d,cps", "--seeds", "0,1", "--test-share", "0.3", *grid)
    assert code == 0, text.err
    assert "labels-3d_random_0.2_0" not in text.out
    after = {path: path.stat().st_mtime_ns for path in (output / "results").iterdir()}
    assert len(after) == 4 and before.items() <= after.items()
    page = (output / "benchmark.md").read_text(encoding="utf-8")
    assert "| 3-D U-Net, labels only | 2 |" in page
    assert json.loads((output / "benchmark.json").read_text())["steps"] == 2

    for wrong, message in (
        (("--methods", "magic"), "method magic: does not exist"),
        (("--seeds", "a"), "--seeds a: is not a list of numbers"),
        (("--label-fractions", "2"), "label fraction 2: is outside (0, 1]"),
        (("--label-choices", "best"), "--label-choices best: does not exist"),
        (("--seconds", "3", "--steps", "3"), "--seconds and --steps: are both given"),
        (("--methods", "cps", "--steps", "9"), "holds a benchmark with other"),
        (("--set", "student.stepz=3"), "'student.stepz' is wrong"),
        (("--set", "seed=3"), "--set seed: would be the same for all runs"),
        (("--over-time",), "--over-time: would look at the test subjects"),
        (("--training-degradation", "rain"), "degradation rain: does not exist"),
        (("--ablation", "--methods", "magic"), "method magic: does not exist"),
    ):
        code, text = call(*wrong)
        assert code == 2
        assert message in text.err and text.err.count("\n") == 1


def test_the_command_lists_its_methods(tmp_path, simulated, capfd):
    with pytest.raises(SystemExit) as stop:
        main(["benchmark", str(simulated), "--output", str(tmp_path / "new"), "--methods", "help"])
    output = capfd.readouterr().out
    assert stop.value.code == 0
    assert "ua-mt: UA-MT: Yu et al." in output and "cdkd: Zhang et al." in output
    assert not (tmp_path / "new").exists()
