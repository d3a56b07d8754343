import pytest

from USLabelEfficientSegLib.benchmark.data import read_dataset, split_by_subject
from USLabelEfficientSegLib.errors import InputError

SUBJECTS = {f"case{number:02d}": f"subject{number // 2}" for number in range(40)}


def subjects_of(cases):
    return {SUBJECTS[case] for case in cases}


def test_a_subject_is_on_one_side_of_the_split():
    split = split_by_subject(SUBJECTS, 0.2)

    assert len(split.held_out) == 8 and len(split.training) == 32
    assert not subjects_of(split.training) & subjects_of(split.held_out)
    assert split == split_by_subject(dict(reversed(SUBJECTS.items())), 0.2)


def test_validation_never_touches_the_test_subjects():
    test, validation = split_by_subject(SUBJECTS, 0.2), split_by_subject(SUBJECTS, 0.2, validation=True)

    assert set(validation.training) | set(validation.held_out) == set(test.training)
    assert not subjects_of(validation.training) & subjects_of(validation.held_out)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(InputError, match="outside"):
        split_by_subject(SUBJECTS, 1.0)
    with pytest.raises(InputError, match="cannot split 1 subjects"):
        split_by_subject({"a": "one", "b": "one"}, 0.5)


def dataset(folder, images=("a", "b"), labels=("a", "b"), table=None):
    for kind, names in (("images", images), ("labels", labels)):
        (folder / kind).mkdir()
        for name in names:
            (folder / kind / f"{name}.nrrd").touch()
    if table is not None:
        (folder / "cases.csv").write_text(table)
    return folder


def test_subjects_come_from_the_table_or_each_case_is_one(tmp_path):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    table = "case,subject_group,age\na,7,50\nb,7,51\nelsewhere,8,3\n"

    assert read_dataset(dataset(tmp_path / "with", table=table)).subjects == {"a": "7", "b": "7"}
    assert read_dataset(dataset(tmp_path / "without")).subjects == {"a": "a", "b": "b"}


def test_the_table_may_say_which_cases_are_for_the_test(tmp_path):
    table = "case,subject,split\na,7,training\nb,8,test\n"
    found = read_dataset(dataset(tmp_path, table=table))

    assert found.test == {"b"}
    split = split_by_subject(SUBJECTS, 0.2, test=["case00", "case01"])
    assert split.held_out == ("case00", "case01") and len(split.training) == 38
    validation = split_by_subject(SUBJECTS, 0.2, test=["case00", "case01"], validation=True)
    assert set(validation.training) | set(validation.held_out) == set(split.training)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": ("a",)}, "b.nrrd: has no label of the same name"),
        ({"images": ("a",)}, "b.nrrd: has no image of the same name"),
        ({"table": "case,subject\na,1\n"}, "has no row for b"),
        ({"table": "case,subject,split\na,1,train\nb,2,test\n"}, "has the splits test, train; write training or test"),
        ({"table": "case,subject,split\na,1,test\nb,2,test\n"}, "has the splits test; write training or test"),
        ({"table": "case,subject,split\na,1,training\nb,1,test\n"}, "has subject 1 in both splits"),
        ({"table": "name,subject\na,1\n"}, "has the columns name, subject"),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_dataset(dataset(tmp_path, **content))
