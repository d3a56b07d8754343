"""A tiny training of each method gives the weights that it gave at commit 875eab2.

Networks are nearly the same wherever they are trained; how far each tensor may lie from the recorded one was measured
between instruction sets. On the kind of machine on which they were recorded, and there alone, they are the same bit for
bit, and checksums are compared as well: elsewhere that part is skipped and says so.

`python Testing/USLabelEfficientSegLib/test_same_weights.py FILE` records them anew.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from simulated_heads import write_heads

from USLabelEfficientSegLib.imaging.pixel_sizes import read_pixel_sizes
from USLabelEfficientSegLib.imaging.simulator.files import simulate_files
from USLabelEfficientSegLib.study.settings import Settings, changed
from USLabelEfficientSegLib.study.study import Study

RECORD = Path(__file__).parents[1] / "fixtures" / "same_weights.json"
TRAININGS = {
    "cross-dimensional": {"method": "cross-dimensional"},
    "information-divergence": {"method": "information-divergence"},
    # Adam's first steps are all of the same length, whatever the gradient: it turns rounding into weights.
    "images": {"method": "information-divergence", "divergence.optimizer": "sgd"},
}
HALF_PRECISION = "images in bfloat16"  # of processors that have it, which is too coarse to compare with others
OTHER_PROCESSORS = (
    {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    {"OPENBLAS_CORETYPE": "Haswell"},  # of numpy; as some hosts set it for processors that are too new
)
SPARE = 5.0
LEAST_TOLERANCE = (2e-4, 2e-4, 5e-3)  # of mean, root mean square and entries, as a share of the root mean square
RENAMED: dict[str, str] = {}  # names of settings at commit 875eab2, where they have others now
TINY = {
    "working_grid.max_voxels": 24,
    "teacher.slice_size": 32,
    "teacher.steps": 3,
    "teacher.batch_size": 2,
    "teacher.local_crops": 1,
    "slice_head.steps": 3,
    "slice_head.views": 1,
    "divergence.image_size": 32,
    "divergence.slice_steps": 3,
    "divergence.labelled_images": 2,
    "divergence.interpolation_start": 0.0,
    "pseudo_labels.views": 1,
    "slice_network.steps": 0,  # there were none at that commit
    "student.window": 32,
    "student.widths": [8, 8, 8],
    "student.steps": 3,
    "student.label_steps": 3,
    "student.label_steps_from": 1,
    "student.members": 1,
    "student.rounds": 2,
}
TINY_IMAGES = {"divergence.image_size": 32, "divergence.steps": 4, "divergence.labelled_images": 2}


@pytest.fixture(scope="module", params=TRAININGS)
def both(request, tmp_path_factory):
    """The tensors that a training ends with, by name, and what is recorded of them."""
    return trained(request.param, tmp_path_factory.mktemp("weights")), recorded(request.param)


def test_the_weights_are_nearly_the_same_on_every_machine(both):
    tensors, before = both

    assert tensors.keys() == before.keys()
    for name, tensor in tensors.items():
        for quantity, value in summary(tensor).items():
            tolerance = before[name]["tolerance"][quantity]
            assert value == pytest.approx(before[name][quantity], abs=tolerance, rel=0), (name, quantity)


def test_the_weights_are_the_same_bit_for_bit_on_the_same_kind_of_machine(both):
    skip_on_other_machines()
    tensors, before = both
    assert checksums(tensors) == {name: record["sha256"] for name, record in before.items()}


def test_half_precision_gives_the_same_bits_on_the_same_kind_of_machine(tmp_path):
    skip_on_other_machines()
    assert checksums(trained(HALF_PRECISION, tmp_path)) == recorded(HALF_PRECISION)


def skip_on_other_machines():
    there, here = json.loads(RECORD.read_text())["machine"], machine()
    if here != there:
        pytest.skip(f"checksums are of another kind of machine: {there}, not {here}")


def recorded(training):
    return json.loads(RECORD.read_text())["trainings"][training]


def trained(training, folder):
    """The tensors of the model that a tiny training ends with, computed by one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        if training == HALF_PRECISION:
            return load_file(train_images_of(folder, {"method": "information-divergence"}))
        patch.setattr(torch.cpu, "get_capabilities", dict, raising=False)  # no bfloat16
        train_one = train_images_of if training == "images" else train_volumes_of
        return load_file(train_one(folder, TRAININGS[training]))


def train_volumes_of(folder, changes):
    from USLabelEfficientSegLib.pipeline import train

    simulate_files(folder, range(3), shape=(24, 24, 16), spacing=(3.3, 3.3, 4.0))
    study = Study.create(
        folder / "study", folder / "images", folder / "labels", organs=("solid", "fluid"), label_fraction=0.2
    )
    train(study, settings_of({**TINY, **changes}), torch.device("cpu"))
    return study.run_folder / "model.safetensors"


def train_images_of(folder, changes):
    from USLabelEfficientSegLib.method.images import train_images

    write_heads(folder / "heads", 5)
    images, masks = folder / "heads" / "images", folder / "heads" / "masks"
    sizes = read_pixel_sizes(folder / "heads" / "sizes.csv")
    study = Study.create(folder / "study", images, masks, organs=["head"], label_fraction=0.4, pixel_sizes=sizes)
    train_images(study, settings_of({**TINY_IMAGES, **changes}), torch.device("cpu"))
    return study.run_folder / "model.safetensors"


def settings_of(changes):
    return changed(Settings(), {RENAMED.get(name, name): value for name, value in changes.items()})


def summary(tensor):
    """Mean, root mean square, and five entries."""
    values = tensor.double().flatten()
    picked = torch.linspace(0, len(values) - 1, 5).long()
    root_mean_square = float(values.square().mean().sqrt())
    return {"mean": float(values.mean()), "root_mean_square": root_mean_square, "entries": values[picked].tolist()}


def checksums(tensors):
    return {name: hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest() for name, tensor in tensors.items()}


def machine():
    """What decides how numbers are rounded: the packages that compute, torch's instructions, and the processor."""
    packages = {name: version(name) for name in ("torch", "monai", "numpy", "scipy")}
    return {**packages, "instructions": torch.backends.cpu.get_cpu_capability(), "processor": processor()}


def processor():
    """Name, family, model and stepping; virtual machines share a name between several kinds."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor() or platform.machine()
    pairs = [line.split(":", 1) for line in file.read_text().split("\n\n")[0].splitlines() if ":" in line]
    told = {name.strip(): value.strip() for name, value in pairs}
    return ", ".join(told[name] for name in ("model name", "cpu family", "model", "stepping") if name in told)


def record(path, training=None):
    """Write the file, or, for another instruction set, the summaries of one training."""
    with tempfile.TemporaryDirectory() as folder:
        if training is not None:
            tensors = trained(training, Path(folder))
            path.write_text(json.dumps({name: summary(tensor) for name, tensor in tensors.items()}))
            return
        trainings = {HALF_PRECISION: checksums(trained(HALF_PRECISION, new(folder)))}
        for training in TRAININGS:
            tensors = trained(training, new(folder))
            hashes, others = checksums(tensors), [elsewhere(training, new(folder), way) for way in OTHER_PROCESSORS]
            trainings[training] = {
                name: {
                    **(now := summary(tensor)),
                    "tolerance": tolerances(now, [other[name] for other in others]),
                    "sha256": hashes[name],
                }
                for name, tensor in sorted(tensors.items())
            }
    text = json.dumps({"machine": machine(), "trainings": trainings}, indent=1)
    path.write_text(text + "\n", newline="\n")


def new(folder):
    return Path(tempfile.mkdtemp(dir=folder))


def elsewhere(training, folder, way):
    """What a processor with fewer instructions computes."""
    command = [sys.executable, __file__, folder / "summaries.json", training]
    subprocess.run(command, env={**os.environ, **way}, check=True)
    return json.loads((folder / "summaries.json").read_text())


def tolerances(now, others):
    """Five times what other processors differ by, and no less than a small share of the root mean square."""

    def distance(first, second):
        return max(abs(one - other) for one, other in zip(np.ravel(first), np.ravel(second), strict=True))

    scale = now["root_mean_square"]
    return {
        quantity: max(share * scale, *(SPARE * distance(value, other[quantity]) for other in others))
        for (quantity, value), share in zip(now.items(), LEAST_TOLERANCE, strict=True)
    }


if __name__ == "__main__":
    record(Path(sys.argv[1]), *sys.argv[2:])
