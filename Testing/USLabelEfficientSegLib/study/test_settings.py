import math

import pytest
from pydantic import BaseModel, ValidationError

from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.study.settings import Settings, changed, parse_settings, preset
from USLabelEfficientSegLib.training.schedules import step_decay, warmup_cosine


@pytest.mark.parametrize("name", ["quick", "standard", "full"])
def test_presets_survive_json(name: str) -> None:
    settings = preset(name)
    assert settings.preset == name
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_full_preset_follows_the_paper() -> None:
    full = preset("full")
    assert (full.teacher.architecture, full.teacher.patch_size, full.teacher.slice_size) == ("small", 8, 256)
    assert (full.slice_head.hidden, full.slice_head.learning_rate, full.slice_head.weight_decay) == (
        64,
        1e-4,
        1e-4,
    )
    labels = full.pseudo_labels
    assert (labels.views, labels.rotation_degrees, labels.shift) == (20, 45.0, 0.1)
    assert (labels.fidelity, labels.smoothness) == (1000.0, 100.0)
    assert full.student.network == "published"
    assert full.slice_network.steps == 0


def test_unknown_preset_is_refused() -> None:
    with pytest.raises(InputError, match="preset fast: does not exist; choose one of quick, standard, full"):
        preset("fast")


def test_changes_are_validated_and_leave_the_original() -> None:
    quick = preset("quick")
    short = changed(quick, {"student.steps": 3, "seed": 5})
    assert (short.student.steps, short.seed) == (3, 5)
    assert quick.student.steps != 3
    with pytest.raises(InputError, match=r"settings: 'student.steps' is wrong .*greater than or equal to 1"):
        changed(quick, {"student.steps": 0})
    with pytest.raises(InputError, match=r"'student.stepz' is wrong"):
        changed(quick, {"student.stepz": 3})
    with pytest.raises(InputError, match=r"setting students.steps: does not exist"):
        changed(quick, {"students.steps": 3})
    with pytest.raises(InputError, match=r"setting seed.x: does not exist"):
        changed(quick, {"seed.x": 3})
    with pytest.raises(InputError, match="no multiple of patch_size"):
        changed(quick, {"teacher.slice_size": 100})
    with pytest.raises(InputError, match="finite"):
        changed(quick, {"student.correlation_weight": float("nan")})


def test_stored_settings_with_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"run.json: 'colour' is wrong"):
        parse_settings("run.json", {**preset("quick").model_dump(), "colour": 1})


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        preset("quick").student.steps = 1


def test_every_setting_explains_itself() -> None:
    sections = [Settings(), *(v for v in dict(Settings()).values() if isinstance(v, BaseModel))]
    assert len(sections) == 9
    for section in sections:
        for name, field in type(section).model_fields.items():
            assert field.description or isinstance(getattr(section, name), BaseModel), name


def test_learning_rates_follow_their_definition() -> None:
    assert [step_decay(step, 10, 1.0) for step in (0, 6)] == [1.0, 1.0]
    assert step_decay(7, 10, 1.0) == pytest.approx(0.1)
    assert step_decay(9, 10, 1.0) == pytest.approx(0.01)
    rates = [warmup_cosine(step, 110, 2.0, warmup=10, final=0.5) for step in range(110)]
    assert rates[0] == pytest.approx(0.2) and rates[10] == 2.0 and rates[60] == pytest.approx(1.25)
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)
    assert 0.5 < rates[-1] < 0.501


def test_a_training_stored_without_2d_networks_has_none_and_keeps_its_record() -> None:
    stored = preset("quick").model_dump(mode="json")
    del stored["slice_network"]

    settings = parse_settings("run.json", stored)

    assert settings == changed(preset("quick"), {"slice_network.steps": 0})
    assert settings.model_dump(mode="json") == stored


@pytest.mark.parametrize(
    "later",
    [
        ["ends"],
        ["ends", "adaptation"],
        ["ends", "adaptation", "presence"],
        ["ends", "adaptation", "presence", "starter"],
    ],
)
def test_a_training_stored_before_2d_networks_had_all_they_have_goes_on_without(later: list[str]) -> None:
    stored = preset("quick").model_dump(mode="json")
    for name in later:
        del stored["slice_network"][name]
    settings = Settings.model_validate(stored)

    assert {name: getattr(settings.slice_network, name) for name in later} == {name: 0 for name in later}
    assert settings.model_dump(mode="json") == stored


@pytest.mark.parametrize("radians", [0.0, 0.013, 0.2, 0.3, 1.5])
def test_a_training_stored_with_radians_has_the_same_settings_in_degrees_and_the_same_record(radians: float) -> None:
    stored = preset("quick").model_dump(mode="json")
    stored["student"]["rotation"] = radians

    settings = parse_settings("run.json", stored)

    assert settings.student.rotation_degrees == pytest.approx(math.degrees(radians), abs=1e-12)
    assert settings.student.rotation_radians == radians
    assert settings.model_dump(mode="json") == stored


@pytest.mark.parametrize("degrees", [0, 7, 15, 30.5, 45, 180])
def test_rotations_in_degrees_are_the_same_after_their_file(degrees: float) -> None:
    settings = changed(preset("quick"), {"student.rotation_degrees": degrees})

    assert parse_settings("run.json", settings.model_dump(mode="json")).student.rotation_degrees == degrees


def test_the_former_name_of_a_setting_leads_to_its_present_one() -> None:
    with pytest.raises(InputError, match=r"'student.rotation' .* no such setting.*write student.rotation_degrees"):
        changed(preset("quick"), {"student.rotation": 0.3})
