"""IDL's networks as the 2-D teacher of the 3-D student, in place of the ViT and its slice head.

"Leveraging Information Divergence for Robust Semi-Supervised Fetal Ultrasound Image Segmentation", Wang et al.,
arXiv 2509.06495. There is no ViT here, so the student learns without correlation distillation.
"""

from __future__ import annotations

from ..anatomy.training_volumes import TrainingVolume
from ..disk.study_layout import PAIR_NAME
from ..divergence.pair import NetworkPair
from ..divergence.slices import SliceNetwork, pixel_size, training_slices
from ..divergence.training import train_pair
from ..pseudolabels.teacher_labels import teacher_pseudo_label
from ..study.stages import Stage
from .run import Run


def slice_pair(run: Run) -> NetworkPair:
    """UNeXt and its partner teach each other on all slices along the slice axis, in one round: the students' follow."""
    return train_pair(
        training_slices(run.volumes, run.study.slice_axis, slice_size(run)),
        run.settings.divergence.model_copy(update={"rounds": 1, "steps": run.settings.divergence.slice_steps}),
        run.context(Stage.DIVERGENCE, PAIR_NAME),
    )


def pseudo_labelled_by_pair(run: Run, pair: NetworkPair) -> list[TrainingVolume]:
    """The mean of the networks over views, refined in 3-D; where they disagree it counts less."""
    axis = run.study.slice_axis

    def taught(volume: TrainingVolume) -> TrainingVolume:
        size = pixel_size(volume, axis)
        models = [SliceNetwork(network, size, slice_size(run)) for network in pair.networks().values()]
        prediction = run.stored_prediction(
            "divergence",
            volume,
            lambda: teacher_pseudo_label(
                volume.grey,
                volume.sector,
                volume.spacing,
                {axis: models},
                run.settings.pseudo_labels,
                run.generator(f"pseudo-label of {volume.name}"),
                volume.known,
            ),
        )
        return volume.taught(prediction.probability, prediction.weight, features=None)

    return run.each_volume(Stage.PSEUDO_LABELS, taught)


def slice_size(run: Run) -> int:
    """Longer side at which the networks read slices: finer than half a voxel there is nothing to see."""
    return min(run.settings.divergence.image_size, 2 * run.settings.working_grid.max_voxels)
