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
