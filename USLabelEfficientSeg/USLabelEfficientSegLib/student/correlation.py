"""Correlation distillation: the student's features become alike where the frozen teacher's are alike.

CDKD (doi 10.1016/j.ultrasmedbio.2025.12.014). The loss has the form of STEGO's correspondence distillation
(arXiv 2203.08414). Both feature maps are sampled at the same random positions of each slice and normalised
over channels; with t, s the samples of teacher and student at the positions q of slice n and r of a partner
slice n',

    F[n, q, r] = <t[n, q], t[n', r]>,          S[n, q, r] = <s[n, q], s[n', r]>,
    F' = F - mean_r F,                         F'' = F' - mean F' + mean F,
    loss = mean( -clamp(S, 0, 0.8) * (F'' - 0.1) ).

The partner is the slice itself, or another one.
"""

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

SIDE = 16
SHIFT = 0.1
CLAMP = 0.8


def random_positions(slices: int, generator: torch.Generator, side: int = SIDE) -> Tensor:
    """Positions (N, side, side, 2), drawn for each slice: x and y uniform in [-1, 1]."""
    return 2 * torch.rand(slices, side, side, 2, generator=generator, device=generator.device) - 1


def sample_features(features: Tensor, positions: Tensor) -> Tensor:
    """Bilinear samples of feature maps.

    Args:
        features: (N, C, H, W).
        positions: (N, P, Q, 2), x and y; -1 and 1 are the centres of the outermost pixels.

    Returns:
        (N, C, Q, P): the sample at [n, :, q, p] is taken at positions[n, p, q].
    """
    return functional.grid_sample(features, positions.transpose(1, 2), padding_mode="border", align_corners=True)


def correlation_distillation(
    teacher: Tensor,
    student: Tensor,
    positions: Tensor,
    permutation: Tensor,
    *,
    chunk: int = 8,
) -> tuple[Tensor, Tensor]:
    """Losses within every slice and between every slice and its partner under `permutation`.

    Args:
        teacher: frozen features (N, C, H, W); no gradient flows into them.
        student: features (N, C', H', W') of the same slices.
        positions: (N, P, Q, 2), see `random_positions`.
        permutation: (N,) indices of the partner slices.
        chunk: slices whose P Q x P Q correlations are held at a time, forwards and backwards.

    Returns:
        loss_self, loss_permuted: scalars.

    Raises:
        ValueError: if the two networks' features are not of the same number of slices.
    """
    if len(teacher) != len(student):
        raise ValueError(f"features of {len(teacher)} slices from the teacher, of {len(student)} from the student")
    # The differences of similarities that matter are lost in half precision.
    with torch.autocast(student.device.type, enabled=False):
        t = _unit_vectors(teacher.detach().float(), positions)
        s = _unit_vectors(student.float(), positions)
        loss_self = correlation_loss(t, t, s, s, chunk=chunk)
        loss_permuted = correlation_loss(t, t[permutation], s, s[permutation], chunk=chunk)
    return loss_self, loss_permuted


def correlation_loss(
    teacher: Tensor,
    teacher_partner: Tensor,
    student: Tensor,
    student_partner: Tensor,
    *,
    chunk: int = 8,
) -> Tensor:
    """Correlation loss of unit vectors (N, C, Q) against those of the partner slices (N, C, R): a scalar.

    F is bilinear in the samples, so centring it needs no N x Q x R array: F' is the correlation with the
    centred partner, its mean vanishes, and mean F averages the correlations of the mean vectors over slices.
    """
    mean_correlation = (teacher.mean(2) * teacher_partner.mean(2)).sum(1).mean()
    centred_partner = teacher_partner - teacher_partner.mean(2, keepdim=True)

    def summed_loss(t: Tensor, t_partner: Tensor, s: Tensor, s_partner: Tensor) -> Tensor:
        f = torch.einsum("ncq,ncr->nqr", t, t_partner) + mean_correlation
        c = torch.einsum("ncq,ncr->nqr", s, s_partner)
        return (-c.clamp(0, CLAMP) * (f - SHIFT)).sum()

    total = student.new_zeros(())
    parts = (torch.split(x, chunk) for x in (teacher, centred_partner, student, student_partner))
    for part in zip(*parts, strict=True):
        # Recomputed in the backward pass: only one chunk's correlations exist at any time.
        total = total + checkpoint(summed_loss, *part, use_reentrant=False)
    return total / (len(teacher) * teacher.shape[2] * teacher_partner.shape[2])


def _unit_vectors(features: Tensor, positions: Tensor) -> Tensor:
    return functional.normalize(sample_features(features, positions).flatten(2), dim=1, eps=1e-10)
