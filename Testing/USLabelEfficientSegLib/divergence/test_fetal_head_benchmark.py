"""The benchmark on a folder like HC18's, with images of a few pixels."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from PIL import Image
from torch import nn

from USLabelEfficientSegLib.errors import InputError

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
TINY = ["image_size=48", "labelled_images=1", "unlabelled_images=4"]


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


@pytest.fixture
def train_and_measure(heads, tmp_path, monkeypatch):
    """The benchmark in this process, of networks that are trained in a moment; its tables lie in tmp_path."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fetal_head
    import fetal_head_training

    monkeypatch.setattr(fetal_head_training, "CALIBRATION_STEPS", 1)

    def run(*options, seconds="0.2", fractions="1", seeds="0", methods="labelled unext"):
        changes = [part for change in TINY for part in ("--set", f"divergence.{change}")]
        words = ["--fractions", fractions, "--seeds", seeds, "--seconds", seconds, "--methods", methods, *options]
        fetal_head.run(fetal_head.command_line().parse_args([str(heads), "--output", str(tmp_path), *words, *changes]))

    return run


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(folder, pattern):
    return {path.relative_to(folder): path.read_bytes() for path in folder.glob(pattern)}


def test_a_finished_training_is_kept_and_only_what_is_missing_is_done(train_and_measure, tmp_path, capsys):
    train_and_measure()
    networks, tables = contents(tmp_path, "networks/*"), contents(tmp_path, "*.csv")
    assert [path.name for path in networks] == ["test-labelled-unext-1-seed-0.safetensors"]
    kept = next((tmp_path / "cases").iterdir())
    cases = kept.read_bytes()
    kept.unlink()

    capsys.readouterr()
    train_and_measure()

    assert "1 of 1 trainings are there already" in capsys.readouterr().out
    assert contents(tmp_path, "networks/*") == networks
    assert kept.read_bytes() == cases and contents(tmp_path, "*.csv") == tables


def test_results_of_a_network_that_was_deleted_are_not_kept(train_and_measure, tmp_path):
    train_and_measure()
    kept, network = (next((tmp_path / folder).iterdir()) for folder in ("cases", "networks"))
    kept.write_text("of another network")
    network.unlink()

    train_and_measure()

    assert network.exists() and kept.read_text().startswith("fraction,seed,method,name,dice")


def test_other_settings_in_the_same_folder_are_refused(train_and_measure, tmp_path, monkeypatch):
    train_and_measure()
    with pytest.raises(
        InputError, match=r"settings\.json: belongs to trainings with seconds = 0\.2 \(now 0\.3\); choose"
    ):
        train_and_measure(seconds="0.3")
    with pytest.raises(InputError, match=r"with divergence\.ramp_up = 0\.1 \(now 0\.5\); choose another --output"):
        train_and_measure("--set", "divergence.ramp_up=0.5")

    from dataclasses import replace

    import fetal_head

    arm = replace(fetal_head.METHODS["labelled unext"], changes={"divergence.learning_rate": 0.001})
    monkeypatch.setitem(fetal_head.METHODS, "labelled unext", arm)
    with pytest.raises(InputError, match=r"safetensors: belongs to trainings with divergence\.learning_rate = 0\.004"):
        train_and_measure()


def test_runs_with_other_seeds_and_methods_share_a_folder(train_and_measure, tmp_path):
    train_and_measure(seeds="0")
    train_and_measure(seeds="1")
    train_and_measure(methods="labelled u-net", fractions="0.2")

    rows = table(tmp_path / "test-summary.csv")
    assert [(row["fraction"], row["method"], row["seeds"]) for row in rows] == [
        ("0.2", "labelled u-net", "1"),
        ("1.0", "labelled unext", "2"),
    ]
    assert float(rows[0]["below_all_labels"]) == pytest.approx(float(rows[1]["dice"]) - float(rows[0]["dice"]))
    assert float(rows[1]["below_all_labels"]) == 0
    assert len(table(tmp_path / "test-cases.csv")) == 3 * 2  # two held-out images


def test_methods_run_with_all_labels(train_and_measure, tmp_path, capsys):
    methods = ["information divergence on low-cost probes", "labelled u-net", "labelled unext"]

    train_and_measure(methods=",".join(methods))

    printed = capsys.readouterr().out
    assert all(f"8 labels, {name}, seed 0: Dice" in printed for name in methods)
    assert {row["method"] for row in table(tmp_path / "test-summary.csv")} == set(methods)


def test_finished_networks_are_measured_on_low_cost_probes(train_and_measure, tmp_path):
    train_and_measure(fractions="0.2,1")
    networks = contents(tmp_path, "networks/*")

    train_and_measure("--robustness", fractions="0.2,1")

    rows = table(tmp_path / "test-degraded.csv")
    assert contents(tmp_path, "networks/*") == networks
    assert len(rows) == 2 * (1 + 6 * 3) and {row["degradation"] for row in rows} >= {"none", "gain", "other-probe"}
    clean = {row["fraction"]: float(row["dice"]) for row in rows if row["degradation"] == "none"}
    summary = {row["fraction"]: float(row["dice"]) for row in table(tmp_path / "test-summary.csv")}
    assert clean == pytest.approx(summary)
    assert Image.open(io.BytesIO((tmp_path / "test-degraded.png").read_bytes())).size[0] > 1000


def test_degraded_means_are_over_images_and_seeds(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fetal_head_robustness import DegradedResult, degraded_line, degraded_means

    dice = {(0, "a"): 0.9, (0, "b"): 0.7, (1, "a"): 0.4, (1, "b"): 0.2}
    results = [DegradedResult(0.05, seed, "m", name, "noise", 0.5, value) for (seed, name), value in dice.items()]
    results.append(DegradedResult(0.05, 0, "m", "a", "noise", 1.0, 0.1))

    means = degraded_means(results)

    assert [(mean.strength, mean.seeds) for mean in means] == [(0.5, 2), (1.0, 1)]
    assert means[0].dice == pytest.approx(0.55)
    assert degraded_line(means) == "noise 0.550 0.100"


def test_images_of_low_cost_probes_share_the_labels_of_the_clean_ones(heads, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fetal_head_data import few_labels, read_heads

    some = read_heads(heads)[:5]
    clean, both, again = (few_labels(some, 2, 0, 48, low_cost=low_cost) for low_cost in (False, True, True))

    assert len(both.grey) == 10 and both.digest() == again.digest()
    assert both.labelled.tolist() == [*clean.labelled.tolist(), *(clean.labelled + 5).tolist()]
    assert torch.equal(both.target, torch.cat([clean.target, clean.target]))
    assert torch.equal(both.grey[:5], clean.grey)
    changes = (both.grey[5:].float() - clean.grey).abs().mean(dim=(1, 2, 3))
    assert (changes > 0.5).all() and len(changes.unique()) == 5


def test_a_fraction_of_one_is_every_training_image(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fetal_head_data import label_count

    assert label_count(1.0, everything=801, training=637) == 637
    assert label_count(0.005, everything=801, training=637) == 4
    assert label_count(0.0001, everything=801, training=637) == 1
    with pytest.raises(InputError, match=r"fraction 0\.9: is 721 images, but only 637"):
        label_count(0.9, everything=801, training=637)
    with pytest.raises(InputError, match=r"fraction 0: is outside \(0, 1\]"):
        label_count(0.0, everything=801, training=637)


def test_an_unknown_method_is_named(train_and_measure):
    with pytest.raises(InputError, match=r"method 'u-net': is not known; choose from information divergence, lab"):
        train_and_measure(methods="u-net")


def test_the_mask_is_one_piece_without_holes(heads, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fetal_head_results
    from fetal_head_data import read_heads

    head = read_heads(heads)[0]
    speckled = head.mask.float()
    speckled[16, 24], speckled[0, 0] = 0, 1
    probability = torch.stack([1 - speckled, speckled])[None]
    monkeypatch.setattr(fetal_head_results, "predict_images", lambda *_, **__: probability)
    monkeypatch.setattr(fetal_head_results, "refine_zoomed", lambda network, image, first, *_, **__: first)

    assert (fetal_head_results.segment(nn.Identity(), head, 48) == head.mask.numpy()).all()


def test_the_ellipse_of_the_mask_is_the_head_and_nothing_found_is_an_error(heads, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from fetal_head_data import read_heads
    from fetal_head_results import evaluate, fitted_ellipse

    head = read_heads(heads)[0]
    mask = head.mask.numpy()
    certain = nn.Conv2d(3, 2, 1)
    nn.init.constant_(certain.weight, 0)
    assert certain.bias is not None
    certain.bias.data = torch.tensor([1.0, 0.0])

    result = next(evaluate(certain, [head], 48, 0.1, 0, "nothing found"))

    assert fitted_ellipse(mask, head.pixel_size).circumference_mm == pytest.approx(79.33, rel=0.01)
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
