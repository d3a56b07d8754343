"""The settings that shaped a run's result, without those of a method or network that was not used."""

from .provenance import flat_settings
from .settings import Settings

_OF_IMAGES = ("preset", "seed", "method", "divergence.")
_ONLY_OF_IMAGES = ("divergence.steps", "divergence.rounds")
_ONLY_OF_SLICES = ("divergence.slice_steps",)
_OF_DISTILLATION = ("teacher.", "slice_head.", "student.correlation_")
_OF_DIVERGENCE = ("divergence.",)
_OF_SLICE_NETWORKS = ("slice_network.",)
_OF_STUDENTS = ("teacher.", "slice_head.", "divergence.", "pseudo_labels.", "student.")
_OF_TRANSFORMER = ("divergence.transformer_",)


def settings_used(settings: Settings, dimension: int, students: bool = True) -> dict[str, str]:
    """The settings that count for a study of volumes (3) or of images (2), by their dotted names, as text.

    Args:
        settings: of the training.
        dimension: of the scans.
        students: whether the model of volumes has 3-D students.
    """
    by_divergence = settings.method == "information-divergence" or dimension == 2
    unused: tuple[str, ...] = _OF_DISTILLATION if by_divergence else _OF_DIVERGENCE
    unused += () if settings.minutes is not None else ("minutes",)
    unused += _ONLY_OF_IMAGES if dimension == 3 else _ONLY_OF_SLICES
    unused += () if students else _OF_STUDENTS
    unused += () if settings.slice_network.steps else _OF_SLICE_NETWORKS
    if settings.divergence.partner != "swin-unet":
        unused += _OF_TRANSFORMER
    return {
        name: f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in flat_settings(settings).items()
        if not name.startswith(unused) and (dimension == 3 or name.startswith(_OF_IMAGES))
    }
