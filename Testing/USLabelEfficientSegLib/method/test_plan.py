"""How long networks are trained, by labels and by what they have learnt before."""

from USLabelEfficientSegLib.method.plan import FEWEST_STUDENT_STEPS, labelled_slices, training_plan
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study

MANY = changed(Settings(), {"student.steps": 5_000, "student.label_steps": 12_000, "student.label_steps_from": 1})


def test_few_labels_are_not_learnt_by_heart():
    assert training_plan(MANY, 3).distilled.steps == FEWEST_STUDENT_STEPS
    assert training_plan(MANY, 30).distilled.steps == 20 * 30
    assert training_plan(MANY, 3_000).distilled.steps == 5_000
    assert training_plan(changed(MANY, {"student.steps_per_labelled_slice": 0}), 3).distilled.steps == 5_000
    assert training_plan(changed(MANY, {"student.steps": 3}), 3).distilled.steps == 3


def test_supervised_students_learn_longer_the_more_labels_there_are():
    few = training_plan(MANY, 10).supervised

    assert few is not None and few.steps == 800 * 10
    assert training_plan(MANY, 100).supervised == MANY.student.model_copy(update={"steps": 12_000})
    assert training_plan(changed(MANY, {"student.label_steps_from": 11}), 10).supervised is None
    assert training_plan(changed(MANY, {"student.label_steps": 0}), 10).supervised is None


def test_networks_that_learn_on_take_fewer_steps_and_students_smaller_ones():
    anew = training_plan(MANY, 10)
    on = training_plan(MANY, 10, teacher_learns_on=True, distilled_learn_on=True, supervised_learn_on=True)

    assert on.teacher.steps == MANY.teacher.steps / 2
    assert on.distilled.steps == anew.distilled.steps / 2
    assert on.supervised is not None and anew.supervised is not None
    assert on.supervised.steps == anew.supervised.steps / 8
    assert on.distilled.learning_rate == on.supervised.learning_rate == 0.3 * MANY.student.learning_rate
    joins = training_plan(MANY, 10, distilled_learn_on=True)  # the first supervised student of a model
    assert joins.supervised == anew.supervised and joins.distilled == on.distilled


def test_labelled_slices_of_all_volumes_count(trained_study):
    labels = [case.labels for case in Study.open(trained_study).cases if case.labels is not None]

    assert labelled_slices(Study.open(trained_study)) == sum([len(record.slices) for record in labels]) > 0
