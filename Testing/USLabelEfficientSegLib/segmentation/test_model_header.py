"""Who votes in a model is read from its file without the networks."""

import pytest

from USLabelEfficientSegLib.calibration.shares import Shares
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.segmentation.model_header import Voters, read_voters
from USLabelEfficientSegLib.training.checkpoint import save_checkpoint

SHARES = Shares(0.6, 12, (0.1, 0.5))


@pytest.fixture
def model(tmp_path):
    """Writes the description of a model into a file."""

    def write(**description):
        save_checkpoint(tmp_path / "model.safetensors", {}, {"model": description})
        return tmp_path / "model.safetensors"

    return write


def test_voters_are_students_and_what_2d_networks_weigh(model):
    settings = {"student": {"members": 2}}
    voters = read_voters(model(networks=3, provenance={"settings": settings, "votes": SHARES.record()}))

    assert voters == Voters(3, 2, SHARES) and voters.supervised


def test_a_model_of_before_has_students_alone(model):
    voters = read_voters(model(networks=1, provenance={}))

    assert voters == Voters(1, 1, None) and not voters.supervised


def test_a_model_of_images_has_no_such_voters(tmp_path):
    save_checkpoint(tmp_path / "model.safetensors", {}, {"image_model": {}})

    assert read_voters(tmp_path / "model.safetensors") is None


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"networks": 1},
        {"networks": "many", "provenance": {}},
        {"networks": 1, "provenance": {"votes": {}}},
        {"networks": 1, "provenance": {"votes": [0.6, 12]}},
        {"networks": 1, "provenance": []},
        {"networks": 1, "provenance": {"votes": {**SHARES.record(), "held_out_dice": [0.1, 0.5]}}},
    ],
)
def test_a_file_that_is_no_model_is_refused(model, description):
    with pytest.raises(InputError, match="is not a segmentation model"):
        read_voters(model(**description))
