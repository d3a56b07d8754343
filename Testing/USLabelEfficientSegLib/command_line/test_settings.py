"""Settings are listed, and a mistyped one is answered with the nearest."""

import json

import pytest

from USLabelEfficientSegLib.study.setting_descriptions import described
from USLabelEfficientSegLib.study.settings import preset


def test_every_setting_is_listed_with_value_range_and_meaning(call):
    code, out, _ = call("settings", "standard", "--json")
    listed = {setting["name"]: setting for setting in json.loads(out)}

    assert code == 0
    assert listed["student.window"] == {
        "name": "student.window", "value": 96, "allowed": "16 to 512",
        "description": "largest side in voxels that it sees at once",
    }  # fmt: skip
    assert listed["student.learning_rate"]["allowed"] == "more than 0, at most 1"
    assert listed["student.steps"]["allowed"] == "1 to 10000000"
    assert listed["minutes"]["allowed"] == "0.2 to 100000"
    assert listed["pseudo_labels.fidelity"]["allowed"] == "more than 0, at most 1000000000"
    assert listed["seed"]["allowed"] == f"at least 0, less than {2**63}"
    assert listed["teacher.objective"]["allowed"] == "dino or masked"
    assert listed["alignment"]["allowed"] == "true or false"
    assert all(setting["description"] for setting in listed.values())

    def names(data, prefix=""):
        for name, value in data.items():
            yield from names(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]

    assert [*listed, "preset"] and set(listed) | {"preset"} == set(names(preset("quick").model_dump()))


def test_the_table_for_people_names_all_settings_whole_at_80_columns(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    code, out, _ = call("settings")

    assert code == 0 and all(setting.name in out for setting in described(preset("quick")))
    assert max(len(line) for line in out.splitlines()) <= 80


def test_help_of_training_tells_where_the_settings_are_listed(call):
    code, out, _ = call("train", "--help")

    assert code == 0 and "`uslabelseg settings`" in " ".join(out.split())


@pytest.mark.parametrize(
    ("mistyped", "nearest"),
    [("student.stepz", "student.steps"), ("studnt.steps", "student.steps"), ("learning_rate", "student.learning_rate")],
)
def test_a_mistyped_setting_is_answered_with_the_nearest(call, trained_study, mistyped, nearest):
    code, _, err = call("train", trained_study, "--set", f"{mistyped}=1")

    assert code == 2 and nearest.split(".")[1] in err and "`uslabelseg settings` lists all" in err
