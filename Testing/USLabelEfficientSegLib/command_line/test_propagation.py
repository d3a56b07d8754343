"""`uslabelseg propagate`: from a few labelled slices to volumes, each with a caution; and what it refuses."""

import json
import re

import numpy as np
import pytest

from USLabelEfficientSegLib.cli import main
from USLabelEfficientSegLib.imaging.files import read_label_map, write_label_map, write_volume
from USLabelEfficientSegLib.imaging.planes import plane_name
from USLabelEfficientSegLib.imaging.scan import LabelMap
from USLabelEfficientSegLib.imaging.simulator import simulate_volume


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images a and b, and three labelled slices of a."""
    folder = tmp_path_factory.mktemp("propagation")
    for name, seed in (("a", 3), ("b", 4)):
        case = simulate_volume(seed, shape=(48, 40, 36), spacing=(2.0, 2.0, 2.0))
        (folder / "images").mkdir(exist_ok=True)
        write_volume(folder / "images" / f"{name}.nrrd", case.volume)
        if name == "a":
            dense = case.label_map
            voxels = np.full_like(dense.voxels, 255)
            for axis in range(3):
                middle = round(float(np.argwhere(dense.voxels == 1).mean(axis=0)[axis]))
                place = tuple(middle if a == axis else slice(None) for a in range(3))
                voxels[place] = dense.voxels[place] == 1
            (folder / "labels").mkdir()
            write_label_map(folder / "labels" / "a.nrrd", LabelMap(voxels, dense.geometry, "a"))
            write_label_map(folder / "truth.nrrd", dense)
    return folder


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def test_volumes_with_labels_are_filled_in_and_measured_with_a_caution(folder, tmp_path, capsys):
    code = run(
        "propagate", folder / "images", "--labels", folder / "labels", "--output", tmp_path / "out", "--organs", "liver"
    )

    told = capsys.readouterr().out
    found = read_label_map(tmp_path / "out" / "a.nrrd")
    truth = read_label_map(folder / "truth.nrrd").voxels == 1
    organ = found.voxels == 1
    assert code == 0
    assert 2 * np.count_nonzero(organ & truth) / (np.count_nonzero(organ) + np.count_nonzero(truth)) > 0.85
    assert found.segments == {1: "liver"}
    assert "Passed over, without labels: b" in told and "caution, a, liver" in told
    row = json.loads((tmp_path / "out" / "a_measurements.json").read_text())["measurements"][0]
    assert "few_slices" in row["flags"] and row["interval_ml"][0] < row["volume_ml"] < row["interval_ml"][1]


def test_the_slice_that_is_worth_drawing_next_is_told_in_words_and_to_programs(folder, tmp_path, capsys):
    arguments = ("propagate", folder / "images" / "a.nrrd", "--labels", folder / "labels", "--output", tmp_path / "out")

    assert run(*arguments) == 0
    told = capsys.readouterr().out
    assert run(*arguments, "--json", "--overwrite") == 0
    record = json.loads(capsys.readouterr().out.splitlines()[0])

    found = re.search(r"Worth drawing next: ((\w+), slice (\d+) of (\d+))\.", told)
    assert found and record["next_slice"] == found[1]
    drawn = read_label_map(folder / "labels" / "a.nrrd")
    axis = next(axis for axis in range(3) if plane_name(drawn.geometry.direction, axis) == found[2])
    assert int(found[4]) == drawn.voxels.shape[axis]
    organ = read_label_map(tmp_path / "out" / "a.nrrd").voxels == 1
    assert organ.take(int(found[3]) - 1, axis).any() and (drawn.voxels.take(int(found[3]) - 1, axis) == 255).any()


def test_labels_that_fit_no_image_are_refused_and_nothing_is_written(folder, tmp_path, capsys):
    (tmp_path / "labels").mkdir()
    label_map = read_label_map(folder / "labels" / "a.nrrd")
    write_label_map(tmp_path / "labels" / "other.nrrd", label_map)

    code = run("propagate", folder / "images", "--labels", tmp_path / "labels", "--output", tmp_path / "out")

    assert code == 2 and "has no label of the name of an image" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_results_are_not_written_onto_the_labels(folder, capsys):
    code = run("propagate", folder / "images", "--labels", folder / "labels", "--output", folder / "labels")

    assert code == 2 and "labels" in capsys.readouterr().err
