"""Pseudo-labels of all volumes of a run: first the slice teacher's, later the students', who see all dimensions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..anatomy.kept import Source
from ..anatomy.training_volumes import Proposal, TrainingVolume
from ..disk.study_layout import PSEUDO_LABELS, WEIGHTS_SUFFIX
from ..pseudolabels.fusion import FusedPrediction
from ..pseudolabels.storage import proposal_in, stored_prediction
from ..pseudolabels.teacher_labels import teacher_pseudo_label
from ..segmentation.inference import predict_inputs
from ..study.provenance import digest
from ..study.stages import NumberedStage, Stage, round_name
from .calibrating import scaled
from .run import Run
from .slice_teacher import SliceTeacher
from .voting import Students, voting_model


def pseudo_labelled(run: Run, teacher: SliceTeacher) -> list[TrainingVolume]:
    """Stages 3 and 4: predictions of slices, refined in 3-D, and the teacher's features for distillation."""

    def taught(volume: TrainingVolume) -> TrainingVolume:
        def predict() -> FusedPrediction:
            return teacher_pseudo_label(
                volume.grey,
                volume.sector,
                volume.spacing,
                {run.study.slice_axis: teacher.predictors(volume)},
                run.settings.pseudo_labels,
                run.generator(f"pseudo-label of {volume.name}"),
                volume.known,
            )

        return volume.taught(stored(run, teacher.pseudo_label_folder, volume, predict), teacher.features(volume))

    return run.each_volume(Stage.PSEUDO_LABELS, taught)


def renewed(run: Run, teacher: SliceTeacher, students: Students, round_number: int) -> list[TrainingVolume]:
    """The students' own predictions, which see all three dimensions, replace the teacher's pseudo-labels."""
    model = scaled(run, voting_model(run, students))

    def taught(volume: TrainingVolume) -> TrainingVolume:
        def predict() -> FusedPrediction:
            return predict_inputs(model, volume.inputs, volume.sector, run.computing.device, volume.slice_votes)

        proposal = stored(run, f"round_{round_name(round_number)}", volume, predict)
        return volume.taught(proposal, teacher.features(volume))

    return run.each_volume(str(NumberedStage(Stage.PSEUDO_LABELS, round_number)), taught)


def stored(run: Run, folder: str, volume: TrainingVolume, make: Callable[[], FusedPrediction]) -> Source[Proposal]:
    """A source of a pseudo-label of a volume, made unless the run folder holds it for this run and this very volume.

    Args:
        run: of the volume.
        folder: of the pseudo-labels of one teacher or round.
        volume: of the study.
        make: predicts it.
    """
    case = run.study.case(volume.name)
    path = run.folder / PSEUDO_LABELS / folder / f"{run.stems[case.name]}{WEIGHTS_SUFFIX}"
    shape = (len(run.study.organs) + 1, *volume.shape)
    stored_prediction(path, digest([run.identity, case.name, case.image.sha256]), make, shape)
    return partial(proposal_in, path)
