"""The benchmark on a folder like HC18's, with images of a few pixels."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from torch import nn

from USLabelEfficientSegLib.errors import InputError

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
TINY = ["image_size=48", "labelled_images=1", "unlabelled_images=2"]


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Ten subjects with one bright ellipse each, with half axes of 15 and 10 mm."""
    folder = tmp_path_factory.mktemp("heads")
    y, x = np.mgrid[:32, :48]
    ellipse = ((x - 24) / 15) ** 2 + ((y - 16) / 10) ** 2 <= 1
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "subject", "pixel_width_mm", "pixel_height_mm", "head_circumference_mm"])
        for number in range(10):
            noise = np.random.default_rng(number).integers(0, 90, ellipse.shape)
            for kind, pixels in (("images", 120 * ellipse + noise), ("labels", 255 * ellipse)):
                (folder / kind).mkdir(exist_ok=True)
                image = SimpleITK.GetImageFromArray(pixels.astype(np.uint8))
                SimpleITK.WriteImage(image, str(folder / kind / f"{number:03d}_HC.png"))
            writer.writerow([f"{number:03d}_HC.png", number, 1.0, 1.0, 79.33])
    return folder


def benchmark(*arguments):
    command = [sys.executable, str(BENCHMARKS / "fetal_head.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_both_methods_are_trained_measured_and_written(heads, tmp_path):
    changes = [part for change in TINY for part in ("--set", f"divergence.{change}")]

    done = benchmark(
        heads, "--output", tmp_path, "--fractions", "0.2", "--seeds", "0", "--seconds", "1", "--validation", *changes
    )

    assert done.returncode == 0, done.stderr
    assert "2 labels, information divergence, seed 0: Dice" in done.stdout
    with (tmp_path / "validation-cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["method"] for row in rows} == {"information divergence", "labelled u-net"}
    assert all(0 <= float(row["dice"]) <= 1 and float(row["reference_circumference_mm"]) == 79.33 for row in rows)


def test_the_mask_is_one_body_and_its_ellipse_the_head(heads, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fetal_head
    from fetal_head_data import read_heads

    head = read_heads(heads)[0]
    mask = head.mask.numpy()
    speckled = mask.copy()
    speckled[16, 24], speckled[0, 0] = False, True
    certain = nn.Conv2d(3, 2, 1)
    nn.init.constant_(certain.weight, 0)
    certain.bias.data = torch.tensor([1.0, 0.0])

    result = next(fetal_head.evaluate(certain, [head], 48, 0.1, 0, "nothing found"))

    assert (fetal_head.one_body(speckled) == mask).all()
    assert fetal_head.fitted_ellipse(mask, head.pixel_size).circumference_mm == pytest.approx(79.33, rel=0.01)
    assert result.dice == 0 and result.circumference_error_mm == 79.33


def test_training_and_held_out_images_are_of_different_subjects(heads, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fetal_head_data import read_heads, split

    everything = read_heads(heads)
    test = {head.subject for head in split(everything, validation=False)[1]}
    training, validation = split(everything, validation=True)

    assert test and validation and not test & {head.subject for head in (*training, *validation)}
    assert not {head.subject for head in training} & {head.subject for head in validation}


def test_a_missing_image_is_named(heads, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fetal_head_data import read_heads

    (tmp_path / "cases.csv").write_text((heads / "cases.csv").read_text())

    with pytest.raises(InputError, match=r"000_HC\.png: cannot be read \(no such file"):
        read_heads(tmp_path)
