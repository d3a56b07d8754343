"""A model as a MONAI bundle: metadata, the configuration that runs it, the weights, and its card.

The format is that of https://docs.monai.io/en/stable/mb_specification.html; the metadata fit the schema that they name.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import __version__
from ..disk.files import atomic_write_json, atomic_write_text
from ..disk.study_layout import BUNDLE_CARD, BUNDLE_METADATA, BUNDLE_MODEL, BUNDLE_RUN
from ..segmentation.loading import TrainedModel
from ..segmentation.model_provenance import without_names
from .facts import Facts
from .model_card import intended_use

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
_VERSION = "1.0.0"
_PREDICTOR = "USLabelEfficientSegLib.exchange.bundle_predictor.BundlePredictor"
_PACKAGE = "us-label-efficient-seg"

BUNDLE_USE = f"""## How to use it

With the Python package `{_PACKAGE}` ({__version__} or later) and `fire` installed, in this folder:

```
python -m monai.bundle run --config_file configs/inference.json --dataset_dir IMAGES --output_dir RESULT
```

Each image NAME gives NAME.nrrd, a label map on its own grid, and NAME_measurements.json. `--device cuda` computes on
a graphics card. `uslabelseg segment THIS_FOLDER IMAGES --output RESULT` does the same.
"""


def write_bundle(model: TrainedModel, folder: Path, facts: Facts, card: str, *, licence: str, authors: str) -> None:
    """Write a bundle.

    Args:
        model: of volumes or of images.
        folder: empty.
        facts: what is known of the model.
        card: its card, see `BUNDLE_USE`.
        licence: under which it is given to others.
        authors: who made it.
    """
    for name in (BUNDLE_METADATA, BUNDLE_MODEL, BUNDLE_CARD):
        (folder / name).parent.mkdir()
    atomic_write_json(folder / BUNDLE_METADATA, metadata(model, facts, licence, authors))
    atomic_write_json(folder / BUNDLE_RUN, _run())
    replace(model, provenance=without_names(model.provenance)).save(folder / BUNDLE_MODEL)
    atomic_write_text(folder / BUNDLE_CARD, card)


def metadata(model: TrainedModel, facts: Facts, licence: str, authors: str) -> dict[str, Any]:
    """The metadata of a bundle, as JSON values."""
    organs = ", ".join(model.organs)
    classes = ", ".join(f"{value}: {name}" for value, name in enumerate(("background", *model.organs)))
    return {
        "schema": SCHEMA,
        "version": _VERSION,
        "changelog": {_VERSION: f"exported by US Label-Efficient Segmentation {__version__}"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {_PACKAGE: __version__},
        "name": f"{organs} in {model.dimension}-D ultrasound",
        "task": f"Segmentation of {organs} in {model.dimension}-D ultrasound",
        "description": f"{'; '.join(facts.networks)}. {facts.shares or ''}".strip(),
        "authors": authors,
        "copyright": authors,
        "license": licence,
        "intended_use": intended_use(model, facts),
        "data_source": " ".join(facts.learnt_from),
        "data_type": "NRRD, NIfTI, MetaImage, DICOM" if model.dimension == 3 else "PNG, JPEG, NRRD, DICOM",
        "image_classes": f"ultrasound {facts.scans}, one channel of grey values in any unit",
        "label_classes": classes,
        "pred_classes": classes,
        "eval_metrics": {f"Dice of {one.of}, on {one.on}": round(one.dice, 4) for one in facts.expected},
        "calibration": facts.intervals,
        "cautions": list(facts.cautions),
        "references": ["https://doi.org/10.1016/j.ultrasmedbio.2025.12.014"],
        "weights_digest": model.digest(),
        "network_data_format": {
            "inputs": {"image": _tensor(model, "image", "magnitude", 1, {"0": "grey values"}, [])},
            "outputs": {
                "pred": _tensor(model, "image", "segmentation", 1, {"0": classes}, [0, len(model.organs)]),
            },
        },
    }


def _tensor(
    model: TrainedModel, kind: str, form: str, channels: int, meaning: dict[str, str], values: list[int]
) -> dict[str, Any]:
    return {
        "type": kind,
        "format": form,
        "modality": "US",
        "num_channels": channels,
        "spatial_shape": ["n"] * model.dimension,
        "dtype": "uint8" if values else "float32",
        "value_range": values,
        "is_patch_data": False,
        "channel_def": meaning,
    }


def _run() -> dict[str, Any]:
    return {
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "auto",
        "label_format": "nrrd",
        "pixel_size": None,
        "network_def": {"_target_": _PREDICTOR, "bundle": "@bundle_root", "device": "@device"},
        "run": ["$@network_def.segment(@dataset_dir, @output_dir, @label_format, @pixel_size)"],
    }
