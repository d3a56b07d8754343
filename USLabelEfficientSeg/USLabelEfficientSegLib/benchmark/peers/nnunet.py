"""nnU-Net v2 as a rival: its data set is written, its commands are told, its predictions are read; it is no dependency.

Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation", Nature
Methods 2021. Unlabelled voxels get its ignore label (`study.nnunet`); volumes without any label cannot take part.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from ...disk.files import atomic_write_text
from ...disk.names import safe_stems
from ...study.nnunet import SUFFIX, write_dataset
from ...study.study import Study

NUMBER = 901  # of the data set, in the range that nnU-Net leaves to users
DATASET = f"Dataset{NUMBER}_Ultrasound"
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
    write_dataset(dataset, study, held_out)
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
