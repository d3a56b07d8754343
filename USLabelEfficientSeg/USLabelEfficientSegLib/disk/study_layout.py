"""The files of a study folder: every name is written here, and nowhere else.

Imports nothing heavy: Slicer reads it before torch is installed.
"""

from pathlib import Path

# In the study folder.
MANIFEST_NAME = "study.json"  # makes a folder a study
IMAGES, LABELS = "images", "labels"  # folders
NEW_LABELS = "new_labels"  # folder: labels drawn while the study is trained
KEPT = "kept"  # folder: slices that the user has kept, until the labels hold them
SET_ASIDE = "set_aside"  # folder: slices that were drawn at two places at once, as they are not in the labels
LOCK_NAME = "lock"  # held by the one that writes
APPEARANCE_NAME = "organs.json"  # colours and terminology in Slicer
LOGS = "logs"  # folder: output of the panel's workers
RUN = "run"  # folder of the training
REPORT_NAME, PDF_NAME = "report.html", "report.pdf"

# In the run folder.
RUN_RECORD_NAME = "run.json"  # what reproduces the training
EVENTS_NAME = "events.jsonl"
TIME_PLAN_NAME = "time_plan.json"  # how many steps fit into the time that a training was given
WEIGHTS_SUFFIX = ".safetensors"  # of everything that training keeps
MODEL_NAME = "model.safetensors"  # what training ends with
FIRST_MODEL_NAME = "first_model.safetensors"  # of 2-D networks, long before
TEACHER_NAME = "teacher.safetensors"
SLICE_HEAD_NAME = "slice_head.safetensors"
PAIR_NAME = "divergence.safetensors"
ALIGNMENT_NAME = "alignment.safetensors"
EARLIER_MODEL_NAME = "continued_from.safetensors"
EARLIER_TEACHER_NAME = "continued_from_teacher.safetensors"
EARLIER_PAIR_NAME = "continued_from_divergence.safetensors"
FEATURES = "features"  # folder: of the teacher
PSEUDO_LABELS = "pseudo_labels"  # folder
VOLUMES = "volumes"  # folder: on the working grid, while a training runs

# Beside a segmentation.
RECORD_SUFFIX = "_measurements.json"

# In a MONAI bundle.
BUNDLE_METADATA, BUNDLE_RUN = "configs/metadata.json", "configs/inference.json"
BUNDLE_MODEL = "models/model.safetensors"
BUNDLE_CARD = "docs/README.md"

# In a folder of ONNX graphs.
GRAPHS_DESCRIPTION, GRAPHS_MODEL = "model.json", "model.safetensors"
GRAPH_SUFFIX = ".onnx"


def run_file(study: Path, name: str) -> Path:
    """A file in the run folder of a study."""
    return study / RUN / name
