import itertools

import pytest
import torch

from USLabelEfficientSegLib.student.network import UNetStudent, halvings


def small_student(spacing=(1.0, 1.0, 1.0)):
    torch.manual_seed(0)
    return UNetStudent(5, 3, spacing, widths=(4, 8, 8)).eval()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.4, 0.5, 2.0)])
@pytest.mark.parametrize("shape", [(16, 16, 16), (9, 10, 7), (5, 33, 2), (5, 4, 4), (17, 24, 31)])
def test_any_size_of_volume_gives_logits_of_the_same_size(shape, spacing):
    volume = torch.randn(1, 5, *shape)
    student = small_student(spacing)
    with torch.no_grad():
        logits, features = student.forward_with_features(volume)
        assert torch.equal(student(volume), logits)

    assert logits.shape == (1, 3, *shape)
    assert features.shape[:2] == (1, 8)
    assert bool(logits.isfinite().all())


@pytest.mark.parametrize(("widths", "seen"), [((8, 16), 24), ((16, 8), 24), ((8, 8), 16), ((4, 8, 16), 8)])
def test_any_widths_from_two_on_give_logits_and_features_that_learn(widths, seen):
    student = UNetStudent(5, 3, (1.0, 1.0, 1.0), widths).train()

    logits, features = student.forward_with_features(torch.randn(1, 5, 16, 16, 16))
    (logits.square().mean() + features.square().mean()).backward()

    assert logits.shape == (1, 3, 16, 16, 16)
    assert features.shape == (1, seen, 8, 8, 8)
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in student.parameters())


def test_an_isotropic_volume_is_halved_along_every_axis():
    assert halvings((1.0, 1.0, 1.0), 3) == [(2, 2, 2)] * 3


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_a_coarse_axis_is_halved_only_once_the_others_have_caught_up(axes):
    spacing = [(0.2, 0.2, 2.0)[axis] for axis in axes]

    plan = halvings(spacing, 6)

    product = [s * torch.tensor(steps).prod().item() for s, steps in zip(spacing, zip(*plan, strict=True), strict=True)]
    assert max(product) < 2 * min(product)  # nearly isotropic in the end
    assert [plan[0][axes.index(axis)] for axis in range(3)] == [2, 2, 1]
    assert [plan[-1][axis] for axis in range(3)] == [2, 2, 2]


def test_halving_never_makes_a_grid_more_anisotropic_than_it_was_or_than_1_5():
    for spacing in [(1.0, 1.4, 1.0), (1.0, 1.6, 3.1), (0.2, 2.0, 0.5)]:
        current = list(spacing)
        for steps in halvings(spacing, 4):
            before = max(current) / min(current)
            current = [s * f for s, f in zip(current, steps, strict=True)]
            assert max(current) / min(current) <= max(before, 2.0)


def test_logits_lie_where_their_voxels_are():
    """A student that has learnt to pass its input on finds a ball where it is, without half a voxel of shift."""
    torch.manual_seed(0)
    student = UNetStudent(4, 2, (1.0, 1.0, 1.0), widths=(8, 16, 16))
    optimizer = torch.optim.Adam(student.parameters(), 1e-2)
    axes = torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij")

    def ball(centre):
        distance = sum((axis - c) ** 2 for axis, c in zip(axes, centre, strict=True)).sqrt()
        return (4.5 - distance + 0.5).clamp(0, 1)

    def seen(image):
        return student(torch.cat([image[None, None], torch.zeros(1, 3, 16, 16, 16)], dim=1))[0, 1]

    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        target = ball((5 + 5 * torch.rand(3, generator=generator)).tolist())
        loss = torch.nn.functional.binary_cross_entropy_with_logits(seen(target), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    centres = [(5.0, 7.0, 8.0), (8.0, 6.0, 6.5), (7.3, 9.1, 6.2), (9.0, 9.0, 5.5)]
    errors = []
    with torch.no_grad():
        for centre in centres:
            found = seen(ball(centre)).sigmoid()
            found = found * (found > 0.1)
            errors.append([float((axis * found).sum() / found.sum()) - c for axis, c in zip(axes, centre, strict=True)])
    assert float(torch.tensor(errors).mean(dim=0).abs().max()) < 0.2


def test_the_location_prior_is_added_to_what_the_network_sees():
    student, volume = small_student(), torch.randn(1, 5, 8, 6, 7)
    with torch.no_grad():
        seen = student(volume)
        student.prior.coefficients[1, :2] = torch.tensor([0.5, 2.0])

        added = student(volume) - seen

    torch.testing.assert_close(added[:, 2], (0.5 + 2 * volume[:, -3]).clamp(-10, 10))
    assert float(added[:, :2].abs().max()) == 0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.4, 0.5, 2.0)])
def test_the_coarsest_level_sees_the_whole_volume(spacing):
    """A change in one corner reaches the opposite one."""
    student, volume = small_student(spacing), torch.randn(1, 5, 24, 24, 24)
    other = volume.clone()
    other[..., 0, 0, 0] += 1

    with torch.no_grad():
        change = (student(volume) - student(other))[0].abs().amax(dim=0)

    assert float(change[-1, -1, -1]) > 0


def test_every_parameter_learns():
    student = small_student().train()
    logits, features = student.forward_with_features(torch.randn(1, 5, 16, 16, 16))
    (logits.square().mean() + features.square().mean()).backward()

    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in student.parameters())
