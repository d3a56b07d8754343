"""Whether 90 % intervals hold the true volume in 90 % of held-out volumes, and how wide they are.

    python benchmarks/interval_coverage.py STUDY IMAGES LABELS
    python benchmarks/interval_coverage.py STUDY --simulate 40 DIR

STUDY is a trained study; IMAGES and LABELS hold volumes and dense label maps of the same names, of which those of the
study are left out. With --simulate, subjects that the demo does not use are simulated into DIR first. Two
calibrations are compared: that of the study's labelled slices, and split conformal prediction on random halves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from USLabelEfficientSegLib.calibration.intervals import Calibration, calibration_from_scans
from USLabelEfficientSegLib.demo import DemoDesign, simulate_folder
from USLabelEfficientSegLib.disk.study_layout import MODEL_NAME
from USLabelEfficientSegLib.imaging.files import find_images, read_label_map, read_volume
from USLabelEfficientSegLib.measurement.segmenting import volume_interval
from USLabelEfficientSegLib.measurement.volumes import organ_volumes
from USLabelEfficientSegLib.segmentation.inference import predict
from USLabelEfficientSegLib.segmentation.model import SegmentationModel, choose_device
from USLabelEfficientSegLib.study.study import Study
from USLabelEfficientSegLib.training.memory import tune_memory

FIRST_SUBJECT = 600  # the demo of seed 0 uses those from 0 and from 700
SPLITS = 200


def simulated(folder: Path, count: int) -> tuple[Path, Path]:
    """Folders of images and labels of simulated subjects that no demo of seed 0 has seen."""
    subjects = range(FIRST_SUBJECT, FIRST_SUBJECT + count)
    simulate_folder(folder, subjects, DemoDesign(), lambda event: None, lambda: False)
    return folder / "images", folder / "labels"


def volumes_of(
    model: SegmentationModel, calibration: Calibration, images: Path, labels: Path, left_out: set[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Predicted and true volumes (n, organs) and the model's intervals (n, organs, 2) in ml; nan where it has none."""
    device, references = choose_device("auto"), find_images(labels)
    predicted, true, intervals = [], [], []
    for name, path in find_images(images).items():
        if name not in left_out:
            prediction = predict(model, read_volume(path), device)
            predicted.append(prediction.volumes_ml())
            true.append([row.volume_ml for row in organ_volumes(read_label_map(references[name]), model.organs)])
            found = [volume_interval(calibration, prediction, organ) for organ in range(len(model.organs))]
            intervals.append([one or (np.nan, np.nan) for one in found])
    return np.array(predicted), np.array(true), np.array(intervals)


def covered(
    intervals: NDArray[np.float64], predicted: NDArray[np.float64], true: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each interval (n, organs) holds the true volume, and its width as a share of the predicted volume."""
    low, high = np.moveaxis(intervals, -1, 0)
    return (low <= true) & (true <= high), (high - low) / predicted


def show(name: str, organs: tuple[str, ...], hits: NDArray[np.bool_], widths: NDArray[np.float64]) -> None:
    """One line an organ, and one for all."""
    for organ, hit, width in zip(organs, hits.T, widths.T, strict=True):
        print(f"{name:24}{organ:12}coverage {hit.mean():.3f} ({hit.size} volumes), mean width {width.mean():.0%}")
    print(f"{name:24}{'all':12}coverage {hits.mean():.3f}, mean width {widths.mean():.0%}", flush=True)


def main() -> None:
    """Print coverage and width of both calibrations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("folders", type=Path, nargs="+", metavar="IMAGES LABELS or DIR")
    parser.add_argument("--simulate", type=int, metavar="N")
    arguments = parser.parse_args()
    tune_memory()
    study = Study.open(arguments.study)
    model = SegmentationModel.load(study.run_folder / MODEL_NAME)
    if model.calibration is None:
        parser.error("the model has no calibration")
    if arguments.simulate is None:
        images, labels = arguments.folders
    else:
        images, labels = simulated(arguments.folders[0], arguments.simulate)
    left_out = {case.name for case in study.cases}
    predicted, true, intervals = volumes_of(model, model.calibration, images, labels, left_out)
    errors = np.log(true / predicted)
    for organ, error in zip(model.organs, errors.T, strict=True):
        middle = f"median {np.exp(np.median(error)):.2f}"
        print(f"{organ}: true over predicted volume: {middle}, standard deviation of its logarithm {error.std():.2f}")
    show("labelled slices", model.organs, *covered(intervals, predicted, true))

    rng = np.random.default_rng(0)
    hits, widths = [], []
    for _ in range(SPLITS):
        order = rng.permutation(len(true))
        first, second = order[: len(order) // 2 + 1], order[len(order) // 2 + 1 :]
        factors = np.array(calibration_from_scans({"volume": errors[first]}, "volume").factors["volume"])
        hit, width = covered(factors * predicted[second][..., None], predicted[second], true[second])
        hits.append(hit)
        widths.append(width)
    show(f"conformal on {len(true) // 2 + 1}", model.organs, np.concatenate(hits), np.concatenate(widths))


if __name__ == "__main__":
    main()
