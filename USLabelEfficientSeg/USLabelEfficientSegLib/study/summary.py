"""What people and programs are told of a study: its volumes, labels and organs, and how far it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..disk.study_layout import MODEL_NAME
from .events import read_events
from .stages import Stage

if TYPE_CHECKING:
    from .study import Study


def training_of(study: Study) -> dict[str, Any] | None:
    """How far a study is trained, see `Study.training`."""
    events = read_events(study.events.path)
    running = study.is_training()
    if not running and (study.run_folder / MODEL_NAME).exists():
        return {"stage": Stage.FINISHED, "step": 1, "of": 1, "state": "finished"}
    if not events:
        return None
    last = {name: getattr(events[-1], name) for name in ("stage", "step", "of")}
    return {**last, "state": "running" if running else "stopped"}


def summary_of(study: Study) -> dict[str, Any]:
    """What a study holds, see `Study.summary`."""
    records = [case.labels for case in study.cases if case.labels is not None]
    return {
        "folder": str(study.folder),
        "created": study.created,
        "dimension": study.dimension,
        "slice_axis": study.slice_axis,
        "orientation": study.orientation,
        "volumes": len(study.cases),
        "labelled_volumes": len(records),
        "labelled_slices": sum(len(record.slices) for record in records),
        "label_fraction": study.label_fraction(),
        "label_seed": study.label_seed,
        "organs": {
            organ: {"labelled_slices": sum(record.organ_slices[index] for record in records)}
            for index, organ in enumerate(study.organs)
        },
        "cases": [
            {
                "name": case.name,
                "shape": list(case.image.shape),
                "spacing": list(case.image.spacing),
                "labelled_slices": [] if case.labels is None else [list(s) for s in case.labels.slices],
            }
            for case in study.cases
        ],
    }
