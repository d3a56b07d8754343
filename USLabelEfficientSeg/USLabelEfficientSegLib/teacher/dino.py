"""DINO self-distillation: projection head, loss and schedules. Caron et al., arXiv 2104.14294."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .vit import initialise_linear


class DinoHead(nn.Module):
    """Three-layer MLP, L2-normalised bottleneck, weight-normalised linear layer of unit gain (appendix C)."""

    def __init__(self, in_dim: int, out_dim: int, hidden_dim: int = 2048, bottleneck_dim: int = 256) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(in_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, bottleneck_dim),
        )
        self.last_layer = nn.Linear(bottleneck_dim, out_dim, bias=False)
        self.apply(initialise_linear)

    def forward(self, features: Tensor) -> Tensor:
        """(B, in_dim) -> (B, out_dim) scores."""
        bottleneck = F.normalize(self.mlp(features), dim=-1)
        return F.linear(bottleneck, F.normalize(self.last_layer.weight, dim=-1))


class DinoLoss(nn.Module):
    """Cross-entropy between the sharpened, centred teacher and the student over different crops (eq. 2 to 4).

    `loss = mean over pairs i != j of -sum_c softmax((t_i - centre) / T_t) log softmax(s_j / T_s)`,
    after which `centre <- m centre + (1 - m) mean(t)`.
    """

    def __init__(self, out_dim: int, student_temperature: float = 0.1, center_momentum: float = 0.9) -> None:
        super().__init__()
        self.student_temperature = student_temperature
        self.center_momentum = center_momentum
        self.register_buffer("center", torch.zeros(out_dim))
        self.center: Tensor

    def forward(self, teacher: Tensor, student: Tensor, teacher_temperature: float) -> Tensor:
        """Loss of teacher (T, B, D) and student (S, B, D) outputs; the first T crops are the same in both."""
        target = F.softmax((teacher.detach() - self.center) / teacher_temperature, dim=-1)
        log_student = F.log_softmax(student / self.student_temperature, dim=-1)
        pairs = -torch.einsum("tbd,sbd->ts", target, log_student) / teacher.shape[1]
        same = torch.eye(*pairs.shape, dtype=torch.bool, device=pairs.device)
        loss = pairs.masked_fill(same, 0.0).sum() / (~same).sum()
        self.update_center(teacher)
        return loss

    @torch.no_grad()
    def update_center(self, teacher: Tensor) -> None:
        """Exponential moving average of the teacher's mean output (eq. 4)."""
        self.center.lerp_(teacher.mean(dim=(0, 1)), 1.0 - self.center_momentum)


def cosine_schedule(start: float, end: float, step: int, total: int) -> float:
    """Half a cosine from `start` (step 0) to `end` (step `total`)."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * min(step / total, 1.0)))


def teacher_momentum(step: int, total: int, start: float = 0.996) -> float:
    """Momentum of the teacher's moving average, rising to 1 (paper, section 3.1)."""
    return cosine_schedule(start, 1.0, step, total)


def teacher_temperature(step: int, total: int, start: float = 0.04, end: float = 0.07, warm_up: float = 0.3) -> float:
    """Linear rise over the first `warm_up` share of the steps, then constant."""
    return start + (end - start) * min(step / max(warm_up * total, 1.0), 1.0)
