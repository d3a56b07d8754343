"""Learning rates as pure functions of the step, so that a resumed run continues exactly where it was."""

import math


def step_decay(step: int, steps: int, base: float) -> float:
    """`base`, a tenth of it from 70 % and a hundredth from 90 % of the steps on (the CDKD paper)."""
    return base * 0.1 ** ((step >= 0.7 * steps) + (step >= 0.9 * steps))


def warmup_cosine(step: int, steps: int, base: float, *, warmup: int, final: float = 0.0) -> float:
    """Linear from 0 to `base` in `warmup` steps, then a half cosine to `final` (DINO, arXiv 2104.14294)."""
    if step < warmup:
        return base * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return final + 0.5 * (base - final) * (1.0 + math.cos(math.pi * progress))


def polynomial_decay(step: int, steps: int, base: float, power: float = 0.9) -> float:
    """`base (1 - step / steps)^power`, the schedule of the IDL paper (arXiv 2509.06495)."""
    return base * (1 - step / steps) ** power


def ramp_up(step: float, steps: float) -> float:
    """`exp(-5 (1 - t)^2)`, t from 0 to 1 in `steps` steps: the weight of a loss that needs half-trained networks."""
    progress = min(1.0, step / max(1, steps))
    return math.exp(-5 * (1 - progress) ** 2)
