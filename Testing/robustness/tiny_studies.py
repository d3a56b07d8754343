"""A study and models so small that thousands of damaged ones are read in a minute."""

from pathlib import Path

import numpy as np
import torch

from USLabelEfficientSegLib.anatomy.alignment import Template
from USLabelEfficientSegLib.anatomy.location_prior import LocationPrior
from USLabelEfficientSegLib.annotation.sparse_labels import SparseLabels
from USLabelEfficientSegLib.calibration.probability_scaling import ProbabilityScaling
from USLabelEfficientSegLib.divergence.unext import UNeXt
from USLabelEfficientSegLib.imaging.files import write_volume
from USLabelEfficientSegLib.imaging.geometry import Geometry
from USLabelEfficientSegLib.imaging.scan import Scan
from USLabelEfficientSegLib.segmentation.image_model import ImageModel
from USLabelEfficientSegLib.segmentation.model import SegmentationModel
from USLabelEfficientSegLib.segmentation.slice_voters import SliceVoter, SliceVoters
from USLabelEfficientSegLib.slice_network.network import SliceUNet
from USLabelEfficientSegLib.student.build import StudentDesign, build_student
from USLabelEfficientSegLib.study.provenance import start_run
from USLabelEfficientSegLib.study.settings import preset
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.study.watching import watch_volume

GRID = Geometry((4, 5, 6), (0.5, 0.75, 1.0), (1.0, 2.0, 3.0), np.eye(3))


def write_images(folder: Path, *names: str) -> Path:
    """A folder with a small volume of each name."""
    folder.mkdir(parents=True)
    for name in names:
        random = np.random.default_rng(sum(name.encode()))
        voxels = random.integers(0, 255, GRID.shape).astype(np.uint8)
        write_volume(folder / f"{name}.nrrd", Scan(voxels, GRID, name))
    return folder


def slice_labels(study: Study, index: int) -> SparseLabels:
    """Labels of one slice of a volume of the study."""
    voxels = np.full(GRID.shape, 255, dtype=np.uint8)
    voxels[:, :, index] = 0
    voxels[1:3, 1:4, index] = 1
    return SparseLabels(voxels, GRID, study.organs)


def study_with_a_run(folder: Path) -> Study:
    """A study of three volumes, two of them labelled, with what a training that was stopped leaves beside weights."""
    study = Study.create(folder / "study", write_images(folder / "images", "a", "b", "größe 1"), organs=["prostate"])
    study.set_labels("a", slice_labels(study, 2))
    study.set_labels("b", slice_labels(study, 3))
    start_run(study, preset("quick"), "cpu")
    for step in (1, 2, 3):
        study.events.emit("reading volumes", step, 3)
    study.events.emit("teacher", 1, 3, seconds_left=2.5, losses={"masked": 0.25})
    watch_volume(study.folder, "a")
    return study


def volume_model() -> SegmentationModel:
    """A model of volumes with everything that a model may have, not trained."""
    torch.manual_seed(0)
    design = StudentDesign(network="u-net", classes=3, spacing=(0.5, 1.0, 2.0), slice_axis=1, widths=(4, 4))
    prior = LocationPrior(2)
    prior.coefficients.normal_(0, 0.1)
    return SegmentationModel(
        (build_student(design).eval(),), design, ("liver", "kidney"), 16, 16, 0.25, (0, 2),
        provenance={"settings": {"seed": 3}, "images": ["0" * 64], "labels": []},
        template=Template(torch.randn(3, 20, 20, 20), torch.rand(20, 20, 20)),
        scaling=ProbabilityScaling(slopes=(1.0, 1.5, 1.0), offsets=(0.0, 0.5, 0.0)),
        prior=prior,
        weights=(0.5, 0.25, 0.25),
        slices=SliceVoters((SliceVoter(SliceUNet(3, widths=(4, 4)).eval(), 1, 16),), 32, (4, 4)),
    )  # fmt: skip


def image_model() -> ImageModel:
    """A model of 2-D images, not trained."""
    torch.manual_seed(0)
    return ImageModel(UNeXt(2).eval(), ("head",), 32, True, provenance={"settings": {"seed": 3}})
