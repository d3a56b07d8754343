"""The earlier model and teacher of a study, when it is trained again with other labels or with more volumes.

The finished model, whose students learn on, is set aside in the run folder under a name of its own, and so is the
teacher if volumes were added. Both files stay, with their checksums in `run.json` and in the new model, so that
everything made from them can be made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk.files import sha256_of, writing
from ..disk.in_use import remove_file, replace_file
from ..disk.study_layout import EARLIER_MODEL_NAME, EARLIER_TEACHER_NAME, MODEL_NAME, TEACHER_NAME, WEIGHTS_SUFFIX
from ..errors import InputError
from ..segmentation.model import SegmentationModel
from ..segmentation.model_header import read_voters
from ..study.provenance import images_added, labels_changed, read_continued_from, read_settings
from ..study.settings import Settings
from ..study.stages import Stage
from ..study.study import Study
from ..training.loop import is_complete
from .plan import TrainingPlan, training_plan


@dataclass(frozen=True)
class EarlierModel:
    """The model that a training continues from.

    Attributes:
        model: its students, and what they were made from.
        sha256: of its file.
    """

    model: SegmentationModel
    sha256: str

    @property
    def record(self) -> dict[str, Any]:
        """The provenance's record of it: its checksum, and its own provenance."""
        return {"sha256": self.sha256, **self.model.provenance}

    @classmethod
    def of(cls, study: Study) -> EarlierModel | None:
        """The model that was set aside in a study, None when there is none.

        Raises:
            InputError: its file is damaged, or not the one that the run was started with.
        """
        path = study.run_folder / EARLIER_MODEL_NAME
        if not path.exists():
            return None
        sha256, recorded = sha256_of(path), read_continued_from(study)
        if recorded is not None and not (labels_changed(study) or images_added(study)) and sha256 != recorded["sha256"]:
            raise InputError(
                path,
                "is not the model that the training continues from",
                "restore it, or use --from-teacher",
                in_panel="restore it, or tick Start anew",
            )
        return cls(SegmentationModel.load(path), sha256)


@dataclass(frozen=True)
class Learnt:
    """The earlier networks of a study.

    Attributes:
        model: that the training continues from; None: it learns from the labels anew.
        teacher: checkpoint of a ViT that is to see more volumes now; None: it has seen them all.
    """

    model: EarlierModel | None = None
    teacher: Path | None = None

    @classmethod
    def of(cls, study: Study) -> Learnt:
        """The files that were set aside in a study. Raises `InputError` like `EarlierModel.of`."""
        teacher = study.run_folder / EARLIER_TEACHER_NAME
        return cls(EarlierModel.of(study), teacher if teacher.exists() else None)

    def plan(self, settings: Settings, slices: int) -> TrainingPlan:
        """How long each network is trained, by labelled slices and by what was learnt before."""
        return training_plan(
            settings,
            slices,
            teacher_learns_on=self.teacher is not None,
            distilled_learn_on=self.model is not None,
            supervised_learn_on=self.model is not None and len(self.model.model.networks) > settings.student.members,
        )


def set_aside(study: Study, settings: Settings, from_teacher: bool) -> None:
    """Before a training: keep what it continues from, and remove what no longer fits the labels and volumes.

    A training with other settings than before is left alone: it will be refused. If this is killed at any point, the
    next call ends in the same state.

    Args:
        study: the caller holds its lock.
        settings: of the training.
        from_teacher: forget what was learnt from labels, in any case.
    """
    if read_settings(study) != settings:
        return
    folder, more_volumes = study.run_folder, images_added(study)
    if not (from_teacher or more_volumes or labels_changed(study)):
        return
    model, teacher = folder / MODEL_NAME, folder / TEACHER_NAME
    with writing(folder):
        if model.exists() and not from_teacher:
            _set_model_aside(model, folder / EARLIER_MODEL_NAME)
        if more_volumes and teacher.exists() and is_complete(teacher):
            replace_file(teacher, folder / EARLIER_TEACHER_NAME)
        kept = {EARLIER_TEACHER_NAME}
        kept |= set() if from_teacher else {EARLIER_MODEL_NAME}
        kept |= set() if more_volumes else {TEACHER_NAME}
        for path in folder.glob(f"*{WEIGHTS_SUFFIX}"):
            if path.name not in kept:
                remove_file(path)
    if (folder / EARLIER_MODEL_NAME).exists():
        study.events.emit(Stage.CONTINUING, 1, 1)
        return
    reason = "labels have changed" if labels_changed(study) else "volumes were added" if more_volumes else "as asked"
    message = f"{reason}: all but the teacher is trained anew"
    study.events.emit(Stage.READING_VOLUMES, 0, len(study.cases), message=message)


def _set_model_aside(model: Path, earlier: Path) -> None:
    """Keep a model whose students can learn on; 2-D networks learn anew, which takes them a minute or two."""
    voters = read_voters(model)
    if voters is not None and voters.students:
        replace_file(model, earlier)
    else:
        remove_file(earlier, missing_ok=True)
