"""The page of an ONNX folder: what is to be done before and after the graphs, step by step."""

from __future__ import annotations

from ..imaging.normalisation import IMAGE_CHANNELS
from ..segmentation.image_model import ImageModel
from ..segmentation.loading import TrainedModel
from ..segmentation.model import SegmentationModel
from ..segmentation.slice_voters import SliceVoters
from ..slice_network.adaptation import AT_ONCE, MOST_SLICES
from ..slice_network.fine_volume import NEUTRAL, SPREAD

_PACKAGE = "USLabelEfficientSegLib"


def onnx_use(model: TrainedModel) -> str:
    """How the graphs of a model are used, in Markdown."""
    steps = _of_images(model) if isinstance(model, ImageModel) else _of_volumes(model)
    return "\n".join(
        [
            "## How to use it",
            "",
            "`model.json` describes the model, `NAME.json` the graph `NAME.onnx`: its input, how that is "
            "normalised, and its weight. Names such as `imaging.sector` are modules of the Python package "
            f"`{_PACKAGE}`, which does all of this for you: `uslabelseg segment`. Arrays are (i, j, k) as the file "
            "stores them, sizes in mm.",
            "",
            *(f"{number}. {step}" for number, step in enumerate(steps, start=1)),
            "",
            "The graphs compute in float32, as `uslabelseg segment` does on a processor. On a graphics card that "
            "computes 2-D networks in bfloat16: outlines may then differ in single voxels.",
        ]
    )


def _of_volumes(model: SegmentationModel) -> list[str]:
    steps = []
    if model.orientation == "anatomical":
        steps.append(
            "Bring the axes to the order and directions left, posterior, superior "
            "(`imaging.orientation.reordering`); undo it with the result."
        )
    if model.slices is not None:
        steps += _before_slices(model.slices)
    if model.networks or model.prior is not None:
        steps += _before_volumes(model)
    steps += [
        "Pool the probabilities p of all votes n, with their weights w (sum 1): the softmax over classes of sum w "
        "log max(p, 0.0001). A single vote is taken as it is.",
    ]
    if model.slices is not None and model.slices.ends:
        steps.append(_ends(model.slices))
    if model.scaling is not None:
        steps.append("Scale: the softmax of slope log max(p, 0.000001) + offset, class by class (`scaling`).")
    steps += [
        "Outside the sector the organs' probabilities are 0, and the background's is 1 minus theirs.",
        "The threshold of an organ is half of the largest expected Dice of {p >= t}, 2 sum(p, p >= t) / (sum p + "
        "count(p >= t)), over t in steps of 0.001, and within 0.2 to 0.5 (`segmentation.decision`).",
        "Resample the probabilities to the volume's own grid (`imaging.resampling.resample_axes`): linear, corner "
        "to corner.",
        "A voxel gets the organ whose p / threshold is largest, if that is at least 1; else 0. The organ's volume "
        "is the sum of its probabilities, times a voxel's volume; its interval multiplies that (`intervals`).",
    ]
    return steps


def _ends(voters: SliceVoters) -> str:
    return (
        "Ask where each organ ends (`segmentation.organ_ends`): its mask at its threshold (below) has a centre and an "
        f"extent along axis {voters.voters[0].axis}; in the middle half of the extent a voxel is drawn as organ where "
        "its probability is above 0.75, as another where it is below 0.25. Resample grey values (black outside of the "
        "sector), drawing and what was drawn to a cube of `ends.onnx`, run it, and once more on a crop around the "
        "organ with the first answer as prior (`promptable_network.two_passes`); mean over four mirror images. Its "
        f"probabilities, background included, are one more vote: pool them with weight {voters.ends:.4g} beside "
        f"{1 - voters.ends:.4g} of what was pooled before."
    )


def _before_slices(voters: SliceVoters) -> list[str]:
    levels = (
        "Measure the levels of the volume for each `slices_N.onnx`: take the slices across its axis that its "
        f"`levels_N.json` tells (at most {MOST_SLICES}), resize, normalise and pad them as in the next step, run "
        f"`levels_N.onnx` on {AT_ONCE} of them at a time, and take the mean of what the runs give; it is the second "
        "input of `slices_N.onnx` (`slice_network.adaptation`)."
    )
    return [
        f"Resample the volume to the fine grid, of at most {voters.max_voxels} voxels an axis, with its corners in "
        "place (`imaging.resampling.working_geometry` and `resample_axes`): coarser by overlap, the spacing of coarse "
        "axes stays.",
        "Find the sector, the voxels that carry image (`imaging.sector.sector_mask`).",
        f"Grey values: z = (v - mean) / standard deviation in the sector; grey = {NEUTRAL} + {SPREAD} z in the "
        f"sector, {NEUTRAL} outside it, all within 0 to 1 (`slice_network.slices.slice_grey`).",
        *([levels] if voters.adaptation else []),
        "For each `slices_N.onnx`: take the slices across its axis, resize them so that pixels are square in mm "
        "and the longer side has the size in its JSON (bilinear, antialiased, corner to corner: "
        "`teacher.slices.resize_slices`), normalise, pad, run, crop, and take the softmax over classes. Do the "
        "same with mirrored slices along each axis named there, mirror the results back, and take the mean of all. "
        "Resize it to the fine grid.",
        "Pool each slice with its two neighbours: the softmax of 0.6 log p + 0.2 log p(before) + 0.2 log p(after), "
        "p at least 0.0001; the first and the last are their own neighbours.",
    ]


def _before_volumes(model: SegmentationModel) -> list[str]:
    steps = [
        f"Resample the volume to the working grid, of at most {model.max_voxels} voxels an axis, and find its "
        "sector there.",
    ]
    if model.template is not None:
        steps.append(
            "Positions are those in the anatomy: align the volume to `template.npz` "
            "(`anatomy.alignment.Template.frame_of`, an optimisation, from `imaging.intensities.normalised_grey`)."
        )
    steps.append(
        "Position channels (`imaging.normalisation.position_channels`): voxel centres, -1 to 1 between the outer edges."
    )
    if model.networks:
        steps += [
            f"Image channels ({IMAGE_CHANNELS}, `imaging.normalisation.image_channels`): the z-score in the sector, "
            "and that of the logarithm in its neighbourhood.",
            "For each `volume_N.onnx`: run it on image and position channels, in windows of the size in its JSON "
            "if the grid is larger (Gaussian weights), on the volume and on its mirror images along each axis "
            "named there (positions are mirrored too: `mirrored_positions`); mean of the softmaxes.",
        ]
    if model.prior is not None:
        steps.append(
            "The location prior votes as well: log-odds of each organ against background are its coefficients "
            "times the ten terms of the position, within the bounds in `model.json`; softmax with 0 for the "
            "background."
        )
    if model.slices is not None:
        steps.append("Resample these probabilities to the fine grid.")
    return steps


def _of_images(model: ImageModel) -> list[str]:
    steps = [
        "Grey values: the percentiles 0.5 and 99.5 become 0 and 1, all within 0 to 1 (`divergence.images.image_grey`).",
        "Resize so that pixels are square in mm and the longer side has the size in `image_1.json` (bilinear, "
        "antialiased).",
        "Run the graph on the image, mirrored as well where its JSON says so, at each zoom about the centre; mean "
        "of the softmaxes where a view shows the image (`divergence.prediction.predict_images`).",
    ]
    if model.zoom_margins:
        steps.append(
            "Predict the parts around the organs again, magnified, and take the mean "
            "(`segmentation.zoomed_refinement.refine_zoomed`)."
        )
    return [
        *steps,
        "Decide with one threshold an organ (`segmentation.decision`), and remove small fragments and pinholes "
        "(`segmentation.pieces.tidied`).",
    ]
