"""The methods of a benchmark by name: ours, ours without one of its parts, published settings, and the rivals."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .peers.catalogue import PEERS

OURS = "ours"
NNUNET = "nnunet"


@dataclass(frozen=True)
class Variant:
    """Our pipeline with changed settings: its title in tables, the changes by dotted name, and their meaning."""

    title: str
    changes: Mapping[str, Any]
    note: str


VARIANTS = {
    OURS: Variant("Ours", {}, "The preset as it is."),
    "ours-no-pretraining": Variant(
        "Ours, no pretraining", {"teacher.steps": 1, "teacher.weights": None}, "The teacher keeps random weights."
    ),
    "ours-one-axis": Variant(
        "Ours, one axis", {"teacher.axes": "slice"}, "The teacher sees slices of the slice axis alone."
    ),
    "ours-no-refinement": Variant(
        "Ours, no refinement",
        {"pseudo_labels.smoothness": 1e-6},
        "The teacher's slice predictions are not smoothed in 3-D.",
    ),
    "ours-no-uncertainty": Variant(
        "Ours, no uncertainty weights", {"student.uncertainty_weights": False}, "All pseudo-labels count alike."
    ),
    "ours-no-distillation": Variant(
        "Ours, no distillation", {"student.correlation_weight": 0.0}, "No correlation distillation."
    ),
    "ours-no-slice-networks": Variant(
        "Ours, no 2-D networks", {"slice_network.steps": 0}, "The 3-D students and the location prior are the model."
    ),
    "ours-no-location": Variant("Ours, no location prior", {"location_prior": False}, "2-D networks are the model."),
    "ours-no-prior-vote": Variant(
        "Ours, no vote of the prior",
        {"segmentation.prior_votes": False},
        "Students start from the location prior, but it has no vote of its own.",
    ),
    "ours-no-alignment": Variant(
        "Ours, no alignment", {"alignment": False}, "Positions are those in the image, volumes are not lined up."
    ),
    "ours-no-scaling": Variant(
        "Ours, no scaling", {"probability_scaling": False}, "Probabilities are the students' own."
    ),
    "ours-one-round": Variant(
        "Ours, one round", {"student.rounds": 1}, "The student learns from the teacher's pseudo-labels alone."
    ),
    "ours-no-student-of-labels": Variant(
        "Ours, distilled students alone", {"student.label_steps": 0}, "There are no supervised students."
    ),
    "ours-divergence": Variant(
        "Ours, taught by IDL",
        {"method": "information-divergence", "slice_network.steps": 0},
        "The pair of networks of IDL (arXiv 2509.06495) teaches the 3-D student in place of the ViT; no 2-D networks "
        "vote.",
    ),
    "cdkd": Variant(
        "CDKD, published settings",
        {
            "location_prior": False,
            "probability_scaling": False,
            "teacher.objective": "dino",
            "teacher.axes": "slice",
            "pseudo_labels.views": 20,
            "pseudo_labels.rotation_degrees": 45.0,
            "pseudo_labels.shift": 0.1,
            "slice_network.steps": 0,
            "student.network": "published",
            "student.rounds": 1,
            "student.members": 1,
            "student.label_steps": 0,
            "student.learning_rate": 1e-4,
            "student.weight_decay": 1e-4,
            "student.teacher_label_weight": 1.0,
            "student.correlation_weight": 1.0,
        },
        "Zhang et al., Ultrasound in Medicine & Biology 2026, doi 10.1016/j.ultrasmedbio.2025.12.014. Objective, "
        "views, network and losses as published; sizes and numbers of steps are those of the preset, so that only the "
        "preset `full` is faithful.",
    ),
}


ABLATION = (OURS, *(name for name in VARIANTS if name.startswith(("ours-no-", "ours-one-"))))


def check_methods(names: Sequence[str]) -> None:
    """Raise `InputError` for a method that does not exist."""
    for name in names:
        if name not in method_names():
            raise InputError(f"method {name}", "does not exist", f"choose among {', '.join(method_names())}")


def method_names() -> list[str]:
    """All methods."""
    return [*VARIANTS, *PEERS, NNUNET]


def title_of(name: str) -> str:
    """The title of a method in tables and figures."""
    if name == NNUNET:
        return "nnU-Net v2, ignore label"
    return VARIANTS[name].title if name in VARIANTS else PEERS[name].title


def description_of(name: str) -> str:
    """Its paper, and whether it is faithful or simplified."""
    if name == NNUNET:
        return (
            "Isensee et al., Nature Methods 2021, as published, trained by its own package on the labelled volumes; "
            "its budget is its own."
        )
    if name in VARIANTS:
        return VARIANTS[name].note
    return " ".join((inspect.getdoc(PEERS[name].make) or "").split())


def uses_all_labels(name: str) -> bool:
    """Whether the method is given every label, whatever the label fraction: the ceiling."""
    return name in PEERS and PEERS[name].dense
