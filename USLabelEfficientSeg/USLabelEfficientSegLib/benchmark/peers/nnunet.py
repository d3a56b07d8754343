"""nnU-Net v2 as a rival: its data set is written, its commands are told, its predictions are read; it is no dependency.

Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation", Nature
Methods 2021. Unlabelled voxels get its ignore label, the highest value (Gotkowski et al., arXiv 2403.12834);
volumes without any label cannot take part. Format:
https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md and ignore_label.md there.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...annotation.sparse_labels import UNLABELLED
from ...disk.files import atomic_write_json, atomic_write_text
from ...disk.names import safe_stems
from ...imaging.files import read_volume, write_label_map, write_volume
from ...imaging.scan import LabelMap
from ...study.study import Study

NUMBER = 901  # of the data set, in the range that nnU-Net leaves to users
DATASET = f"Dataset{NUMBER}_Ultrasound"
SUFFIX = ".nii.gz"
SCRIPT = "commands.sh"


def export(folder: Path, study: Study, held_out: Mapping[str, Path]) -> Path:
    """Write the labelled volumes of a study, and images to predict, as nnU-Net reads them.

    Args:
        folder: receives `raw`, `predictions` (to be filled by nnU-Net) and `commands.sh`, written last.
        study: volumes and sparse labels.
        held_out: images to predict, by case.

    Returns:
        The script with the commands to run where nnU-Net v2 is installed.
    """
    dataset = folder / "raw" / DATASET
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (dataset / name).mkdir(parents=True, exist_ok=True)
    ignored = len(study.organs) + 1
    labelled = [case for case in study.cases if case.labels is not None]
    for case, stem in zip(labelled, safe_stems(case.name for case in labelled), strict=True):
        labels = study.read_labels(case.name)
        assert labels is not None
        write_volume(dataset / "imagesTr" / f"{stem}_0000{SUFFIX}", study.read_scan(case.name))
        voxels = np.where(labels.voxels == UNLABELLED, np.uint8(ignored), labels.voxels)
        write_label_map(dataset / "labelsTr" / f"{stem}{SUFFIX}", LabelMap(voxels, labels.geometry, case.name))
    for stem, path in zip(safe_stems(held_out), held_out.values(), strict=True):
        write_volume(dataset / "imagesTs" / f"{stem}_0000{SUFFIX}", read_volume(path))
    atomic_write_json(
        dataset / "dataset.json",
        {
            "channel_names": {"0": "ultrasound"},
            "labels": {
                "background": 0,
                **{organ: value for value, organ in enumerate(study.organs, start=1)},
                "ignore": ignored,
            },
            "numTraining": len(labelled),
            "file_ending": SUFFIX,
        },
    )
    script = folder / SCRIPT
    atomic_write_text(script, commands(folder))
    return script


def predictions(folder: Path, held_out: Mapping[str, Path]) -> dict[str, Path] | None:
    """nnU-Net's label map of every held-out case, or None as long as one is missing."""
    found = {
        name: folder / "predictions" / f"{stem}{SUFFIX}"
        for name, stem in zip(held_out, safe_stems(held_out), strict=True)
    }
    return found if all(path.is_file() for path in found.values()) else None


def commands(folder: Path) -> str:
    """The commands, for a shell: one network on all labelled volumes, since five folds of a few would be thin."""
    inside = {
        name: shlex.quote(str(folder.resolve() / name)) for name in ("raw", "preprocessed", "results", "predictions")
    }
    test = shlex.quote(str(folder.resolve() / "raw" / DATASET / "imagesTs"))
    return f"""set -e
# In an environment of its own: pip install nnunetv2. Arguments are those of training and prediction: -device cpu, ...
export nnUNet_raw={inside["raw"]} nnUNet_preprocessed={inside["preprocessed"]} nnUNet_results={inside["results"]}
nnUNetv2_plan_and_preprocess -d {NUMBER} --verify_dataset_integrity -c 3d_fullres
nnUNetv2_train {NUMBER} 3d_fullres all "$@"
nnUNetv2_predict -d {NUMBER} -c 3d_fullres -f all -i {test} -o {inside["predictions"]} "$@"
"""
