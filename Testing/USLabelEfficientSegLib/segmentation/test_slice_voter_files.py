"""2-D networks that vote in a model of volumes, in the model's file."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from oblique_volumes import blocks

from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.errors import InputError
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.model_description import SliceVotersDescription
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter, SliceVoters
from USLabelEfficientSegLib.slice_network.network import SliceUNet
from USLabelEfficientSegLib.student.build import StudentDesign, build_student
from USLabelEfficientSegLib.training.checkpoint import load_checkpoint, save_checkpoint

CPU = torch.device("cpu")
WIDTHS = (4, 8)


def trained_model(students=1):
    torch.manual_seed(0)
    design = StudentDesign(network="u-net", classes=3, spacing=(0.5, 1.0, 2.0), slice_axis=1, widths=(4, 8, 8))
    voters = tuple(SliceVoter(SliceUNet(3, widths=WIDTHS).eval(), axis, 32 + axis) for axis in (2, 0))
    return SegmentationModel(
        tuple(build_student(design).eval() for _ in range(students)),
        design,
        ("a", "b"),
        16,
        16,
        0.25,
        (0,),
        slices=SliceVoters(voters, 32, WIDTHS),
    )


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    trained_model().save(path)
    return path


@pytest.mark.parametrize("students", [0, 1])
def test_a_saved_model_is_the_same_model(tmp_path, students):
    model, path = trained_model(students), tmp_path / "model.safetensors"
    model.save(path)

    loaded = SegmentationModel.load(path)

    assert loaded.slices is not None and model.slices is not None
    assert loaded.slices.description() == model.slices.description()
    assert [(voter.axis, voter.size) for voter in loaded.slices.voters] == [(2, 34), (0, 32)]
    assert loaded.digest() == model.digest()
    volume = blocks(Geometry((40, 33, 21), (0.5, 0.5, 0.5), (9.0, -4.0, 2.0), np.eye(3)))
    one, other = (predict(each, volume, CPU).probability for each in (model, loaded))
    assert one.shape == (3, 32, 26, 17)
    np.testing.assert_array_equal(one, other)


def test_slice_networks_are_part_of_what_makes_a_model(saved):
    model = trained_model()
    slices = model.slices
    assert slices is not None
    first, second = slices.voters
    other_weights = trained_model().slices
    assert other_weights is not None
    with torch.no_grad():
        next(other_weights.voters[1].network.parameters()).view(-1)[0] += 1e-3

    others = [
        None,
        replace(slices, voters=(first,)),
        replace(slices, voters=(first, replace(second, axis=1))),
        replace(slices, voters=(first, replace(second, size=40))),
        replace(slices, max_voxels=33),
        replace(slices, adaptation=0.5),
        other_weights,
    ]

    assert len({model.digest(), *(replace(model, slices=other).digest() for other in others)}) == 1 + len(others)


def test_a_model_without_slice_networks_keeps_the_digest_that_it_had():
    torch.manual_seed(0)
    design = StudentDesign(network="u-net", classes=3, spacing=(0.5, 1.0, 2.0), slice_axis=1, widths=(4, 8, 8))
    student = build_student(design)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.fill_(0.5)
    model = SegmentationModel((student,), design, ("a", "b"), 16, 16, 0.25, (0,))

    assert model.digest() == "4492ca67e8616f04286831b4288c7bcffa9292c57a888a88243ab9857e70e8f9"


def changed(saved, **changes):
    tensors, metadata = load_checkpoint(saved)
    metadata["model"]["slices"] |= changes
    save_checkpoint(saved, tensors, metadata)


def test_a_former_model_has_none(saved):
    replace(trained_model(), slices=None).save(saved)
    tensors, metadata = load_checkpoint(saved)
    del metadata["model"]["slices"]
    save_checkpoint(saved, tensors, {"model": {**metadata["model"], "format": 6}})

    assert SegmentationModel.load(saved).slices is None


def test_a_former_model_does_not_adapt_and_a_new_one_does_as_it_was_told(saved):
    model = trained_model()
    assert model.slices is not None
    replace(model, slices=replace(model.slices, adaptation=0.75)).save(saved)
    loaded = SegmentationModel.load(saved)
    assert loaded.slices is not None and loaded.slices.adaptation == 0.75
    volume = blocks(Geometry((40, 33, 21), (0.5, 0.5, 0.5), (9.0, -4.0, 2.0), np.eye(3)))
    own = predict(loaded, volume, CPU).probability
    tensors, metadata = load_checkpoint(saved)
    del metadata["model"]["slices"]["adaptation"]
    save_checkpoint(saved, tensors, {"model": {**metadata["model"], "format": 8}})
    former = SegmentationModel.load(saved)

    assert former.slices is not None and former.slices.adaptation == 0
    assert np.array_equal(predict(former, volume, CPU).probability, predict(model, volume, CPU).probability)
    assert not np.allclose(own, predict(model, volume, CPU).probability)


def test_the_share_in_where_organs_end_comes_back_and_makes_another_model(saved):
    model = trained_model()
    assert model.slices is not None
    along_one = replace(model, slices=replace(model.slices, voters=model.slices.voters[:1]))
    asking = replace(along_one, slices=replace(along_one.slices, ends=0.25))
    asking.save(saved)
    loaded = SegmentationModel.load(saved)

    assert loaded.slices is not None and loaded.slices.ends == 0.25
    assert loaded.digest() == asking.digest() != along_one.digest()
    volume = blocks(Geometry((40, 33, 21), (0.5, 0.5, 0.5), (9.0, -4.0, 2.0), np.eye(3)))
    one, other, without = (predict(each, volume, CPU).probability for each in (asking, loaded, along_one))
    assert np.array_equal(one, other)
    assert not np.allclose(one, without, atol=1e-3)


def test_a_model_in_which_nobody_is_asked_for_ends_is_described_as_before():
    slices = trained_model().slices
    assert slices is not None
    assert "ends" not in slices.description().model_dump(mode="json")
    assert SliceVotersDescription.model_validate(slices.description().model_dump(mode="json")).ends == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"voters": []},
        {"ends": 0.3},  # along which of two axes?
        {"ends": 1.5},
        {"adaptation": -0.1},
        {"adaptation": 1.5},
        {"adaptation": None},
        {"voters": None},
        {"voters": [{"axis": 3, "size": 32}, {"axis": 0, "size": 32}]},
        {"voters": [{"axis": True, "size": 32}, {"axis": 0, "size": 32}]},
        {"voters": [{"axis": 2, "size": 10**9}, {"axis": 0, "size": 32}]},
        {"voters": [{"axis": 2, "size": 0}, {"axis": 0, "size": 32}]},
        {"voters": [{"axis": 2}, {"axis": 0, "size": 32}]},
        {"voters": [{"axis": 2, "size": 32}] * 65},
        {"voters": [{"axis": 2, "size": 32}] * 3},
        {"max_voxels": 1},
        {"max_voxels": 10**9},
        {"max_voxels": "160"},
        {"widths": [4]},
        {"widths": [4, 16]},
        {"widths": [4, 8, 8]},
        {"widths": [2**30, 2**30]},
        {"widths": [4096] * 6},
        {"widths": [4] * 10_000},
        {"more": 1},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_description_of_networks_that_the_file_does_not_hold_is_refused_and_costs_nothing(saved, changes):
    changed(saved, **changes)

    tracemalloc.start()
    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(saved, bad):
    tensors, metadata = load_checkpoint(saved)
    next(tensor for name, tensor in tensors.items() if name.startswith("slices/1/")).view(-1)[0] = bad
    save_checkpoint(saved, tensors, metadata)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


def test_a_variance_that_is_negative_is_refused(saved):
    tensors, metadata = load_checkpoint(saved)
    next(tensor for name, tensor in tensors.items() if name.endswith("running_var"))[0] = -1.0
    save_checkpoint(saved, tensors, metadata)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


@pytest.mark.parametrize("missing", ["slices/0/", "slices/1/logits.bias"])
def test_weights_that_are_missing_are_refused(saved, missing):
    tensors, metadata = load_checkpoint(saved)
    save_checkpoint(saved, {k: v for k, v in tensors.items() if not k.startswith(missing)}, metadata)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


@pytest.mark.parametrize(("weights", "prior"), [((1.0,), False), ((1.0, 1.0), False), ((1.0,) * 3, True)])
def test_weights_of_another_number_of_votes_are_refused(saved, weights, prior):
    replace(trained_model(), weights=weights, prior=LocationPrior(2) if prior else None).save(saved)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)


def test_a_model_without_any_network_is_refused(saved):
    replace(trained_model(0), slices=None, prior=LocationPrior(2)).save(saved)

    with pytest.raises(InputError, match="not a segmentation model"):
        SegmentationModel.load(saved)
