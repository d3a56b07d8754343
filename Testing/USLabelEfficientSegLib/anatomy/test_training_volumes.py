import numpy as np
import pytest
import torch

from USLabelEfficientSegLib.anatomy.kept import InMemory
from USLabelEfficientSegLib.anatomy.training_volumes import Proposal, prepare_volume
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.imaging.simulator import simulate_volume

ORGANS = ("solid", "fluid")


@pytest.fixture(scope="module")
def case():
    return simulate_volume(0, shape=(40, 36, 20), spacing=(2.0, 2.2, 4.0))


def sparse(case, *slices):
    return SparseLabels(case.label_map.voxels, case.label_map.geometry, ORGANS).keep_slices(2, slices)


def test_networks_see_the_working_grid_with_intensities_of_either_kind(case):
    volume = prepare_volume(case.volume, None, 20)

    assert volume.shape == volume.sector.shape == volume.grey.shape == (20, 20, 20)
    assert volume.spacing == pytest.approx((4.0, 3.96, 4.0))
    assert volume.image.shape == (2, 20, 20, 20) and volume.image.dtype == torch.float16
    assert volume.inputs.shape == (5, 20, 20, 20) and volume.inputs.dtype == torch.float32
    assert float(volume.grey.min()) == 0 and float(volume.grey.max()) == 1
    assert volume.labels is None and volume.known is None


def test_a_volume_coarser_than_the_limit_keeps_its_own_grid(case):
    volume = prepare_volume(case.volume, sparse(case, 9), 64)

    assert volume.shape == case.volume.geometry.shape
    assert volume.spacing == pytest.approx(case.volume.geometry.spacing)
    assert volume.labels is not None and volume.labels.weight.sum() == 40 * 36


def test_outside_the_sector_the_teacher_sees_black_and_the_student_zero(case):
    volume = prepare_volume(case.volume, None, 36)

    assert 0.05 < float((~volume.sector).float().mean()) < 0.95
    assert float(volume.grey[~volume.sector].abs().max()) == 0
    assert float(volume.image[:, ~volume.sector].abs().max()) == 0


def test_gain_and_offset_of_the_scan_do_not_change_what_networks_see(case):
    brighter = Scan(case.volume.voxels.astype(np.float32) * 3.7 + 20, case.volume.geometry, case.volume.name)

    one, other = prepare_volume(case.volume, None, 32), prepare_volume(brighter, None, 32)

    assert torch.equal(one.sector, other.sector)
    torch.testing.assert_close(one.grey, other.grey, atol=1e-4, rtol=0)
    torch.testing.assert_close(one.image, other.image, atol=1e-2, rtol=0)


def test_known_voxels_are_those_that_are_labelled_all_through(case):
    native = prepare_volume(case.volume, sparse(case, 9, 10), 64)
    assert native.known is not None
    known, values = native.known
    assert torch.equal(known.any(dim=0).any(dim=0).nonzero().flatten(), torch.tensor([9, 10]))
    expected = torch.from_numpy(case.label_map.voxels[:, :, 9:11] == 1)
    assert torch.equal(values[1][:, :, 9:11].bool(), expected)

    halved = prepare_volume(
        Scan(case.volume.voxels, Geometry((40, 36, 20), (1.0, 1.0, 1.0), (0, 0, 0), np.eye(3)), "thin"),
        SparseLabels(
            case.label_map.voxels, Geometry((40, 36, 20), (1.0, 1.0, 1.0), (0, 0, 0), np.eye(3)), ORGANS
        ).keep_slices(2, [10]),
        20,
    )
    assert halved.shape == (20, 18, 10)
    assert halved.known is not None and halved.labels is not None
    assert not bool(halved.known[0].any())  # the slice fills only half of its voxels
    assert float(halved.labels.weight.max()) == pytest.approx(0.5)


def test_pseudo_labels_never_override_true_labels(case):
    volume = prepare_volume(case.volume, sparse(case, 9), 64)
    assert volume.labels is not None
    wrong = 1 - volume.labels.probability

    taught = volume.taught(InMemory(Proposal(wrong, torch.ones(volume.shape))), None)

    assert taught.pseudo is not None
    labelled = volume.labels.weight > 0
    assert float(taught.pseudo.weight[labelled].max()) == 0
    assert float(taught.pseudo.weighted[:, labelled].abs().max()) == 0
    assert taught.labels is volume.labels
    inside_elsewhere = volume.sector & ~labelled
    assert bool((taught.pseudo.weight[inside_elsewhere] == 1).all())
    torch.testing.assert_close(taught.pseudo.probability[:, inside_elsewhere], wrong[:, inside_elsewhere])


def test_a_partly_labelled_voxel_is_shared_between_label_and_pseudo_label(case):
    geometry = Geometry((40, 36, 20), (1.0, 1.0, 1.0), (0, 0, 0), np.eye(3))
    labels = SparseLabels(case.label_map.voxels, geometry, ORGANS).keep_slices(2, [10])
    volume = prepare_volume(Scan(case.volume.voxels, geometry, "thin"), labels, 20)

    taught = volume.taught(InMemory(Proposal(torch.ones(3, *volume.shape) / 3, torch.full(volume.shape, 0.8))), None)

    assert taught.pseudo is not None and volume.labels is not None
    both = (taught.pseudo.weight + 0.8 * volume.labels.weight)[volume.sector]
    torch.testing.assert_close(both, torch.full_like(both, 0.8))


def test_nothing_is_taught_outside_the_sector(case):
    volume = prepare_volume(case.volume, None, 36)

    taught = volume.taught(InMemory(Proposal(torch.ones(3, *volume.shape) / 3, torch.ones(volume.shape))), None)

    assert taught.pseudo is not None
    assert torch.equal(taught.pseudo.weight, volume.sector.float())
    assert taught.name == volume.name and taught.image is volume.image


def test_pseudo_labels_can_be_trusted_equally_whatever_their_uncertainty(case):
    volume = prepare_volume(case.volume, sparse(case, 9), 64)
    weight = torch.rand(volume.shape, generator=torch.Generator().manual_seed(0)).clamp_min(0.1)
    taught = volume.taught(InMemory(Proposal(torch.full((3, *volume.shape), 1 / 3), weight)), None)

    equal = taught.equally_trusted()

    assert equal.pseudo is not None and taught.pseudo is not None
    assert torch.equal(equal.pseudo.weight, (taught.pseudo.weight > 0).float())
    torch.testing.assert_close(equal.pseudo.probability, taught.pseudo.probability)
    assert volume.equally_trusted() is volume
