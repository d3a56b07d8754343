"""The stages that a training is expected to have, before it starts."""

import pytest
from trained_studies import CPU, label_another_slice, stages

from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.method.planned_stages import planned_stages
from USLabelEfficientSegLib.pipeline import train
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.stages import Stage
from USLabelEfficientSegLib.study.study import Study


@pytest.fixture
def study(tmp_path, simulated):
    images, labels = simulated / "images", simulated / "labels"
    return Study.create(tmp_path / "study", images, labels, organs=("solid", "fluid"), label_fraction=0.2)


@pytest.fixture
def settings(tiny_changes):
    return changed(
        Settings(),
        {**tiny_changes, "slice_network.steps": 2, "slice_network.widths": [4, 8], "slice_network.starter": False},
    )


def planned(*arguments):
    return [str(stage) for stage, _ in planned_stages(*arguments)]


def told(study):
    """The stages of a training as events have told them, without its end and what sums the tests up."""
    return [name for name in stages(study) if name not in ("finished", "cross-fitting", "measuring")]


def test_every_stage_that_is_done_is_planned_and_only_students_may_be_left_out(study, settings):
    plan = planned(study, settings)
    train(study, settings, CPU)

    done = told(study)
    assert [name for name in plan if name in done] == [name for name in done if name in plan]
    assert set(done) - set(plan) <= {"scaling"}
    assert {"cross-fitting 1", "cross-fitting 2", "cross-fitting 3"} <= set(plan) & set(done)


def test_without_2d_networks_or_a_prior_to_weigh_them_against_less_is_planned(study, settings):
    none = planned(study, changed(settings, {"slice_network.steps": 0}))
    no_prior = planned(study, changed(settings, {"location_prior": False}))

    assert not [name for name in none if "slice network" in name or "cross-fitting" in name]
    assert no_prior == ["reading volumes", "alignment", "slice network 1", "slice votes", "calibration"]
    assert not [name for name in planned(study, settings, Stage.TEACHER) if name.startswith("slice")]


def test_students_learn_on_only_where_the_model_has_some(study, settings):
    train(study, changed(settings, {"location_prior": False}), CPU)
    anew = planned(study, settings)
    train(study, changed(settings, {"slice_network.steps": 0}), CPU, restart=True)
    label_another_slice(study)

    assert "student 1.1" in anew and "student continued.1" not in anew
    assert "student continued.1" in planned(Study.open(study.folder), settings)


def test_a_damaged_model_does_not_stand_in_the_way_of_a_plan(study, settings):
    study.run_folder.mkdir(exist_ok=True)
    (study.run_folder / MODEL_NAME).write_bytes(b"damaged")

    assert "student 1.1" in planned(study, settings)
