from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from scipy.sparse.linalg import spsolve
from torch import Tensor

from USLabelEfficientSegLib.pseudolabels.refinement import axis_smoothness, objective, refine

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def published_stack() -> tuple[Tensor, Tensor, np.lib.npyio.NpzFile]:
    arrays = np.load(FIXTURES / "pseudo_label_refinement.npz")
    mean = torch.from_numpy(arrays["mean"])[None]
    return mean, (1 - torch.from_numpy(arrays["std"])).clamp(0, 1), arrays


def random_problem(shape: tuple[int, int, int], classes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(classes, *shape, generator=generator).mul(2).softmax(dim=0)
    return mean, 0.5 + 0.5 * torch.rand(shape, generator=generator)


def matrix(weight: np.ndarray, smoothness: Sequence[float]) -> sparse.csr_matrix:
    """The same equations assembled independently: the Hessian of the objective times N / 2."""
    system = sparse.diags(1000.0 * weight.ravel())
    for axis, strength in enumerate(smoothness):
        factors = [sparse.identity(n) for n in weight.shape]
        n = weight.shape[axis]
        factors[axis] = sparse.diags([-np.ones(n - 1), np.ones(n - 1)], [0, 1], shape=(n - 1, n))
        difference = sparse.kron(sparse.kron(factors[0], factors[1]), factors[2])
        system = system + strength * n / (n - 1) * difference.T @ difference
    return system.tocsr()


def test_objective_matches_the_published_code() -> None:
    mean, weight, arrays = published_stack()
    assert objective(mean, mean, weight) == pytest.approx(float(arrays["objective_start"]), rel=1e-5)


def test_refinement_is_at_least_as_good_as_the_published_steps() -> None:
    mean, weight, arrays = published_stack()
    assert objective(refine(mean, weight), mean, weight) <= float(arrays["objective_reference"])


@pytest.mark.parametrize("smoothness", [100.0, (100.0, 30.0, 7.0)])
def test_solution_is_that_of_a_direct_solver(smoothness: float | tuple[float, ...]) -> None:
    mean, weight = random_problem((6, 7, 8))
    per_axis = smoothness if isinstance(smoothness, tuple) else (smoothness,) * 3
    w = weight.double().numpy()
    expected = spsolve(matrix(w, per_axis).tocsc(), (1000 * w * mean.double().numpy()).reshape(3, -1).T).T
    refined = refine(mean, weight, smoothness=smoothness, tolerance=1e-6)
    np.testing.assert_allclose(refined.reshape(3, -1).numpy(), expected, atol=1e-5)


def test_known_voxels_keep_their_values_and_guide_their_neighbours() -> None:
    mean, weight = random_problem((6, 7, 8))
    weight[3:] = 0
    known_mask = torch.zeros(6, 7, 8, dtype=torch.bool)
    known_mask[4] = True
    known_values = torch.zeros(3, 6, 7, 8)
    known_values[1] = 1
    refined = refine(mean, weight, known_mask, known_values, tolerance=1e-7)
    assert torch.equal(refined[:, 4], known_values[:, 4])

    w, known = weight.double().numpy(), known_mask.numpy().ravel()
    system = matrix(w, (100.0,) * 3)
    values = known_values.reshape(3, -1).double().numpy().T
    right = (1000 * w * mean.double().numpy()).reshape(3, -1).T
    free_rows = system[~known]
    expected = spsolve(free_rows[:, ~known].tocsc(), right[~known] - free_rows[:, known] @ values[known])
    np.testing.assert_allclose(refined.reshape(3, -1).T.numpy()[~known], expected, atol=1e-4)


def test_classes_keep_their_sum_even_before_convergence() -> None:
    mean, weight = random_problem((12, 10, 9))
    weight[:4] = 0
    coarse = refine(mean, weight, tolerance=0.05)
    assert (coarse - mean).abs().max() > 0.1
    torch.testing.assert_close(coarse.sum(dim=0), torch.ones(12, 10, 9), atol=2e-6, rtol=0)


def test_solution_stays_within_the_range_of_the_prior() -> None:
    mean, weight = random_problem((12, 10, 9))
    mean = (mean > 0.5).float()
    refined = refine(mean, weight)
    assert refined.min() >= -1e-5 and refined.max() <= 1 + 1e-5


def test_without_any_weight_each_class_is_its_mean() -> None:
    mean, _ = random_problem((4, 5, 6))
    refined = refine(mean, torch.zeros(4, 5, 6))
    expected = mean.mean(dim=(1, 2, 3), keepdim=True).expand_as(mean)
    torch.testing.assert_close(refined, expected)


def test_a_gap_without_weight_is_bridged_smoothly() -> None:
    mean = torch.zeros(1, 40, 12, 12)
    mean[:, 30:] = 1
    weight = torch.ones(40, 12, 12)
    weight[10:30] = 0
    profile = refine(mean, weight, tolerance=1e-6)[0, 9:31].mean(dim=(1, 2))
    slope = profile.diff()
    assert slope.min() > 0.9 * slope.max() > 0


def test_stacks_give_the_solution_of_the_whole_volume() -> None:
    mean, weight = random_problem((40, 8, 9))
    whole = refine(mean, weight, tolerance=1e-6)
    torch.testing.assert_close(refine(mean, weight, stack=11, tolerance=1e-6), whole, atol=5e-6, rtol=0)
    assert (refine(mean, weight, stack=11, overlap=0) - whole).abs().max() > 1e-3


def test_the_finest_axis_keeps_the_published_smoothness() -> None:
    assert axis_smoothness((0.5, 1.0, 2.0)) == pytest.approx((100.0, 25.0, 6.25))


def test_input_is_left_untouched() -> None:
    mean, weight = random_problem((4, 5, 6))
    copies = mean.clone(), weight.clone()
    refine(mean, weight)
    assert torch.equal(mean, copies[0]) and torch.equal(weight, copies[1])


def test_refuses_what_has_no_solution() -> None:
    mean, weight = random_problem((4, 5, 6))
    with pytest.raises(ValueError, match="together"):
        refine(mean, weight, known_mask=torch.ones(4, 5, 6, dtype=torch.bool))
    with pytest.raises(ValueError, match="must be \\(C, I, J, K\\)"):
        refine(mean, weight[1:])
    with pytest.raises(ValueError, match="negative"):
        refine(mean, weight - 1)
    with pytest.raises(ValueError, match="positive"):
        refine(mean, weight, smoothness=(1.0, 0.0, 1.0))
    with pytest.raises(RuntimeError, match="did not converge"):
        refine(mean, weight, tolerance=1e-6, max_iterations=1)
