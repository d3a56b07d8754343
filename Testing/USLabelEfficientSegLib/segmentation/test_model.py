import json
import os
import pickle
import tracemalloc
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from USLabelEfficientSegLib.anatomy.alignment import Template
from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.calibration.intervals import Calibration
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.segmentation.model import FORMAT, SegmentationModel, choose_device
from USLabelEfficientSegLib.segmentation.training_statistics import TrainingStatistics
from USLabelEfficientSegLib.student.build import StudentDesign, build_student
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint


def small_model(network="u-net", members=2):
    torch.manual_seed(0)
    design = StudentDesign(network=network, classes=3, spacing=(0.5, 1.0, 2.0), slice_axis=1, widths=(4, 8, 8))
    return SegmentationModel(
        tuple(build_student(design).eval() for _ in range(members)),
        design,
        ("Leber", "höhle"),
        64,
        32,
        0.25,
        (0, 2),
        {"images": {"a": "0" * 64}, "settings": {"seed": 3}},
    )


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    small_model().save(path)
    return path


@pytest.mark.parametrize("network", ["u-net", "published"])
def test_a_saved_model_is_the_same_model(tmp_path, network):
    model, path = small_model(network), tmp_path / "model.safetensors"
    model.save(path)

    loaded = SegmentationModel.load(path)

    for name in ("design", "organs", "max_voxels", "window", "overlap", "mirrored_axes", "provenance"):
        assert getattr(loaded, name) == getattr(model, name), name
    volume = torch.randn(1, 5, 16, 16, 16)
    with torch.no_grad():
        for original, copy in zip(model.networks, loaded.networks, strict=True):
            assert torch.equal(original(volume), copy.eval()(volume))
    assert not torch.equal(*[network.state_dict()[next(iter(network.state_dict()))] for network in loaded.networks])


def test_a_model_keeps_what_volumes_are_aligned_to(tmp_path):
    template = Template(torch.randn(3, 4, 4, 4), torch.rand(4, 4, 4))
    path = tmp_path / "model.safetensors"
    replace(small_model(), template=template).save(path)

    loaded = SegmentationModel.load(path).template

    assert loaded is not None
    assert torch.equal(loaded.edges, template.edges) and torch.equal(loaded.window, template.window)
    small_model().save(path)
    assert SegmentationModel.load(path).template is None


def test_a_model_keeps_its_location_prior_and_the_weights_of_the_votes(tmp_path):
    prior, path = LocationPrior(2), tmp_path / "model.safetensors"
    prior.coefficients.normal_()
    replace(small_model(), prior=prior, weights=(0.5, 0.25, 0.25)).save(path)

    loaded = SegmentationModel.load(path)

    assert loaded.prior is not None and torch.equal(loaded.prior.coefficients, prior.coefficients)
    assert loaded.weights == (0.5, 0.25, 0.25)
    small_model().save(path)
    assert SegmentationModel.load(path).prior is None and SegmentationModel.load(path).weights == ()


def test_in_a_model_of_an_earlier_version_all_networks_count_alike_and_no_prior_votes(saved):
    tensors, metadata = load_checkpoint(saved)
    earlier = {k: v for k, v in metadata["model"].items() if k != "weights"}
    save_checkpoint(saved, tensors, {"model": {**earlier, "format": 4}})

    loaded = SegmentationModel.load(saved)

    assert loaded.prior is None and loaded.weights == ()


def test_saving_replaces_a_model_at_once_and_leaves_nothing_else(saved):
    small_model(members=1).save(saved)

    assert len(SegmentationModel.load(saved).networks) == 1
    assert [path.name for path in saved.parent.iterdir()] == ["model.safetensors"]


def test_anyone_can_read_what_the_file_holds_without_this_program(saved):
    with safe_open(saved, framework="pt") as file:
        (text,) = file.metadata().values()
    description = json.loads(text)["model"]

    assert description["organs"] == ["Leber", "höhle"]
    assert description["provenance"]["settings"] == {"seed": 3}


def changed(saved, **changes):
    tensors, metadata = load_checkpoint(saved)
    metadata["model"] |= changes
    save_checkpoint(saved, tensors, metadata)


def test_a_model_of_a_newer_version_is_refused_by_name(saved):
    changed(saved, format=FORMAT + 1)

    with pytest.raises(InputError, match=r"newer version.*update the program"):
        SegmentationModel.load(saved)


def test_a_model_with_students_of_an_earlier_version_is_refused_by_name(saved):
    _, metadata = load_checkpoint(saved)
    changed(saved, format=3, design={**metadata["model"]["design"], "network": "residual"})

    with pytest.raises(InputError, match=r"earlier version.*train its study with --restart"):
        SegmentationModel.load(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "1"},
        {"design": None},
        {"design": {"network": "os.system"}},
        {"networks": 3},
        {"networks": "two"},
        {"organs": None},
        {"mirrored_axes": 1},
        {"window": "wide"},
        {"provenance": 5},
    ],
    ids=str,
)
def test_a_description_that_makes_no_sense_is_refused(saved, changes):
    changed(saved, **changes)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


def test_weights_of_another_network_are_refused(saved):
    changed(saved, design={**small_model().design.model_dump(mode="json"), "widths": [4, 8, 16]})

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_file_is_damaged(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])

    with pytest.raises(InputError, match="damaged"):
        SegmentationModel.load(saved)


def test_a_missing_file_and_weights_of_another_program_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        SegmentationModel.load(tmp_path / "none.safetensors")
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match="not written by this program"):
        SegmentationModel.load(tmp_path / "foreign.safetensors")


class Intruder:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("write", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_code_in_a_file_is_never_executed(tmp_path, write):
    trap, file = tmp_path / "trap", tmp_path / "model.safetensors"
    with file.open("wb") as stream:
        write({"model": Intruder(str(trap))}, stream)

    with pytest.raises(InputError, match="damaged"):
        SegmentationModel.load(file)
    assert not trap.exists()


def test_apples_graphics_card_is_taken_by_its_name_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)

    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("mps") == torch.device("mps")


def test_a_device_is_taken_as_asked_for_or_refused():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda")
    for name in ("gpu", "", "cpu:7", "cuda:99", "meta"):
        with pytest.raises(InputError, match="device"):
            choose_device(name)


def test_calibration_and_statistics_are_kept(tmp_path):
    statistics = TrainingStatistics(
        volumes_ml=((1.0, 2.0), (3.0, 4.0)),
        spacing_mm=((1.0, 1.0),) * 3,
        extent_mm=((50.0, 60.0),) * 3,
        feature_mean=(0.5,) * 10,
        feature_spread=(0.1,) * 10,
        thumbnail=(0.5,) * 216,
        feature_limit=4.0,
        max_voxels=64,
    )
    calibration = Calibration(factors={"volume": ((0.5, 2.0), None)}, method="a sentence.")
    model = replace(small_model(), calibration=calibration, statistics=statistics)

    model.save(tmp_path / "model.safetensors")

    loaded = SegmentationModel.load(tmp_path / "model.safetensors")
    assert (loaded.calibration, loaded.statistics) == (calibration, statistics)


def test_intervals_by_offsets_are_kept(tmp_path):
    calibration = Calibration(factors={"volume": (None, None)}, offsets=((-3.0, 4.0), None), method="a sentence.")
    replace(small_model(), calibration=calibration).save(tmp_path / "model.safetensors")

    assert SegmentationModel.load(tmp_path / "model.safetensors").calibration == calibration


def test_the_intervals_of_a_model_of_version_0_1_are_kept(saved):
    tensors, metadata = load_checkpoint(saved)
    calibration = {"factors": [[0.5, 2.0], None], "method": "a sentence."}
    former = {**metadata["model"], "format": 5, "calibration": calibration}
    save_checkpoint(saved, tensors, {**metadata, "model": former})

    loaded = SegmentationModel.load(saved).calibration

    assert loaded == Calibration(factors={"volume": ((0.5, 2.0), None)}, method="a sentence.")


def test_a_model_of_the_first_format_is_read_without_them(saved):
    tensors, metadata = load_checkpoint(saved)
    first = {**metadata["model"], "format": 1}
    del first["calibration"], first["statistics"]
    save_checkpoint(saved, tensors, {**metadata, "model": first})

    loaded = SegmentationModel.load(saved)

    assert loaded.calibration is None and loaded.statistics is None


@pytest.mark.parametrize(
    "changes",
    [
        {"networks": 10**9},
        {"networks": 0},
        {"networks": True},
        {"window": 10**6},
        {"max_voxels": 10**9},
        {"overlap": 1.0},
        {"overlap": -0.5},
        {"mirrored_axes": [5]},
        {"mirrored_axes": [0] * 1000},
        {"organs": ["a"]},
        {"organs": ["a", "a"]},
        {"weights": [1.0]},
        {"weights": [-1.0, 2.0]},
        {"weights": [0.0, 0.0]},
        {"scaling": {"slopes": [1.0], "offsets": [0.0]}},
        {"calibration": {"factors": [], "method": ""}},
        {"calibration": {"factors": {"volume": [None, None]}, "offsets": [[-1, 1]], "method": ""}},
    ],
    ids=str,
)
def test_numbers_that_no_model_has_are_refused(saved, changes):
    changed(saved, **changes)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


@pytest.mark.parametrize(
    "design",
    [
        {"classes": 2**40},
        {"widths": [2**30, 2**30]},
        {"widths": [4] * 10_000},
        {"widths": [4096] * 7},
        {"spacing": [0, 1, 1]},
        {"slice_axis": 7},
    ],
    ids=str,
)
def test_a_design_that_asks_for_more_than_the_file_holds_costs_nothing(saved, design):
    changed(saved, design={**small_model().design.model_dump(mode="json"), **design})

    tracemalloc.start()
    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(saved, bad):
    tensors, metadata = load_checkpoint(saved)
    next(iter(tensors.values())).view(-1)[0] = bad
    save_checkpoint(saved, tensors, metadata)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


def test_a_prior_of_other_organs_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    replace(small_model(), prior=LocationPrior(5)).save(path)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(path)


def test_a_template_that_fits_no_volume_is_refused_when_it_is_used():
    with pytest.raises(InputError, match="holds no template"):
        Template(torch.zeros(3, 4, 4, 4), torch.zeros(4, 4, 4)).frame_of(torch.rand(8, 8, 8))


def test_one_changed_bit_of_the_weights_is_refused(saved):
    data = bytearray(saved.read_bytes())
    data[-1000] ^= 4
    saved.write_bytes(data)

    with pytest.raises(InputError, match="is damaged: its checksum"):
        SegmentationModel.load(saved)


def test_a_model_keeps_its_orientation_and_earlier_ones_see_volumes_as_stored(tmp_path):
    path = tmp_path / "model.safetensors"
    replace(small_model(), orientation="anatomical").save(path)

    assert SegmentationModel.load(path).orientation == "anatomical"
    tensors, metadata = load_checkpoint(path)
    del metadata["model"]["orientation"]
    save_checkpoint(path, tensors, metadata)
    assert SegmentationModel.load(path).orientation == "as-stored"
