"""Volumetric refinement of pseudo-labels, solved as a sparse linear least-squares problem.

CDKD (doi 10.1016/j.ultrasmedbio.2025.12.014) refines the slice-wise mean m, trusted with the weight
w = clip(1 - std, 0, 1), by minimising

    E(p) = f mean(w (p - m)^2) + sum_a s_a mean((d_a p)^2),      f = 1000, s_a = 100,

where d_a is the difference of neighbouring voxels along axis a. Multiplied by the number N of voxels, the
condition dE/dp = 0 reads

    (f diag(w) + sum_a s_a N / N_a d_a' d_a) p = f w m,          N_a pairs of neighbours along axis a,

one sparse symmetric positive matrix for all classes. Conjugate gradients with the matrix diagonal as
preconditioner solve it. The classes are solved jointly, with the same steps: probabilities that sum to 1 in m
sum to 1 in every iterate.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

FIDELITY = 1000.0
SMOOTHNESS = 100.0
PUBLISHED_STACK = 64
_LARGEST_WHOLE = 2**25  # values of one work array; the solver holds five of them


def axis_smoothness(spacing: Sequence[float], smoothness: float = SMOOTHNESS) -> tuple[float, ...]:
    """Smoothness of each axis so that equal gradients per millimetre cost the same along all axes.

    Args:
        spacing: voxel spacing of the axes in mm.
        smoothness: value for the axis of the finest spacing h; spacing g gets smoothness * (h / g)^2.
    """
    finest = min(spacing)
    return tuple(smoothness * (finest / step) ** 2 for step in spacing)


def objective(
    probability: Tensor,
    mean: Tensor,
    weight: Tensor,
    fidelity: float = FIDELITY,
    smoothness: float | Sequence[float] = SMOOTHNESS,
) -> float:
    """Value E(p) of the refinement objective, summed over classes.

    Args:
        probability: p, shape (C, I, J, K).
        mean: m, shape (C, I, J, K).
        weight: w, shape (I, J, K).
        fidelity: f.
        smoothness: s_a, one number or one per axis.
    """
    voxels = weight.numel()
    total = fidelity * float((weight * (probability - mean).square()).sum(dtype=torch.float64)) / voxels
    for axis, strength in enumerate(_per_axis(smoothness)):
        step = probability.diff(dim=axis + 1)
        if step.numel():
            total += strength * float(step.square().sum(dtype=torch.float64)) / step[0].numel()
    return total


def refine(
    mean: Tensor,
    weight: Tensor,
    known_mask: Tensor | None = None,
    known_values: Tensor | None = None,
    *,
    fidelity: float = FIDELITY,
    smoothness: float | Sequence[float] = SMOOTHNESS,
    stack: int | None = None,
    overlap: int = 8,
    tolerance: float = 1e-5,
    max_iterations: int = 2000,
) -> Tensor:
    """Probabilities p that minimise the refinement objective, on the device of `mean`.

    Where no voxel has a weight and none is known, every constant minimises the objective; the mean of each
    class, the constant nearest to `mean`, is returned.

    Args:
        mean: prior m, float (C, I, J, K).
        weight: trust w >= 0 in the prior, (I, J, K).
        known_mask: bool (I, J, K), voxels whose probabilities are known (true labels); p equals
            `known_values` there.
        known_values: probabilities (C, I, J, K), used where `known_mask` is True.
        fidelity: f.
        smoothness: s_a, one number or one per axis (see `axis_smoothness`).
        stack: slices of axis I that are solved at a time, which bounds the memory; `None` solves the whole
            volume when it is small and stacks of 64 slices, as published, otherwise.
        overlap: slices added on both sides of a stack and dropped from its solution. The influence of a slice
            fades by a factor of more than 6 per slice where w >= 0.5: eight make the cuts invisible in
            float32. Voxels of weight 0 farther than this from any weighted voxel are filled from within their
            own stack.
        tolerance: the solver stops when no voxel's Jacobi update exceeds this probability.
        max_iterations: bound on the iterations of one stack.

    Raises:
        ValueError: shapes that do not match, `known_mask` without `known_values`, a negative weight, or a
            smoothness, fidelity or stack that is not positive.
        RuntimeError: no convergence within `max_iterations`.
    """
    _check(mean, weight, known_mask, known_values, fidelity, smoothness)
    shape = weight.shape
    # The factor N / N_a is that of the whole volume, so that stacks solve the same equations as the whole.
    strengths = [s * n / max(n - 1, 1) for s, n in zip(_per_axis(smoothness), shape, strict=True)]
    thickness = stack
    if thickness is None:
        thickness = shape[0] if mean.numel() <= _LARGEST_WHOLE else PUBLISHED_STACK
    if thickness < 1 or overlap < 0:
        raise ValueError(f"stack must be positive and overlap not negative, got {stack} and {overlap}")

    refined = torch.empty_like(mean)
    for start in range(0, shape[0], thickness):
        stop = min(start + thickness, shape[0])
        low, high = max(start - overlap, 0), min(stop + overlap, shape[0])
        solution = _solve(
            mean[:, low:high],
            fidelity * weight[low:high],
            strengths,
            None if known_mask is None else known_mask[low:high],
            None if known_values is None else known_values[:, low:high],
            tolerance,
            max_iterations,
        )
        refined[:, start:stop] = solution[:, start - low : stop - low]
    return refined


def _solve(
    mean: Tensor,
    data: Tensor,
    strengths: Sequence[float],
    known_mask: Tensor | None,
    known_values: Tensor | None,
    tolerance: float,
    max_iterations: int,
) -> Tensor:
    """Preconditioned conjugate gradients for (diag(data) + sum_a strength_a d_a' d_a) p = data * mean."""
    solution, free = mean.clone(), None
    if known_mask is not None and known_values is not None:
        # A pinned voxel's residual is held at zero: no search direction ever moves it.
        solution, free = torch.where(known_mask, known_values, mean), ~known_mask
    if not bool(data.any()) and (free is None or bool(free.all())):
        return mean.mean(dim=(1, 2, 3), keepdim=True).expand_as(mean)

    diagonal = data + _neighbour_strength(data, strengths)
    residual = data * mean - _apply(solution, diagonal, strengths)
    if free is not None:
        residual *= free
    update = residual / diagonal
    direction = update.clone()
    slope = _dot(residual, update)
    for _ in range(max_iterations):
        if float(torch.linalg.vector_norm(update, ord=torch.inf)) <= tolerance:
            return solution
        image = _apply(direction, diagonal, strengths)
        if free is not None:
            image *= free
        step = slope / _dot(direction, image)
        solution.add_(direction, alpha=step)
        residual.sub_(image, alpha=step)
        torch.div(residual, diagonal, out=update)
        previous, slope = slope, _dot(residual, update)
        direction.mul_(slope / previous).add_(update)
    raise RuntimeError(f"refinement did not converge to {tolerance} within {max_iterations} iterations")


def _apply(values: Tensor, diagonal: Tensor, strengths: Sequence[float]) -> Tensor:
    """Matrix times values (C, I, J, K): the diagonal, and minus the strength for each neighbour."""
    product = diagonal * values
    for axis, strength in enumerate(strengths, start=1):
        pairs = values.shape[axis] - 1
        product.narrow(axis, 1, pairs).sub_(values.narrow(axis, 0, pairs), alpha=strength)
        product.narrow(axis, 0, pairs).sub_(values.narrow(axis, 1, pairs), alpha=strength)
    return product


def _neighbour_strength(like: Tensor, strengths: Sequence[float]) -> Tensor:
    """Sum of the strengths of a voxel's existing neighbours: the diagonal of sum_a strength_a d_a' d_a."""
    total = torch.zeros_like(like)
    for axis, strength in enumerate(strengths):
        pairs = like.shape[axis] - 1
        total.narrow(axis, 1, pairs).add_(strength)
        total.narrow(axis, 0, pairs).add_(strength)
    return total


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.dot(a.flatten(), b.flatten()))


def _per_axis(smoothness: float | Sequence[float]) -> list[float]:
    return list(smoothness) if isinstance(smoothness, Sequence) else [smoothness] * 3


def _check(
    mean: Tensor,
    weight: Tensor,
    known_mask: Tensor | None,
    known_values: Tensor | None,
    fidelity: float,
    smoothness: float | Sequence[float],
) -> None:
    if mean.ndim != 4 or mean.shape[1:] != weight.shape:
        shapes = f"got {tuple(mean.shape)} and {tuple(weight.shape)}"
        raise ValueError(f"mean must be (C, I, J, K) and weight (I, J, K), {shapes}")
    if (known_mask is None) != (known_values is None):
        raise ValueError("known_mask and known_values must be given together")
    if known_mask is not None and (known_mask.shape != weight.shape or known_mask.dtype != torch.bool):
        raise ValueError("known_mask must be bool and of the shape of weight")
    if known_values is not None and known_values.shape != mean.shape:
        raise ValueError("known_values must be of the shape of mean")
    strengths = _per_axis(smoothness)
    if len(strengths) != 3 or min(strengths) <= 0 or fidelity <= 0:
        raise ValueError(f"fidelity {fidelity} and smoothness {smoothness} of the three axes must be positive")
    if bool((weight < 0).any()):
        raise ValueError("weight must not be negative")
