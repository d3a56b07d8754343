import pytest

from USLabelEfficientSegLib.study.provenance import flat_settings
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.settings_used import settings_used


def sections(names):
    return {name.split(".")[0] for name in names if "." in name}


def test_settings_of_the_other_method_are_not_among_those_used():
    settings = Settings()

    used = settings_used(settings, 3)

    # Of 100 settings 27 are of the information divergence, which was not used, and no time was given.
    assert len(flat_settings(settings)) == 100 and len(used) == 72
    assert "divergence" not in sections(used) and used["student.steps"] == str(settings.student.steps)


@pytest.mark.parametrize(("partner", "transformer"), [("average", False), ("swin-unet", True)])
def test_information_divergence_has_its_own_settings_and_no_vision_transformer(partner, transformer):
    settings = changed(Settings(), {"method": "information-divergence", "divergence.partner": partner})

    used = settings_used(settings, 3)

    assert not {"teacher", "slice_head"} & sections(used) and {"divergence", "student"} <= sections(used)
    assert ("divergence.transformer_width" in used) is transformer
    assert "divergence.slice_steps" in used and "divergence.steps" not in used
    assert "student.correlation_weight" not in used  # features of the vision transformer are needed for it


def test_2d_networks_that_decide_alone_have_their_own_settings_and_none_of_students():
    used = settings_used(Settings(), 3, students=False)

    assert sections(used) == {"working_grid", "slice_network", "segmentation"}
    assert used["slice_network.steps"] == str(Settings().slice_network.steps)


def test_without_2d_networks_their_settings_do_not_count():
    assert "slice_network" not in sections(settings_used(changed(Settings(), {"slice_network.steps": 0}), 3))


def test_2d_images_have_no_settings_of_volumes():
    used = settings_used(changed(Settings(), {"method": "information-divergence"}), 2)

    assert sections(used) == {"divergence"} and {"preset", "seed", "method", "divergence.steps"} <= set(used)
    assert "divergence.slice_steps" not in used
